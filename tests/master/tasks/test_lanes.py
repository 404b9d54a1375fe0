"""What workers are given of tasks that stand in lanes."""

from __future__ import annotations

from tq.master.tasks.route import LaneKey

from ..conftest import Bench
from ..in_lanes import leased, submit

A, B = (LaneKey(limits=(("lifted", key, 1),)) for key in "ab")


def test_tasks_of_all_lanes_are_given_by_priority_and_then_by_age(bench: Bench) -> None:
    first, second = submit(bench, A), submit(bench, LaneKey())
    third, urgent = submit(bench, B), submit(bench, A, priority=5)
    worker = bench.worker("m:f", slots=9)
    assert leased(worker, 9) == urgent + first + second + third


def test_no_more_lanes_are_looked_at_than_tasks_are_wanted(bench: Bench) -> None:
    ids = [submit(bench, LaneKey(limits=(("lifted", str(number), 1),)))[0] for number in range(40)]
    worker = bench.worker("m:f", slots=9)
    assert leased(worker, 2) == ids[:2]
    assert leased(worker, 3) == ids[2:5]
    assert leased(worker, 100) == ids[5:37]  # of more lanes the store is asked by the next call
    assert leased(worker, 100) == ids[37:]
