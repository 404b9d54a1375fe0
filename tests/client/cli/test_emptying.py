"""When a queue will be empty: said only as far as it is known."""

from __future__ import annotations

from typing import Any

import pytest
from tq.client.cli.emptying import Emptying, emptying
from tq.common.domain.series import QUEUES_MAX, Level, SeriesPoint

NOW = 1_000_000.0


def row(ready: int, **given: Any) -> dict[str, Any]:
    return {
        "name": "mail",
        "paused": False,
        "assigned": 0,
        "scheduled": 0,
        "blocked": 0,
        **given,
        "ready": ready,
    }


def points(levels: dict[int, int], **given: Any) -> list[tuple[float, SeriesPoint]]:
    """Levels by how many seconds ago, as the master writes them every ten seconds while something changes."""
    return [
        (NOW - ago, SeriesPoint(queues={"mail": Level(level, level)} if level else {}, **given))
        for ago, level in sorted(levels.items(), reverse=True)
    ]


def said(ready: int, levels: dict[int, int], **given: Any) -> str:
    return str(emptying(row(ready, **given), points(levels), NOW))


def test_what_shrinks_at_one_pace_is_empty_in_about_so_long() -> None:
    assert said(1200, {ago: 1200 + 10 * ago for ago in range(10, 310, 10)}) == "about 2 min"


def test_a_pace_that_changed_is_a_span() -> None:
    levels = {ago: 600 + (10 * ago if ago <= 60 else 600 + 2 * (ago - 60)) for ago in range(10, 310, 10)}
    assert said(600, levels) == "60 s to 3 min"


def test_what_grew_over_five_minutes_and_shrinks_now_has_no_end_to_the_span() -> None:
    levels = {ago: 900 + 5 * ago if ago <= 60 else 100 for ago in range(10, 310, 10)}
    assert said(900, levels) == "3 min or more"


def test_what_grows_is_said_to_grow_and_what_does_neither_to_stand_still() -> None:
    assert said(900, {ago: 900 - ago for ago in range(10, 310, 10)}) == "grows"
    assert said(900, {300: 900, 40: 900}) == "stands still"


def test_tasks_that_wait_for_their_time_do_not_count_as_work_to_do() -> None:
    levels = {ago: 5_100 + 10 * ago for ago in range(10, 310, 10)}
    assert said(100, levels, scheduled=5_000) == "about 10 s"


def test_what_the_master_did_not_write_down_did_not_change() -> None:
    assert emptying(row(50), points({250: 100, 10: 60}), NOW) == Emptying(60.0, 250.0, False)


@pytest.mark.parametrize(
    ("given", "levels"),
    [
        (row(0), {300: 10}),
        (row(9, paused=True), {300: 10}),
        (row(9), {}),
        (row(9), {10: 20}),
    ],
    ids=["it is empty", "it is paused", "it is not known", "it was seen for too short"],
)
def test_nothing_is_said_of_what_is_not_known(given: dict[str, Any], levels: dict[int, int]) -> None:
    assert emptying(given, points(levels), NOW) is None


def test_what_was_before_a_start_of_the_master_is_not_known() -> None:
    found = [*points({100: 900}), *points({10: 100}, is_first=True)]
    assert emptying(row(50), found, NOW) is None


def test_a_queue_that_was_not_among_the_deepest_is_not_taken_for_empty() -> None:
    deeper = {f"q{number}": Level(9_999, 9_999) for number in range(QUEUES_MAX)}
    found = [(NOW - 100, SeriesPoint(queues=deeper)), *points({10: 100})]
    assert emptying(row(50), found, NOW) is None
