"""Time limits and cancellation: asked first, then made to, and never the neighbour."""

from __future__ import annotations

import pytest
from tq.common.domain.model import OutcomeNumber
from tq.worker.agent.watchdog import TICK_SECONDS

from ..workshop import KILL_GRACE_SECONDS, LEASE, SHORT, Workshop, failure_of, outcome_of

LIMIT = 2.0


@pytest.fixture
def shop() -> Workshop:
    return Workshop(slots=1)


def start(shop: Workshop, timeout: float | None = None) -> tuple[bytes, int]:
    """One job that runs; its id and ordinal."""
    [id] = shop.grant(1, timeout=timeout)
    shop.begin(1)
    running = shop.sims[1].running
    assert running is not None
    shop.wait(TICK_SECONDS)
    return id, running.ordinal


# time limits


def test_a_job_within_its_limit_is_left_alone(shop: Workshop) -> None:
    start(shop, LIMIT)
    shop.wait(LIMIT - 3 * TICK_SECONDS)
    assert shop.notices == []


def test_a_job_over_its_limit_is_notified_and_then_killed(shop: Workshop) -> None:
    id, ordinal = start(shop, LIMIT)
    shop.wait(LIMIT)
    assert shop.notices == [(1, ordinal, "timeout")]
    shop.wait(KILL_GRACE_SECONDS - 3 * TICK_SECONDS)
    assert shop.signals == []
    shop.wait(4 * TICK_SECONDS)
    assert shop.signals == [(1, True)]
    shop.die(1)
    [row] = shop.acknowledge()
    assert (row[0], outcome_of(row)) == (id, OutcomeNumber.TIMEOUT)
    assert "longer than its limit of 2 s and did not stop when asked" in failure_of(row).message


def test_a_job_without_a_limit_may_run_without_end(shop: Workshop) -> None:
    start(shop)
    shop.wait(60.0)
    assert shop.notices == []


def test_every_job_has_its_limit_to_itself(shop: Workshop) -> None:
    for _ in range(2):
        start(shop, LIMIT)
        shop.wait(LIMIT - 4 * TICK_SECONDS)
        shop.sims[1].end(seconds=LIMIT)
        shop.report(1)
        shop.acknowledge()
    assert shop.notices == []


def test_a_job_that_ends_in_its_grace_is_not_killed(shop: Workshop) -> None:
    id, _ = start(shop, LIMIT)
    shop.wait(LIMIT + KILL_GRACE_SECONDS / 2)
    shop.sims[1].end(OutcomeNumber.TIMEOUT)
    shop.report(1)
    shop.wait(10 * KILL_GRACE_SECONDS)
    assert shop.signals == []
    [row] = shop.acknowledge()
    assert (row[0], outcome_of(row)) == (id, OutcomeNumber.TIMEOUT)


def test_the_job_after_one_that_was_asked_to_end_is_left_alone(shop: Workshop) -> None:
    start(shop, LIMIT)
    shop.wait(LIMIT)
    shop.sims[1].end(OutcomeNumber.TIMEOUT)
    shop.report(1)
    shop.grant(1, timeout=60.0)
    shop.begin(1)
    shop.wait(3 * KILL_GRACE_SECONDS)
    assert len(shop.notices) == 1
    assert shop.signals == []


def test_the_limit_holds_while_the_line_is_broken(shop: Workshop) -> None:
    _, ordinal = start(shop, LIMIT)
    shop.cut()
    shop.wait(LIMIT)
    assert shop.notices == [(1, ordinal, "timeout")]


def test_the_limit_holds_while_draining(shop: Workshop) -> None:
    _, ordinal = start(shop, LIMIT)
    shop.agent.drain(shop.now)
    shop.wait(LIMIT)
    assert shop.notices == [(1, ordinal, "timeout")]


# cancellation


def test_a_cancelled_job_that_waits_is_handed_back_at_once_for_it_has_not_begun(shop: Workshop) -> None:
    shop.warm_up()
    ids = shop.grant(4)
    shop.begin(1)
    shop.agent.cancel(ids[2], 1, shop.now)
    assert [row[0] for row in shop.released] == [ids[2]]
    assert shop.notices == []
    shop.sims[1].end()
    shop.report(1)
    shop.acknowledge()
    left = []
    while shop.sims[1].unstarted:
        left.append(shop.run(1))
    assert left == [ids[1], ids[3]]


def test_a_cancelled_job_that_runs_is_notified_then_terminated_then_killed(shop: Workshop) -> None:
    id, ordinal = start(shop)
    shop.agent.cancel(id, 1, shop.now)
    assert shop.notices == [(1, ordinal, "cancel")]
    shop.wait(KILL_GRACE_SECONDS + TICK_SECONDS)
    assert shop.signals == [(1, False)]
    shop.wait(KILL_GRACE_SECONDS)
    assert shop.signals == [(1, False), (1, True)]
    shop.die(1)
    [row] = shop.acknowledge()
    assert (row[0], outcome_of(row)) == (id, OutcomeNumber.CANCELLED)
    assert "SIGKILL" in failure_of(row).message


