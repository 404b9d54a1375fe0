"""Many records of one kind: the first ones are lines, and the rest is counted, even if no further one comes."""

from __future__ import annotations

from typing import Any

from tq.common.runtime.limited_log import LINES_AT_ONCE, SECONDS_A_LINE, LimitedLog

NOW = 1_000.0


def recorded() -> tuple[list[tuple[str, dict[str, Any]]], LimitedLog]:
    lines: list[tuple[str, dict[str, Any]]] = []
    return lines, LimitedLog(lambda action, **fields: lines.append((action, fields)), "a.b")


def test_a_flood_is_a_few_lines_and_the_next_line_says_how_many_were_left_out() -> None:
    lines, log = recorded()
    for number in range(100):
        log.write(NOW, number=number)
    assert [fields["number"] for _, fields in lines] == list(range(LINES_AT_ONCE))
    log.write(NOW + SECONDS_A_LINE, number=100)
    assert lines[-1] == ("a.b", {"level": "warning", "number": 100, "left_out": 100 - LINES_AT_ONCE})


def test_what_was_left_out_is_counted_in_a_line_when_no_further_one_comes() -> None:
    lines, log = recorded()
    for _ in range(100):
        log.write(NOW)
    log.count_rest(NOW)
    assert len(lines) == LINES_AT_ONCE  # no line is free yet
    log.count_rest(NOW + 2 * SECONDS_A_LINE)
    assert lines[-1] == ("log.left_out", {"level": "warning", "of": "a.b", "count": 100 - LINES_AT_ONCE})
    log.count_rest(NOW + 3 * SECONDS_A_LINE)
    assert len(lines) == LINES_AT_ONCE + 1
