"""Tasks that wait for other tasks inside themselves, and the children that their slots are lent to."""

from __future__ import annotations

from tq.common.domain.id_runs import IdRun
from tq.worker.agent.lending import BOUND_SECONDS, IDLE_SECONDS, TURN_SECONDS

from ..workshop import Workshop

WAIT = 1


def waits(shop: Workshop, child: int, *ids: bytes) -> None:
    """What this child runs waits for these."""
    running = shop.sims[child].running
    assert running is not None
    assert shop.agent.lending.waits(child, WAIT, running.ordinal, [IdRun(id, 1) for id in ids], shop.now)


def wakes(shop: Workshop, child: int) -> None:
    shop.agent.lending.woke(child, WAIT, shop.now)


def lend(shop: Workshop, count: int = 1, *, suspect: bool = False) -> list[bytes]:
    """Answer the oldest call for what is waited for, with so many tasks."""
    token, _, _, want = shop.lends.popleft()
    assert want > 0
    entries = shop.tasks(count, suspect=suspect)
    groups = [["q", "m:f", None, [[id, attempt, payload, *rest] for id, attempt, payload, *rest in entries]]]
    shop.agent.lending.lent(token, b"lent", groups, shop.now)
    return [entry[0] for entry in entries]


def sleeping(slots: int = 1, **limits: int) -> Workshop:
    """A worker whose first child runs a task that waits for another one, which is at the master."""
    shop = Workshop(slots, **limits)
    shop.grant()
    shop.begin(1)
    waits(shop, 1, b"w" * 16)
    return shop


def test_what_is_waited_for_is_leased_and_run_by_a_child_that_is_started_for_it() -> None:
    shop = sleeping()
    [(_, waiter, runs, want)] = shop.lends
    assert (waiter, runs, want) == (shop.jobs[0].id, [IdRun(b"w" * 16, 1)], 1)
    assert shop.lent_started == 0, "nothing is started before there is something to run"
    [id] = lend(shop)
    assert shop.lent_started == 1
    lent = shop.hire(is_lent=True)
    assert shop.run(lent) == id
    assert [row[0] for row in shop.acknowledge()] == [id]
    wakes(shop, 1)
    shop.sims[1].end()
    shop.report(1)
    assert [row[0] for row in shop.acknowledge()] == [waiter]


def test_what_waits_in_the_worker_behind_the_one_that_waits_for_it_is_found_there() -> None:
    shop = Workshop(slots=1)
    shop.warm_up()
    first, second, third = shop.grant(3)
    assert shop.begin(1) == first
    waits(shop, 1, third)
    assert shop.lent_started == 1
    lent = shop.hire(is_lent=True)
    assert [job.id for job in shop.sims[lent].jobs.values()] == [third]
    assert second in [job.id for job in shop.jobs], "what is not waited for stays where it is"


def test_of_the_tasks_that_wait_the_last_one_comes_first() -> None:
    shop = sleeping()
    lend(shop, 3)
    lent = shop.hire(is_lent=True)
    shop.begin(lent)
    waits(shop, lent, b"x" * 16)
    shop.wait(TURN_SECONDS / 2)
    assert shop.lent_started == 1, (
        "the others that the first task waits for do not take the slot of the last one"
    )
    [deep] = lend(shop)
    assert shop.lent_started == 2
    assert shop.run(shop.hire(is_lent=True)) == deep


def test_at_the_bound_the_last_one_is_refused_when_what_it_waits_for_is_ready_and_stays_so() -> None:
    shop = sleeping(lent_children=0)
    token, _, _, want = shop.lends.popleft()
    assert want == 0, "nothing is leased that could not be run"
    shop.agent.lending.lent(token, b"", [], shop.now)
    shop.wait(BOUND_SECONDS / 2)
    assert not shop.lends
    assert not shop.refused
    shop.wait(BOUND_SECONDS)
    token, *_ = shop.lends.popleft()
    shop.agent.lending.lent(token, b"", [], shop.now)
    [(child, wait, why)] = shop.refused
    assert (child, wait) == (1, WAIT)
    assert "Return the handle, or give it to the task that needs the result" in why


def test_at_the_bound_a_task_waits_on_for_what_another_worker_has_begun_meanwhile() -> None:
    shop = sleeping(lent_children=0)
    token, *_ = shop.lends.popleft()
    shop.agent.lending.lent(token, b"", [], shop.now)
    shop.wait(2 * BOUND_SECONDS)
    assert len(shop.lends) == 1
    shop.wait(10.0)
    assert not shop.refused


