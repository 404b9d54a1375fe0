"""What becomes of the jobs of a child that ran many of them and died."""

from __future__ import annotations

from tq.common.domain.model import OutcomeNumber
from tq.worker.agent.concurrent_watchdog import BLOCK_SECONDS
from tq.worker.agent.jobs import Death

from ..workshop import KILL_GRACE_SECONDS, Row, Workshop, failure_of, outcome_of

RELEASED = OutcomeNumber.RELEASED


def shop_of(places: int, children: int = 1) -> Workshop:
    return Workshop(children, places=places)


def ends_of(rows: list[Row]) -> dict[bytes, OutcomeNumber]:
    return {row[0]: outcome_of(row) for row in rows}


def test_when_it_dies_in_code_of_one_job_that_one_is_charged_and_the_others_are_handed_back() -> None:
    shop = shop_of(places=3)
    ids = shop.grant(3)
    ordinals = shop.begin_all(1)
    shop.agent.child_died(1, Death(-11, holder=ordinals[1]), ordinals[-1], shop.now)
    rows = shop.acknowledge()
    assert ends_of(rows) == dict(zip(ids, (RELEASED, OutcomeNumber.CRASH, RELEASED), strict=True))
    assert failure_of(rows[0]).message == "another task that ran in its process has ended that process"


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
    rows = shop.acknowledge()
    assert ends_of(rows) == dict(zip(ids, (RELEASED, OutcomeNumber.ERROR, RELEASED), strict=True))
    assert failure_of(rows[1]).type == "LoopBlocked"


def test_one_that_was_given_up_and_still_blocks_the_loop_is_what_the_others_are_handed_back_for() -> None:
    shop = shop_of(places=3)
    ids = shop.grant(1, timeout=0.5)
    [blocker] = shop.begin_all(1)
    shop.leases.append(2)
    ids += shop.grant(2)
    others = shop.begin_all(1)
    shop.stand_still(1, blocker)
    shop.wait(BLOCK_SECONDS + KILL_GRACE_SECONDS + 1.0)
    [given_up] = shop.acknowledge()
    assert (given_up[0], outcome_of(given_up)) == (ids[0], OutcomeNumber.TIMEOUT)
    assert shop.signals == [(1, True)]
    shop.agent.child_died(1, Death(-9, is_ours=True, holder=blocker), others[-1], shop.now)
    assert ends_of(shop.acknowledge()) == dict.fromkeys(ids[1:], RELEASED)


def test_what_is_handed_back_without_a_connection_is_still_held_and_reported_on_the_next_one() -> None:
    shop = shop_of(places=2)
    ids = shop.grant(2)
    ordinals = shop.begin_all(1)
    shop.cut()
    shop.agent.child_died(1, Death(-11, holder=ordinals[0]), ordinals[-1], shop.now)
    assert [row[0] for row in shop.held] == ids
    assert not shop.finishing
    shop.agent.connect([], shop.now)
    assert ends_of(shop.finishing[0])[ids[1]] == RELEASED
    shop.cut()
    shop.agent.connect([], shop.now)
    assert ends_of(shop.acknowledge())[ids[1]] == RELEASED
    assert shop.agent.idle
