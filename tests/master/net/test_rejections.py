"""Lines about rejected connections: all of the first ones, few of a flood, and a count of what was left out."""

from __future__ import annotations

from typing import Any

from tq.common.runtime.limited_log import LINES_AT_ONCE, SECONDS_A_LINE
from tq.master.net.rejections import RejectionLog

NOW = 1_000.0


def test_a_flood_is_a_few_lines_and_all_of_it_is_counted() -> None:
    lines: list[dict[str, Any]] = []
    rejections = RejectionLog(lambda action, **fields: lines.append(fields), "connection.refused")
    for _ in range(1_000):
        rejections.record("10.0.0.1", "wrong key", NOW)
    assert lines == [{"level": "warning", "address": "10.0.0.1", "error": "wrong key"}] * LINES_AT_ONCE
    rejections.record("10.0.0.2", "no pickle", NOW + SECONDS_A_LINE)
    left_out = 1_000 - LINES_AT_ONCE
    assert lines[-1] == {
        "level": "warning", "address": "10.0.0.2", "error": "no pickle", "left_out": left_out,
    }  # fmt: skip
    rejections.record("10.0.0.2", "no pickle", NOW + 100 * SECONDS_A_LINE)
    assert "left_out" not in lines[-1]
    assert rejections.total == 1_002