def test_a_cancel_that_comes_again_does_not_start_over(shop: Workshop) -> None:
    id, _ = start(shop)
    for _ in range(3):
        shop.agent.cancel(id, 1, shop.now)
        shop.wait(0.6 * KILL_GRACE_SECONDS)
    assert len(shop.notices) == 1
    assert (1, False) in shop.signals


def begin_behind(shop: Workshop) -> tuple[bytes, bytes]:
    """One job over but not reported, and one begun behind it, within one tick."""
    shop.warm_up()
    shop.grant(2)
    over = shop.begin(1)
    shop.sims[1].end()
    return over, shop.begin(1)


def test_a_job_that_was_only_just_begun_is_made_to_end_as_well(shop: Workshop) -> None:
    _, id = begin_behind(shop)
    shop.agent.cancel(id, 1, shop.now)
    shop.wait(KILL_GRACE_SECONDS + 2 * TICK_SECONDS)
    assert [kind for _, _, kind in shop.notices] == ["cancel", "flush"]
    assert shop.signals == [(1, False)]


def test_the_end_of_an_earlier_job_does_not_save_one_that_was_cancelled(shop: Workshop) -> None:
    _, id = begin_behind(shop)
    shop.agent.cancel(id, 1, shop.now)
    shop.report(1)
    shop.wait(KILL_GRACE_SECONDS + 2 * TICK_SECONDS)
    assert len(shop.notices) == 1
    assert shop.signals == [(1, False)]


def test_a_cancel_of_another_attempt_ends_nothing(shop: Workshop) -> None:
    id, _ = start(shop)
    shop.agent.cancel(id, 2, shop.now)
    assert shop.notices == []


def test_a_cancel_of_what_is_not_here_is_nothing(shop: Workshop) -> None:
    shop.agent.cancel(b"x" * 16, 1, shop.now)
    assert shop.agent.idle


def test_a_cancel_of_what_is_over_ends_no_neighbour(shop: Workshop) -> None:
    """Its end may not have been reported yet, and the child runs something else."""
    shop.warm_up()
    shop.grant(1)
    shop.agent.granted(LEASE, [["q", "m:f", None, shop.tasks(1)]], shop.now)
    over = shop.begin(1)
    shop.sims[1].end()
    innocent = shop.begin(1)
    shop.agent.cancel(over, 1, shop.now)
    shop.wait(3 * KILL_GRACE_SECONDS)
    assert {kind for _, _, kind in shop.notices} == {"flush"}
    assert shop.signals == []
    shop.sims[1].end()
    shop.report(1)
    assert {row[0]: outcome_of(row) for row in shop.acknowledge()} == dict.fromkeys(
        (over, innocent), OutcomeNumber.SUCCESS
    )


def test_a_suspect_cancelled_between_its_announcement_and_the_answer_does_not_start(shop: Workshop) -> None:
    [id] = shop.grant(shop.tasks(1, suspect=True))
    shop.agent.cancel(id, 1, shop.now)
    shop.agent.may_start(shop.starts.popleft(), shop.now)
    assert not shop.sims[1].unstarted
    assert [row[0] for row in shop.released] == [id]
    assert not shop.held


def test_a_cancel_beats_no_limit_that_was_passed_before(shop: Workshop) -> None:
    id, ordinal = start(shop, LIMIT)
    shop.wait(LIMIT)
    shop.agent.cancel(id, 1, shop.now)
    assert shop.notices == [(1, ordinal, "timeout")]
    shop.wait(KILL_GRACE_SECONDS + TICK_SECONDS)
    shop.die(1)
    [row] = shop.acknowledge()
    assert outcome_of(row) == OutcomeNumber.TIMEOUT


def test_nothing_is_sent_to_a_child_whose_job_is_being_ended() -> None:
    shop = Workshop(slots=2)
    shop.warm_up()
    [id] = shop.grant(1)
    shop.begin(1)
    shop.agent.cancel(id, 1, shop.now)
    shop.grant(2 * shop.agent.durations.batch_size("m:f"))
    assert not shop.sims[1].unstarted
    assert shop.sims[2].unstarted
    assert shop.run(2, seconds=SHORT)


def test_a_cancel_of_a_job_that_a_draining_worker_has_not_begun_hands_it_back(shop: Workshop) -> None:
    """The master, which knows of the cancel, ends it then."""
    shop.warm_up()
    ids = shop.grant(3)
    shop.begin(1)
    shop.agent.drain(shop.now)
    shop.agent.cancel(ids[1], 1, shop.now)
    assert sorted(row[0] for row in shop.released) == ids[1:]
    assert shop.notices == []
