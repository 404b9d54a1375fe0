"""Which child may take a job, when one is replaced, and which job one is at."""

from __future__ import annotations

import pytest
from tq.worker.agent.children import Children
from tq.worker.agent.effects import ChildState
from tq.worker.agent.runs import JobRun
from tq.worker.agent.task_durations import TaskDurations

from ..workshop import LONG, SHORT, Workshop

NOW = 1_000.0


def run(first: int, count: int = 1, *, suspect: bool = False) -> JobRun:
    return JobRun(first.to_bytes(16, "big"), 1, b"lease", "q", "m:f", None, [b"payload"] * count, suspect)


@pytest.fixture
def shop() -> Workshop:
    return Workshop(connected=False)


def children(shop: Workshop, *, seconds: float = SHORT, max_tasks: int = 0) -> Children:
    """Two that are ready, for tasks that take so many seconds."""
    durations = TaskDurations()
    durations.record("m:f", seconds)
    made = Children(shop, durations, max_tasks)
    made.update({number: ChildState(number, ready=True) for number in (1, 2)})
    return made


def test_an_idle_child_is_taken_first_and_then_the_one_with_the_least_jobs(shop: Workshop) -> None:
    two = children(shop)
    two.send(two[1], [run(1, 2)], NOW)
    assert two.free_for(run(3), reserved=0) is two[2]
    two.send(two[2], [run(3)], NOW)
    assert two.free_for(run(4), reserved=0) is two[2]


def test_no_job_waits_in_a_child_behind_a_long_one(shop: Workshop) -> None:
    two = children(shop, seconds=LONG)
    for number in (1, 2):
        two.send(two[number], [run(number)], NOW)
    assert two.free_for(run(3), reserved=0) is None


def test_a_suspect_gets_an_idle_child_only(shop: Workshop) -> None:
    two = children(shop)
    for number in (1, 2):
        two.send(two[number], [run(number)], NOW)
    assert two.free_for(run(3), reserved=0) is not None
    assert two.free_for(run(3, suspect=True), reserved=0) is None


def test_as_many_idle_children_are_kept_free_as_suspects_are_announced(shop: Workshop) -> None:
    two = children(shop)
    assert two.free_for(run(1), reserved=1) is two[2]
    assert two.free_for(run(1), reserved=2) is None


def test_a_child_that_has_had_all_its_tasks_is_replaced_when_it_has_none(shop: Workshop) -> None:
    two = children(shop, max_tasks=2)
    assert two.batch_size(two[1], "m:f", waiting=9) == 2
    two.send(two[1], [run(1, 2)], NOW)
    assert two.is_used_up(two[1])
    two.retire_if_due(two[1])
    assert (shop.retired, two[1].ready) == ([], True)
    two[1].jobs.take_all()
    shop.take_back(1)
    two.retire_if_due(two[1])
    assert (shop.retired, two[1].ready, two[2].ready) == ([1], False, True)


def test_every_job_has_an_ordinal_of_its_own_over_all_children(shop: Workshop) -> None:
    two = children(shop)
    two.send(two[1], [run(1, 2)], NOW)
    two.send(two[2], [run(3)], NOW)
    assert [(one.ordinal, len(one)) for one in two.runs] == [(1, 2), (3, 1)]
    assert two.jobs_count == 3


def test_of_many_short_jobs_a_child_gets_its_share_and_of_few_all_that_make_a_batch(shop: Workshop) -> None:
    two = children(shop, seconds=1e-6)
    sizes = {waiting: two.batch_size(two[1], "m:f", waiting) for waiting in (1, 300, 701, 5_000)}
    assert sizes == {1: 256, 300: 256, 701: 351, 5_000: 1_000}
    assert children(shop, seconds=0.001).batch_size(two[1], "m:f", waiting=5_000) == 5