def test_a_task_that_goes_on_takes_its_slot_back_at_once_and_nothing_is_lost() -> None:
    shop = sleeping()
    ids = lend(shop, 3)
    wakes(shop, 1)
    assert shop.lends[-1][2] == [], "the master learns that it waits no longer"
    shop.hire(is_lent=True)
    assert not any(sim.unstarted for sim in shop.sims.values()), "no slot is lent any more"
    assert set(ids) <= {job.id for job in shop.jobs}
    shop.sims[1].end()
    shop.report(1)
    assert set(ids) & {job.id for job in shop.sims[1].jobs.values()}


def test_a_task_that_dies_while_its_slot_is_lent_leaves_what_it_waited_for_to_others() -> None:
    shop = sleeping()
    first, second = lend(shop, 2)
    lent = shop.hire(is_lent=True)
    assert shop.begin(lent) == first
    shop.die(1)
    shop.hire()
    assert second in [job.id for job in shop.jobs]
    shop.sims[lent].end()
    shop.report(lent)
    assert not shop.agent.lending.sleepers


def test_an_ended_task_whose_thread_still_waits_lends_no_slot() -> None:
    shop = sleeping()
    shop.sims[1].end()
    shop.report(1)
    assert not shop.agent.lending.sleepers
    assert not shop.agent.children[1].is_asleep


def test_a_wait_of_a_task_that_is_over_is_none() -> None:
    shop = Workshop(slots=1)
    assert not shop.agent.lending.waits(1, WAIT, 7, [IdRun(b"w" * 16, 1)], shop.now)


def test_a_worker_that_drains_still_runs_what_its_running_task_waits_for() -> None:
    shop = sleeping()
    shop.agent.drain(shop.now)
    [id] = lend(shop)
    assert shop.run(shop.hire(is_lent=True)) == id
    wakes(shop, 1)
    shop.sims[1].end()
    shop.report(1)
    assert not shop.agent.children.busy


def test_a_lent_child_that_has_run_as_many_tasks_as_it_may_is_replaced_also_while_its_worker_drains() -> None:
    shop = sleeping(max_tasks_per_child=1)
    shop.agent.drain(shop.now)
    first, second = lend(shop, 2)
    lent = shop.hire(is_lent=True)
    assert shop.run(lent) == first
    assert shop.retired == [lent]
    assert shop.run(shop.hire(is_lent=True)) == second


def test_what_came_too_late_for_the_wait_is_as_any_other_task() -> None:
    shop = sleeping()
    token, *_ = shop.lends[0]
    wakes(shop, 1)
    entries = shop.tasks(1)
    shop.agent.lending.lent(token, b"lent", [["q", "m:f", None, entries]], shop.now)
    shop.sims[1].end()
    shop.report(1)
    assert [job.id for job in shop.sims[1].jobs.values()] == [entries[0][0]]


def test_a_suspect_that_is_waited_for_is_announced_before_a_lent_child_runs_it() -> None:
    shop = sleeping()
    [id] = lend(shop, suspect=True)
    lent = shop.hire(is_lent=True)
    assert list(shop.starts) == [[id]]
    assert not shop.sims[lent].unstarted
    shop.agent.may_start(shop.starts.popleft(), shop.now)
    assert shop.run(lent) == id


def test_a_new_connection_is_asked_again() -> None:
    shop = sleeping()
    shop.lends.clear()
    shop.cut()
    shop.agent.connect([], shop.now)
    assert [call[2] for call in shop.lends] == [[IdRun(b"w" * 16, 1)]]


def test_a_lent_child_without_a_job_is_kept_for_the_next_wait_and_then_ended() -> None:
    shop = sleeping()
    lend(shop)
    lent = shop.hire(is_lent=True)
    shop.run(lent)
    wakes(shop, 1)
    shop.wait(IDLE_SECONDS / 2)
    assert not shop.retired
    shop.lends.clear()
    waits(shop, 1, b"x" * 16)
    lend(shop)
    assert shop.lent_started == 1
    shop.run(lent)
    shop.wait(IDLE_SECONDS + 1)
    assert shop.retired == [lent]


def test_a_lent_child_that_could_not_be_started_is_tried_again() -> None:
    shop = sleeping()
    lend(shop)
    shop.agent.lending.not_started(shop.now)
    assert shop.lent_started == 2


def test_while_all_tasks_wait_no_other_work_is_leased_and_what_waits_goes_back() -> None:
    shop = Workshop(slots=1)
    shop.warm_up()
    granted = shop.grant(5)
    shop.begin(1)
    shop.leases.clear()
    waits(shop, 1, b"w" * 16)
    shop.wait(1.0)
    assert {row[0] for row in shop.released} == set(granted[1:])
    assert not shop.leases
