"""The master's own series: cheap while nothing happens, bounded, and there after a restart."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber, Role
from tq.common.domain.series import RESOLUTIONS, Level, SeriesPoint, unpacked
from tq.common.errors import Forbidden, InvalidArgument, StoreError
from tq.master.observe.meters import count
from tq.master.observe.series import LATE_MS, STEP_MS

from tests.master.conftest import Bench

LATE = (STEP_MS + LATE_MS) / 1000 + 0.1


def submit(bench: Bench, tasks: int = 1, queue: str = "q") -> list[bytes]:
    ids: list[bytes] = new_ids.many(tasks)
    bench.client().call(("get_task_queue", queue), "submit", "m:f", {}, [[id, b""] for id in ids])
    return ids


def points(bench: Bench, seconds: float = 3_600) -> list[SeriesPoint]:
    answer = bench.client(role=Role.VIEWER).call("get_master", "series", seconds)
    return [unpacked(body) for _, _, body in answer["rows"]]


def test_what_happened_in_ten_seconds_is_a_point_with_what_there_is_at_their_end(bench: Bench) -> None:
    submit(bench, 3)
    submit(bench, 2, "other")
    bench.advance(LATE)
    [point] = points(bench)
    assert (point.submitted, point.ended, point.failed) == (5, 0, 0)
    assert point.ready == Level(5, 5)
    assert point.queues == {"q": Level(3, 3), "other": Level(2, 2)}
    assert point.store_bytes > 4_096
    assert point.is_first


def test_ends_are_counted_with_how_long_they_waited_and_ran(bench: Bench) -> None:
    for _ in range(2):
        submit(bench, 1)
    bench.advance(3)
    worker = bench.worker("m:f", slots=2)
    for outcome in (OutcomeNumber.SUCCESS, OutcomeNumber.DISCARD):
        lease, [[_, _, _, [[id, attempt, *_]]]] = worker.call("get_dispatcher", "lease", 1)
        worker.call("get_dispatcher", "finish", [[id, attempt, lease, int(outcome), None, 0.0, 0.02, None]])
    bench.advance(LATE)
    whole = SeriesPoint()
    for point in points(bench):
        whole = whole.followed_by(point)
    assert (whole.submitted, whole.ended, whole.failed) == (2, 2, 1)
    assert sum(whole.run) == 2
    assert whole.wait[7] >= 1, "three seconds"
    assert whole.slots == 2


def test_a_master_in_which_nothing_changes_writes_nothing_and_does_not_wake_for_it(bench: Bench) -> None:
    submit(bench)
    bench.advance(LATE)
    before = bench.engine.store._db.total_changes
    wakeup = bench.engine.next_wakeup()
    assert wakeup is None or wakeup - bench.now.mono > 60_000
    for _ in range(100):
        bench.now = bench.now._replace(wall=bench.now.wall + 1_000, mono=bench.now.mono + 1_000)
        bench.client().call("get_queues", "list")
    assert bench.engine.store._db.total_changes == before
    assert len(points(bench)) == 1


def test_a_busy_master_writes_a_point_for_each_ten_seconds_in_transactions_that_come_anyway(
    bench: Bench,
) -> None:
    for _ in range(60):
        submit(bench)
        bench.now = bench.now._replace(wall=bench.now.wall + 1_000, mono=bench.now.mono + 1_000)
    bench.advance(LATE)
    found = points(bench)
    assert len(found) in (6, 7)
    assert sum(point.submitted for point in found) == 60
    minutes = points(bench, 86_400)
    assert sum(point.submitted for point in minutes) == 60
    assert len(minutes) in (1, 2)
    assert [point.submitted for point in points(bench, 30 * 86_400)] == [60]


def test_after_a_restart_the_minute_goes_on_and_says_that_the_master_was_started(bench: Bench) -> None:
    submit(bench, 2)
    bench.advance(LATE)
    again = Bench(bench.engine.store, now=bench.now)
    submit(again, 3)
    again.advance(LATE)
    assert [point.is_first for point in points(again)] == [True, True]
    assert sum(point.submitted for point in points(again, 86_400)) == 5
    assert sum(point.submitted for point in points(again, 30 * 86_400)) == 5


@pytest.mark.parametrize("seconds", [-7_200, 7_200])
def test_a_clock_that_is_set_makes_no_gap_and_no_second_point_of_a_time(bench: Bench, seconds: float) -> None:
    submit(bench)
    bench.advance(LATE)
    bench.set_clock(seconds)
    submit(bench)
    bench.advance(LATE)
    answer = bench.client().call("get_master", "series", 3_600)
    (first, at, _), (second, later, _) = answer["rows"]
    assert second - first <= 2
    assert at < later <= answer["now"]


def test_there_are_never_more_points_than_places(bench: Bench) -> None:
    fine = RESOLUTIONS[0]
    for _ in range(fine.points + 40):
        submit(bench)
        bench.now = bench.now._replace(wall=bench.now.wall + STEP_MS, mono=bench.now.mono + STEP_MS)
    bench.advance(LATE)
    [[rows]] = bench.engine.store._db.execute("SELECT count(*) FROM series WHERE step = ?", (fine.step_ms,))
    assert rows == fine.points


def test_a_transaction_that_fails_leaves_no_point_and_the_next_one_is_written(bench: Bench) -> None:
    def refuse() -> None:
        raise StoreError("the disk is full")

    submit(bench)
    bench.now = bench.now._replace(wall=bench.now.wall + 16_000, mono=bench.now.mono + 16_000)
    bench.step(commit=refuse)
    bench.advance(60)
    submit(bench, 4)
    bench.advance(LATE)
    assert points(bench)[-1].submitted == 4


def test_with_metrics_both_are_counted(bench: Bench) -> None:
    meters = count(bench.engine)
    submit(bench, 3)
    bench.advance(LATE)
    assert meters.submitted["q", "m:f"] == points(bench)[0].submitted == 3


def test_a_key_of_some_queues_and_a_range_that_is_none_are_refused(bench: Bench) -> None:
    with pytest.raises(Forbidden, match="all queues"):
        bench.client(queues=("mail",)).call("get_master", "series", 900)
    given: list[Any] = [0, -1, 1e12, "900", None, True]
    for one in given:
        with pytest.raises(InvalidArgument):
            bench.client().call("get_master", "series", one)
