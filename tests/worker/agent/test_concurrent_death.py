"""What becomes of the jobs of a child that ran many of them and died."""

from __future__ import annotations

from tq.common.domain.model import OutcomeNumber
from tq.worker.agent.concurrent_watchdog import BLOCK_SECONDS
from tq.worker.agent.jobs import Death

from ..workshop import KILL_GRACE_SECONDS, Workshop, failure_of, outcome_of


def shop_of(places: int, children: int = 1) -> Workshop:
    return Workshop(children, places=places)


def test_when_it_dies_in_code_of_one_job_that_one_is_charged_and_the_others_are_handed_back() -> None:
    shop = shop_of(places=3)
    ids = shop.grant(3)
    ordinals = shop.begin_all(1)
    shop.agent.child_died(1, Death(-11, holder=ordinals[1]), ordinals[-1], shop.now)
    [row] = shop.acknowledge()
    assert (row[0], outcome_of(row)) == (ids[1], OutcomeNumber.CRASH)
    assert [row[0] for row in shop.released_begun] == [ids[0], ids[2]]


def test_when_it_dies_and_it_is_unknown_in_whose_code_each_is_charged() -> None:
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
