"""The jobs that no child has: their order, suspects, how many more are leased, and what is given back."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from tq.worker.agent.backlog import LEASE_CALLS_MAX, Backlog
from tq.worker.agent.jobs import Job
from tq.worker.agent.task_durations import LONG_SECONDS, TaskDurations

from ..workshop import SHORT, Workshop


def job(number: int, name: str = "m:f", *, attempt: int = 1, suspect: bool = False) -> Job:
    return Job(bytes([number]) * 16, attempt, b"lease", "q", name, None, b"payload", suspect)


@pytest.fixture
def shop() -> Workshop:
    """The effects of a worker that has leased nothing yet."""
    shop = Workshop(connected=False)
    shop.leases.clear()
    return shop


def backlog(shop: Workshop, jobs: Iterable[Job] = (), *, seconds: float | None = None) -> Backlog:
    """``seconds``: how long tasks take, if that is known."""
    durations = TaskDurations()
    if seconds is not None:
        durations.record("m:f", seconds)
    made = Backlog(shop, durations)
    made.waiting.extend(jobs)
    return made


def test_jobs_of_one_name_leave_together_and_a_suspect_never_with_others(shop: Workshop) -> None:
    first, second, other, suspect = job(1), job(2), job(3, "m:g"), job(4, "m:g", suspect=True)
    waiting = backlog(shop, [first, second, other, suspect])
    assert waiting.next_block(10) == [first, second]
    assert waiting.next_block(10) == [other]
    assert waiting.jobs == [suspect]


def test_a_batch_is_no_larger_than_asked_for(shop: Workshop) -> None:
    waiting = backlog(shop, [job(number) for number in range(5)])
    assert len(waiting.next_block(3)) == 3
    assert len(waiting) == 2


def test_jobs_that_are_put_back_run_before_the_others_in_their_own_order(shop: Workshop) -> None:
    first, second, third = job(1), job(2), job(3)
    waiting = backlog(shop, [third])
    waiting.put_back([first, second])
    assert waiting.jobs == [first, second, third]


def test_a_suspect_that_was_announced_on_a_lost_connection_waits_first_again(shop: Workshop) -> None:
    suspect, other = job(1, suspect=True), job(2)
    waiting = backlog(shop, [suspect, other])
    waiting.announce()
    assert (list(shop.starts), list(waiting.waiting)) == ([[suspect.id]], [other])
    waiting.connected()
    assert (list(waiting.waiting), waiting.announced) == ([suspect, other], {})


def test_only_the_attempt_that_is_named_is_taken(shop: Workshop) -> None:
    first, again = job(1), job(1, attempt=2)
    waiting = backlog(shop, [first, again])
    assert waiting.take(again.key) == [again]
    assert waiting.take(again.key) == []
    assert waiting.jobs == [first]


def test_an_announced_suspect_is_taken_as_well(shop: Workshop) -> None:
    suspect = job(1, suspect=True)
    waiting = backlog(shop, [suspect])
    waiting.announce()
    assert waiting.take(suspect.key) == [suspect]
    assert len(waiting) == 0


def test_one_task_a_slot_is_leased_while_nothing_is_known_of_durations(shop: Workshop) -> None:
    backlog(shop).lease_more(children=4, jobs_of_children=1)
    assert list(shop.leases) == [3]


def test_short_tasks_are_leased_in_two_calls_and_no_more_until_one_is_answered(shop: Workshop) -> None:
    waiting = backlog(shop, seconds=SHORT)
    for _ in range(3):
        waiting.lease_more(children=2, jobs_of_children=0)
    assert len(shop.leases) == LEASE_CALLS_MAX
    waiting.lease_answered()
    waiting.lease_more(children=2, jobs_of_children=0)
    assert len(shop.leases) == LEASE_CALLS_MAX + 1


def test_what_is_too_much_for_long_is_given_back_from_the_end(shop: Workshop) -> None:
    jobs = [job(number) for number in range(5)]
    waiting = backlog(shop, jobs, seconds=10 * LONG_SECONDS)  # one task a slot is enough
    assert waiting.take_surplus(2, 0, True, now=0.0) == []
    assert waiting.take_surplus(2, 0, True, now=LONG_SECONDS / 2) == []
    assert waiting.take_surplus(2, 0, True, now=2 * LONG_SECONDS) == jobs[:1:-1]
    assert waiting.jobs == jobs[:2]
