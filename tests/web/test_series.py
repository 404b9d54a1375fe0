"""The lines of the overview: an even row of moments, gaps where nothing is known, and few questions to the master."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.series import Level, SeriesPoint
from tq.common.runtime.histogram import SECONDS, Buckets
from tq.web.series import QUEUES_SHOWN, RANGES, columns, read
from tq.web.streaming import _kept


def point(**given: Any) -> SeriesPoint:
    return SeriesPoint(**given)


def test_between_two_points_levels_stay_and_nothing_came_or_ended() -> None:
    rows = [
        (10.0, point(submitted=20, ended=5, ready=Level(3, 9), slots=4, queues={"q": Level(3, 9)})),
        (40.0, point(ended=30, ready=Level(0, 3), slots=4)),
    ]
    found = columns(rows, 10.0, 0.0, 66.0)
    assert found["at"] == [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    assert found["submitted"] == [None, 2.0, 0.0, 0.0, 0.0, 0.0]
    assert found["ended"] == [None, 0.5, 0.0, 0.0, 3.0, 0.0]
    assert found["ready"] == [None, 9, 3, 3, 3, 0]
    assert found["slots"] == [None, 4, 4, 4, 4, 4]
    assert found["queues"] == {"q": [None, 9, 3, 3, 0, 0]}


def test_the_time_that_is_not_over_counts_as_far_as_it_went_and_without_a_point_not_at_all() -> None:
    rows = [(0.0, point(ended=60)), (60.0, point(ended=60))]
    found = columns(rows, 60.0, 0.0, 90.0)
    assert found["at"] == [60.0, 90.0]
    assert found["ended"] == [1.0, 2.0]
    assert columns(rows[:1], 60.0, 0.0, 65.0)["ended"] == [1.0]
    assert columns(rows[:1], 60.0, 0.0, 130.0)["ended"] == [1.0, 0.0]


def test_before_a_start_of_the_master_nothing_is_known() -> None:
    rows = [(0.0, point(ready=Level(7, 7))), (30.0, point(ready=Level(7, 7), is_first=True))]
    found = columns(rows, 10.0, 0.0, 40.0)
    assert found["ready"] == [7, None, None, 7]
    assert found["ended"] == [0.0, None, None, 0.0]


def test_percentiles_are_of_the_attempts_of_each_moment() -> None:
    run = Buckets(SECONDS)
    run.observe_all([0.02] * 100)
    found = columns([(0.0, point(run=run.counts))], 10.0, 0.0, 26.0)
    assert 0.01 < found["run_p50"][0] < found["run_p95"][0] <= 0.05
    assert found["run_p50"][1] is None
    assert found["wait_p95"] == [None, None]


def test_only_the_deepest_queues_have_a_line() -> None:
    queues = {f"q{number}": Level(number, number) for number in range(1, 12)}
    assert list(columns([(0.0, point(queues=queues))], 10.0, 0.0, 10.0)["queues"]) == [
        f"q{number}" for number in range(11, 11 - QUEUES_SHOWN, -1)
    ]


def test_a_master_without_points_gives_empty_lines() -> None:
    found = columns([], 10.0, 0.0, 900.0)
    assert len(found["at"]) == 89, "the point of the last ten seconds may still come"
    assert set(found["ready"]) == {None}


class Master:
    """It answers two rows at a time; it is its own log-in and App."""

    def __init__(self) -> None:
        self.app, self.series, self.asked = self, dict[str, Any](), list[tuple[Any, ...]]()
        self.rows = [[slot, slot * 10.0, point(ended=slot).packed()] for slot in range(1, 6)]

    def call(self, target: Any, method: str, seconds: float, after: int) -> dict[str, Any]:
        self.asked.append((seconds, after))
        rows = [row for row in self.rows if row[0] > after]
        return {"step": 10.0, "from": 10.0, "now": 60.5, "rows": rows[:2], "more": len(rows) > 2}


def test_long_ranges_are_read_portion_by_portion() -> None:
    master: Any = Master()
    assert read(master, 900.0)["ended"] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert master.asked == [(900.0, 0), (900.0, 2), (900.0, 4)]


def test_all_tabs_of_a_log_in_share_an_answer_of_each_range() -> None:
    master: Any = Master()
    master.rows = []
    for _ in range(20):
        for name in RANGES:
            _kept(master, name)
    assert len(master.asked) == len(RANGES)


@pytest.mark.parametrize(
    ("name", "step", "most"), [("15min", 10, 90), ("1d", 60, 1_440), ("30d", 900, 2_880)]
)
def test_no_range_has_more_moments_than_a_chart_has_room_for(name: str, step: float, most: int) -> None:
    assert most - 1 <= len(columns([], step, 0.0, RANGES[name])["at"]) <= most
