"""Jobs on their way back; above all one that is taken back in the moment in which its child comes to it."""

from __future__ import annotations

import pytest
from tq.worker.agent.task_durations import LONG_SECONDS
from tq.worker.child.start_page import TAKEN

from ..workshop import Workshop


def come_to(shop: Workshop) -> bytes:
    """A child has begun one job and come to the next, which waits behind nothing."""
    shop.warm_up()
    shop.grant(3)
    shop.run(1)
    return shop.sims[1].come_to().id


def leave(shop: Workshop) -> None:
    assert not shop.sims[1].go_on()
    shop.report(1)


def test_a_job_that_was_left_is_run_by_another_child() -> None:
    shop = Workshop(slots=2)
    id = come_to(shop)
    shop.wait(2 * LONG_SECONDS)  # it looks like a long one: what is behind it is taken back
    assert shop.sims[1].between is not None
    leave(shop)
    assert id in [job.id for job in shop.jobs]
    ran = set()
    while any(sim.unstarted for sim in shop.sims.values()):
        for child, sim in shop.sims.items():
            if sim.unstarted:
                ran.add(shop.run(child))
    assert id in ran


def test_a_job_that_was_left_does_not_count_for_its_child() -> None:
    shop = Workshop(slots=1, max_tasks_per_child=100)
    come_to(shop)
    shop.agent.drain(shop.now)
    leave(shop)
    assert shop.agent.children[1].jobs_given == 4


def test_a_job_that_was_left_while_it_was_cancelled_is_handed_back_and_not_run() -> None:
    shop = Workshop(slots=1)
    id = come_to(shop)
    shop.agent.cancel(id, 1, shop.now)
    leave(shop)
    assert [row[0] for row in shop.released] == [id]
    assert shop.agent.children[1].ending == ""
    assert all(job.id != id for job in shop.jobs)


def test_a_job_that_was_left_while_the_worker_drains_is_handed_back() -> None:
    shop = Workshop(slots=1)
    id = come_to(shop)
    shop.agent.drain(shop.now)
    assert id not in [row[0] for row in shop.released]
    leave(shop)
    assert id in [row[0] for row in shop.released]
    assert not shop.agent.children.busy


def test_a_job_that_was_left_while_its_lease_was_lost_is_forgotten() -> None:
    shop = Workshop(slots=1)
    id = come_to(shop)
    shop.cut()
    shop.agent.connect([id], shop.now)
    leave(shop)
    assert all(job.id != id for job in shop.jobs)
    assert shop.released == []


@pytest.mark.parametrize("is_lost", [True, False])
def test_an_unwanted_job_that_was_left_is_not_put_back_by_who_looks_before_that_is_reported(
    is_lost: bool,
) -> None:
    """The page says already that the child has not begun it, and jobs are taken back once more."""
    shop = Workshop(slots=1)
    id = come_to(shop)
    if is_lost:
        shop.cut()
        shop.agent.connect([id], shop.now)
    else:
        shop.agent.cancel(id, 1, shop.now)
    assert not shop.sims[1].go_on()
    shop.agent.drain(shop.now)
    assert [row[0] for row in shop.released].count(id) == (0 if is_lost else 1)
    shop.report(1)
    assert all(job.id != id for job in shop.jobs)
    assert [row[0] for row in shop.released].count(id) == (0 if is_lost else 1)


def test_a_job_that_was_taken_back_is_not_put_back_twice() -> None:
    """The child reports it as left, and the supervisor has seen before that it had not begun it."""
    shop = Workshop(slots=1)
    id = come_to(shop)
    sim = shop.sims[1]
    sim.words[TAKEN] = sim.last_sent  # the first half of taking back
    assert not sim.go_on()
    shop.agent.drain(shop.now)
    shop.report(1)
    assert [row[0] for row in shop.released].count(id) == 1


def test_short_tasks_do_not_wait_for_tasks_that_are_known_to_be_long() -> None:
    shop = Workshop()
    shop.agent.durations.record("m:long", 60.0)
    shop.warm_up(count=80)
    shop.grant(2, name="m:long")
    ids = shop.grant(20)
    for child in (1, 2):
        shop.begin(child)
    shop.wait(4 * LONG_SECONDS)
    assert {row[0] for row in shop.released} == set(ids)


def test_short_tasks_are_kept_while_a_slot_runs_them() -> None:
    shop = Workshop()
    shop.agent.durations.record("m:long", 60.0)
    shop.warm_up(count=80)
    shop.grant(1, name="m:long")
    [long] = [number for number, sim in shop.sims.items() if sim.unstarted]
    shop.begin(long)
    shop.grant(20)
    for _ in range(10):
        shop.run(3 - long)
        shop.wait(LONG_SECONDS / 2)
    assert not shop.released
