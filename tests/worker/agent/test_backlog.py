"""The jobs that no child has: their order, suspects, and what is given back."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from tq.worker.agent.backlog import Backlog
from tq.worker.agent.runs import JobRun
from tq.worker.agent.task_durations import LONG_SECONDS, TaskDurations

from ..workshop import Workshop

LEASE = b"lease"


def run(first: int, count: int = 1, *, attempt: int = 1, suspect: bool = False) -> JobRun:
    payloads = [b"payload"] * count
    return JobRun(first.to_bytes(16, "big"), attempt, LEASE, "q", "m:f", None, payloads, suspect)


def numbers(runs: Iterable[JobRun]) -> list[int]:
    return [int.from_bytes(id, "big") for one in runs for id in one.ids()]


@pytest.fixture
def shop() -> Workshop:
    """The effects of a worker that has leased nothing yet."""
    shop = Workshop(connected=False)
    shop.leases.clear()
    return shop


def backlog(shop: Workshop, runs: Iterable[JobRun] = (), *, seconds: float | None = None) -> Backlog:
    """``seconds``: how long tasks take, if that is known."""
    durations = TaskDurations()
    if seconds is not None:
        durations.record("m:f", seconds)
    made = Backlog(shop, durations)
    made.waiting.put(runs)
    return made


def test_jobs_that_are_put_back_run_before_the_others_in_their_own_order(shop: Workshop) -> None:
    waiting = backlog(shop, [run(5)])
    waiting.put_back([run(1, 2), run(9)])
    assert numbers(waiting.runs) == [1, 2, 9, 5]


def test_what_holds_a_permit_goes_before_what_does_not_and_behind_what_came_before_it_and_holds_one(
    shop: Workshop,
) -> None:
    waiting = backlog(shop, [run(1, 3)])
    waiting.put([run(10), permitted(11, 2), run(13)])
    waiting.put([permitted(20), run(21)])
    assert numbers(waiting.runs) == [11, 12, 20, 1, 2, 3, 10, 13, 21]
    [first] = waiting.waiting.take_first(1)
    assert first.is_permitted
    waiting.put_back([run(30)])
    waiting.put([permitted(40)])
    assert numbers(waiting.runs)[:4] == [40, 30, 12, 20]


def permitted(first: int, count: int = 1) -> JobRun:
    made = run(first, count)
    made.is_permitted = True
    return made


def test_a_suspect_that_was_announced_on_a_lost_connection_waits_first_again(shop: Workshop) -> None:
    suspect, other = run(1, suspect=True), run(2, 3)
    waiting = backlog(shop, [suspect, other])
    waiting.announce()
    assert (list(shop.starts), list(waiting.waiting)) == ([[suspect.id]], [other])
    waiting.connected(lambda _: True)
    assert (list(waiting.waiting), waiting.announced) == ([suspect, other], {})


def test_only_the_attempt_that_is_named_is_taken(shop: Workshop) -> None:
    waiting = backlog(shop, [run(1, 3), run(2, attempt=2)])
    key = run(2).id, 2
    [taken] = waiting.take(key)
    assert (taken.id, taken.attempt, len(taken)) == (*key, 1)
    assert waiting.take(key) == []
    assert numbers(waiting.take((run(2).id, 1))) == [2]
    assert numbers(waiting.runs) == [1, 3]


def test_an_announced_suspect_is_taken_as_well(shop: Workshop) -> None:
    suspect = run(1, suspect=True)
    waiting = backlog(shop, [suspect])
    waiting.announce()
    assert waiting.take((suspect.id, 1)) == [suspect]
    assert len(waiting) == 0


def test_what_is_too_much_for_long_is_given_back_from_the_end(shop: Workshop) -> None:
    waiting = backlog(shop, [run(0, 5)], seconds=10 * LONG_SECONDS)  # one task a slot is enough
    assert waiting.take_surplus(2, 0, True, now=0.0) == []
    assert waiting.take_surplus(2, 0, True, now=LONG_SECONDS / 2) == []
    assert numbers(waiting.take_surplus(2, 0, True, now=2 * LONG_SECONDS)) == [2, 3, 4]
    assert numbers(waiting.runs) == [0, 1]
