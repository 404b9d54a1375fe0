"""Children that run many jobs at a time: what they are sent, how each job ends, and what becomes of the others when one does not."""

from __future__ import annotations

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import OutcomeNumber
from tq.worker.agent.concurrent_child import SUSPECTS_MAX
from tq.worker.agent.jobs import Death

from ..workshop import KILL_GRACE_SECONDS, Workshop, failure_of, outcome_of

BLOCK_SECONDS = 5.0  # the default


def shop_of(places: int, children: int = 1) -> Workshop:
    return Workshop(children, places_each=places)


def test_a_child_is_sent_as_many_jobs_as_it_has_places_and_one_more_for_each_that_ends() -> None:
    shop = shop_of(places=3)
    assert list(shop.leases) == [3]
    shop.grant(3)
    first, second, third = shop.begin_all(1)
    shop.end(1, second)
    assert list(shop.leases) == [1]
    shop.grant(1)
    assert len(shop.begin_all(1)) == 1
    assert len(shop.sims[1].jobs) == 3
    shop.end(1, third, first)
    assert not any(action == "child.distrusted" for action, _ in shop.reports)


def test_jobs_of_one_run_end_in_any_order_and_what_is_left_is_still_held() -> None:
    shop = shop_of(places=5)
    ids = shop.grant(5)
    ordinals = shop.begin_all(1)
    shop.end(1, ordinals[3], ordinals[1], ordinals[4])
    assert [job.id for job in shop.jobs] == [ids[0], ids[2]]
    [row_of_first, row_of_third] = [row for row in shop.agent.held_with_seconds(shop.now) if len(row) == 4][
        :2
    ]
    assert row_of_first[0] != row_of_third[0]


def test_a_report_of_a_job_that_it_does_not_have_costs_the_child_its_trust() -> None:
    shop = shop_of(places=2)
    shop.grant(1)
    [ordinal] = shop.begin_all(1)
    shop.end(1, ordinal)
    shop.sims[1].jobs[ordinal] = None  # type: ignore[assignment]  # it reports it once more
    shop.end(1, ordinal)
    assert shop.has("child.distrusted")
    assert shop.signals == [(1, True)]


def test_jobs_are_spread_over_the_children_of_the_pool() -> None:
    shop = shop_of(places=10, children=2)
    shop.grant(10)
    assert [len(sim.jobs) for sim in shop.sims.values()] == [5, 5]


def test_only_the_job_that_reached_its_limit_is_asked_to_end() -> None:
    shop = shop_of(places=3)
    shop.grant(1, timeout=1.0)
    shop.grant(1)
    limited, free = shop.begin_all(1)
    shop.wait(1.1)
    assert shop.notices == [(1, limited, "timeout")]
    shop.end(1, limited, outcome=OutcomeNumber.TIMEOUT)
    shop.end(1, free)
    assert not shop.replaced


def test_a_job_that_does_not_end_at_its_hard_limit_is_given_up_and_its_child_is_drained_and_replaced() -> (
    None
):
    shop = shop_of(places=3)
    shop.grant(1, timeout=1.0)
    shop.grant(2)
    stuck, other, third = shop.begin_all(1)
    shop.wait(1.1 + KILL_GRACE_SECONDS)
    [row] = shop.acknowledge()
    assert outcome_of(row) == OutcomeNumber.TIMEOUT
    assert failure_of(row).traceback == f"the stack of job {stuck}"
    assert shop.replaced == [1]
    assert shop.signals == []  # the others go on
    assert not shop.leases  # it gets no more
    shop.hire(2)
    shop.grant(1)
    assert len(shop.sims[2].jobs) == 1
    shop.end(1, other, third)
    assert shop.retired == [1]
    shop.end(1, stuck)  # too late: it is ignored
    assert not shop.has("child.distrusted")
    assert len(shop.acknowledge()) == 2


def test_a_cancel_reaches_the_job_of_this_task_and_no_other() -> None:
    shop = shop_of(places=3)
    ids = shop.grant(3)
    ordinals = shop.begin_all(1)
    shop.agent.cancel(ids[1], 1, shop.now)
    assert shop.notices == [(1, ordinals[1], "cancel")]


def test_what_was_sent_and_not_begun_is_taken_back_by_a_drain_and_the_rest_finishes() -> None:
    shop = shop_of(places=3)
    ids = shop.grant(3)
    sim = shop.sims[1]
    assert sim.page.begin(sim.unstarted.popleft())
    shop.agent.drain(shop.now)
    assert [row[0] for row in shop.released] == ids[1:]
    assert not shop.agent.idle
    shop.end(1, 1)
    shop.acknowledge()
    assert shop.agent.idle


def test_when_it_dies_in_code_of_one_job_that_one_is_charged_and_the_others_are_handed_back() -> None:
    shop = shop_of(places=3)
    ids = shop.grant(3)
    ordinals = shop.begin_all(1)
    shop.agent.child_died(1, Death(-11, holder=ordinals[1]), ordinals[-1], shop.now)
    [row] = shop.acknowledge()
    assert (row[0], outcome_of(row)) == (ids[1], OutcomeNumber.CRASH)
    assert [row[0] for row in shop.released_begun] == [ids[0], ids[2]]


def test_when_it_dies_and_nobody_knows_in_whose_code_each_is_charged() -> None:
    shop = shop_of(places=3)
    ids = shop.grant(3)
    ordinals = shop.begin_all(1)
    shop.agent.child_died(1, Death(-9), ordinals[-1], shop.now)
    rows = shop.acknowledge()
    assert [row[0] for row in rows] == ids
    assert {outcome_of(row) for row in rows} == {OutcomeNumber.CRASH}
    assert "3 tasks ran in it, and which of them it was is not known" in failure_of(rows[0]).message


