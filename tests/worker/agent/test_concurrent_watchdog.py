"""How a job of many is ended, and what becomes of a child whose loop stands still."""

from __future__ import annotations

import pytest
from tq.common.domain.model import OutcomeNumber
from tq.worker.agent.concurrent_watchdog import BLOCK_SECONDS

from ..workshop import KILL_GRACE_SECONDS, Workshop, failure_of, outcome_of


def shop_of(places: int, children: int = 1) -> Workshop:
    return Workshop(children, places=places)


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


def test_a_loop_that_has_no_processor_is_not_taken_for_a_blocked_one() -> None:
    shop = shop_of(places=3)
    shop.grant(3)
    ordinals = shop.begin_all(1)
    shop.starved_share = 0.9
    shop.wait(0.2)
    shop.stand_still(1, ordinals[1])
    shop.wait(9 * BLOCK_SECONDS)
    assert not shop.has("loop.blocked")
    assert shop.replaced == shop.signals == []
    shop.wait(2 * BLOCK_SECONDS)  # it has had a processor for five seconds by now
    assert shop.has("loop.blocked")
    assert shop.replaced == [1]


def test_a_loop_that_waits_for_threads_of_its_own_is_logged_once_and_is_not_taken_for_a_blocked_one() -> None:
    shop = shop_of(places=3)
    shop.grant(3)
    ordinals = shop.begin_all(1)
    shop.own_threads_share = 0.9
    shop.wait(0.2)
    shop.stand_still(1, ordinals[1])
    shop.wait(9 * BLOCK_SECONDS)
    assert not shop.has("loop.blocked")
    assert shop.replaced == shop.signals == []
    [fields] = [fields for action, fields in shop.reports if action == "loop.starved"]
    assert fields["tasks"] == 3


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
    shop = Workshop(1, places=3, max_memory_per_child=100 * 2**20)
    shop.grant(2)
    shop.begin_all(1)
    shop.agent.measured({1: size_mib * 2**20}, shop.now)
    assert shop.replaced == ([1] if size_mib > 100 else [])
    assert shop.signals == ([(1, True)] if is_killed else [])
