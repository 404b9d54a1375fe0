"""All portions of a list are asked for, and none after the last."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tq.client.app import App
from tq.client.cli import portions


@pytest.mark.parametrize(("count", "asked"), [(0, [None]), (1, [None]), (2, [None, "n1"]), (3, [None, "n1"])])
def test_each_portion_goes_on_behind_the_one_before(
    monkeypatch: pytest.MonkeyPatch, count: int, asked: list[str | None]
) -> None:
    monkeypatch.setattr(portions, "LISTED", 2)
    rows = [{"name": f"n{number}"} for number in range(count)]
    seen: list[Any] = []

    class Program:
        def call(self, part: tuple[str, ...], method: str, after: str | None, most: int) -> Any:
            seen.append(after)
            return [row for row in rows if after is None or row["name"] > after][:most]

    assert portions.rows_by_name(cast(App, Program()), ("get_tenants",), None) == rows
    assert seen == asked