def test_what_a_dead_child_had_not_begun_goes_to_the_next_one_uncharged() -> None:
    shop = shop_of(places=2)
    shop.grant(2)
    sim = shop.sims[1]
    assert sim.page.begin(sim.unstarted.popleft())
    shop.agent.child_died(1, Death(-9), 1, shop.now)
    assert len(shop.acknowledge()) == 1
    shop.hire(2)
    assert len(shop.sims[2].jobs) == 1


def test_of_suspects_only_some_run_in_a_child_at_a_time() -> None:
    shop = shop_of(places=100)
    shop.grant(shop.tasks(50, suspect=True))
    announced = [id for ids in shop.starts for id in ids]
    assert len(announced) == SUSPECTS_MAX
    shop.agent.may_start(announced, shop.now)
    ordinals = shop.begin_all(1)
    assert len(ordinals) == SUSPECTS_MAX
    shop.starts.clear()
    shop.end(1, ordinals[0])
    assert len(shop.starts) == 1


def test_a_blocked_loop_is_found_and_named_and_its_child_drained_around_it() -> None:
    shop = shop_of(places=3)
    shop.grant(3)
    ordinals = shop.begin_all(1)
    shop.stand_still(1, ordinals[1])
    shop.wait(BLOCK_SECONDS + 0.2)
    assert shop.dumped == [1]
    assert shop.replaced == [1]
    [fields] = [fields for action, fields in shop.reports if action == "loop.blocked"]
    assert fields["name"] == "m:f"
    assert fields["stack"] == f"the stack of job {ordinals[1]}"
    del shop.beats[1]  # it goes on after all
    shop.wait(KILL_GRACE_SECONDS + 1)
    assert shop.signals == []
    shop.end(1, *ordinals)
    assert shop.retired == [1]


def test_a_loop_that_stays_blocked_costs_the_job_that_blocks_it_and_the_others_are_handed_back() -> None:
    shop = shop_of(places=3)
    ids = shop.grant(3)
    ordinals = shop.begin_all(1)
    shop.stand_still(1, ordinals[1])
    shop.wait(BLOCK_SECONDS + KILL_GRACE_SECONDS + 0.2)
    assert shop.signals == [(1, True)]
    shop.agent.child_died(1, Death(-9, is_ours=True), ordinals[-1], shop.now)
    [row] = shop.acknowledge()
    assert (row[0], outcome_of(row)) == (ids[1], OutcomeNumber.ERROR)
    assert failure_of(row).type == "LoopBlocked"
    assert [row[0] for row in shop.released_begun] == [ids[0], ids[2]]


def test_a_job_that_blocks_its_loop_alone_is_not_killed_for_that() -> None:
    shop = shop_of(places=3)
    shop.grant(1)
    [ordinal] = shop.begin_all(1)
    shop.stand_still(1, ordinal)
    shop.wait(BLOCK_SECONDS + 2 * KILL_GRACE_SECONDS)
    assert shop.signals == []


def test_code_that_does_not_give_the_loop_back_is_struck_at_its_limit() -> None:
    shop = shop_of(places=3)
    shop.grant(1, timeout=1.0)
    [ordinal] = shop.begin_all(1)
    shop.wait(0.9)
    shop.stand_still(1, ordinal)
    shop.wait(1.0)
    assert (1, ordinal, "strike") in shop.notices


@pytest.mark.parametrize(("size_mib", "is_killed"), [(90, False), (150, False), (250, True)])
def test_a_child_that_is_too_large_gets_no_more_and_is_killed_when_it_is_far_too_large(
    size_mib: int, is_killed: bool
) -> None:
    shop = Workshop(1, places_each=3, max_memory_per_child=100 * 2**20)
    shop.grant(2)
    shop.begin_all(1)
    shop.agent.measured({1: size_mib * 2**20}, shop.now)
    assert shop.replaced == ([1] if size_mib > 100 else [])
    assert shop.signals == ([(1, True)] if is_killed else [])


def test_a_child_that_has_run_as_many_as_it_may_is_replaced_while_the_last_ones_run() -> None:
    shop = Workshop(1, places_each=3, max_tasks_per_child=2)
    shop.grant(3)
    ordinals = shop.begin_all(1)
    assert len(ordinals) == 2
    assert shop.replaced == [1]
    shop.hire(2)
    assert len(shop.sims[2].jobs) == 1
    shop.end(1, *ordinals)
    assert shop.retired == [1]


def test_a_job_that_waits_for_others_takes_no_place_meanwhile() -> None:
    shop = shop_of(places=1)
    shop.grant(1)
    [waiting] = shop.begin_all(1)
    assert not shop.leases
    wanted = shop.jobs[0]
    assert shop.agent.lending.waits(1, 7, waiting, [shop_run(wanted.id)], shop.now)
    assert list(shop.leases) == [1]
    shop.grant(1)
    [other] = shop.begin_all(1)
    shop.end(1, other)
    shop.agent.lending.woke(1, 7, shop.now)
    shop.end(1, waiting)
    assert not shop.has("child.distrusted")


def test_more_waits_than_there_may_be_are_refused() -> None:
    shop = Workshop(1, places_each=1, lent_children=1)
    for number in (1, 2):
        shop.grant(1)
        ordinal = shop.begin_all(1)[0]
        shop.agent.lending.waits(1, number, ordinal, [shop_run(bytes(16))], shop.now)
    [(child, wait, why)] = shop.refused
    assert (child, wait) == (1, 2)
    assert "--lent-children" in why


def shop_run(id: bytes) -> IdRun:
    return IdRun(id, 1)
