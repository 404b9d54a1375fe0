"""The life of tasks in a store: submitted, leased, ended, due, forgotten."""

from __future__ import annotations

import pytest
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.master.store.interface.attempt_output import Observation
from tq.master.store.interface.store import Inconsistent, Store

from .tasks import LEASE, NOW, ended, id_of, insert, state_of, task, within


def test_a_batch_with_a_known_id_is_not_inserted_at_all(store: Store, route: int) -> None:
    insert(store, task(1, route))
    store.begin()
    assert not store.insert([task(2, route), task(3, route, id=(1).to_bytes(16, "big"))])
    store.commit()
    assert store.find([(2).to_bytes(16, "big")]) == []


def test_leases_come_by_priority_then_age_and_only_from_the_routes_asked_for(
    store: Store, route: int
) -> None:
    store.begin()
    other, third = store.add_route("q", "m:g"), store.add_route("q", "m:h")
    store.commit()
    insert(store, task(1, route), task(2, other), task(3, route, priority=5), task(4, third, priority=9))
    leased = within(store, lambda: store.lease([route, other], 2, None, LEASE, 1, NOW))
    assert [one.seq for one in leased] == [3, 1]
    leased = within(store, lambda: store.lease([other], 5, None, LEASE, 1, NOW))
    assert [(one.seq, one.attempt, one.payload) for one in leased] == [(2, 1, b"payload")]
    assert state_of(store, 4) == StateNumber.READY


def test_a_success_needs_the_current_attempt_and_lease(store: Store, route: int) -> None:
    insert(store, task(1, route, StateNumber.RUNNING))
    for attempt, lease in ((2, LEASE), (1, b"X" * 16)):
        with pytest.raises(Inconsistent):
            within(store, lambda a=attempt, le=lease: store.succeed([(b"r", NOW, NOW, 1, a, le)]))
    within(store, lambda: store.succeed([(b"r", NOW, NOW + 1, 1, 1, LEASE)]))
    assert store.outcomes([(1).to_bytes(16, "big")]) == [
        ((1).to_bytes(16, "big"), route, StateNumber.SUCCEEDED, b"r")
    ]
    with pytest.raises(Inconsistent):
        within(store, lambda: store.succeed([(b"again", NOW, NOW, 1, 1, LEASE)]))


def test_an_ended_attempt_is_kept_and_its_task_goes_where_it_is_sent(store: Store, route: int) -> None:
    insert(store, task(1, route, StateNumber.RUNNING), task(2, route, StateNumber.RUNNING))
    within(
        store,
        lambda: store.end_attempts(
            [ended(1, StateNumber.SCHEDULED, due=NOW + 100), ended(2, StateNumber.FAILED)]
        ),
    )
    assert (state_of(store, 1), state_of(store, 2)) == (StateNumber.SCHEDULED, StateNumber.FAILED)
    assert store.next_due() == NOW + 100
    [attempt] = store.attempts(1, 1_000)
    assert (attempt.attempt, attempt.outcome, attempt.body) == (1, OutcomeNumber.ERROR, b"why")


def test_of_a_task_that_snoozes_without_end_the_last_attempts_are_kept_and_all_that_ended_otherwise(
    store: Store, route: int
) -> None:
    insert(store, task(1, route), task(2, route))
    snooze, error = int(OutcomeNumber.SNOOZE), int(OutcomeNumber.ERROR)
    for attempt in range(1, 321):
        lease = attempt.to_bytes(16, "big")
        within(store, lambda le=lease: store.lease([route], 1, None, le, 1, NOW))
        said = [Observation(1, attempt, None, 1, b"x")]
        within(store, lambda said=said: store.observe(said, 100))
        end = ended(
            1,
            StateNumber.READY,
            attempt=attempt,
            number=attempt,
            lease=lease,
            outcome=error if attempt in (1, 7) else snooze,
            failures=0,
        )
        within(store, lambda end=end: store.end_attempts([end]))
    assert [one.attempt for one in store.attempts(1, 1_000)] == [1, 7, *range(221, 321)]
    assert [one.attempt for one in store.attempts(1, 2)] == [319, 320]
    assert [one.attempt for one in store.attempts(1, 3, 222)] == [1, 7, 221]
    assert (store.attempts_before(1, 222), store.attempts_before(1, 1)) == (3, 0)
    assert {row.attempt for row in store.logs(1, 320, 1_000)} == {1, 7, *range(221, 321)}
    assert store.log_bytes == 102


def test_scheduled_tasks_become_ready_at_their_time_in_bounded_portions(store: Store, route: int) -> None:
    insert(store, *(task(seq, route, StateNumber.SCHEDULED, due=NOW + seq) for seq in range(1, 6)))
    assert within(store, lambda: store.promote(NOW + 3, 2)) == [(route, 1, 2), (route, 2, 3)]
    assert within(store, lambda: store.promote(NOW + 3, 10)) == [(route, 3, 4)]
    assert store.next_due() == NOW + 4


def test_waiting_tasks_expire_and_running_ones_do_not(store: Store, route: int) -> None:
    insert(
        store,
        task(1, route, expires=NOW),
        task(2, route, StateNumber.RUNNING, expires=NOW),
        task(3, route, expires=NOW + 9),
    )
    assert within(store, lambda: store.expire(NOW, 10)) == [
        (1, 2, (1).to_bytes(16, "big"), route, StateNumber.READY, None)
    ]
    assert store.next_expiry() == NOW + 9


def test_purging_takes_the_oldest_finished_first_with_their_attempts(store: Store, route: int) -> None:
    insert(store, *(task(seq, route, StateNumber.RUNNING) for seq in (1, 2, 3)))
    within(
        store,
        lambda: store.end_attempts([ended(seq, StateNumber.FAILED, finished=NOW + seq) for seq in (1, 2)]),
    )
    assert within(store, lambda: store.purge(NOW + 2, 1)) == [(route, StateNumber.FAILED, 1)]
    assert store.find([(1).to_bytes(16, "big")]) == []
    assert store.attempts(1, 1_000) == []
    assert len(store.attempts(2, 1_000)) == 1


def test_cancel_and_revive_are_conditional(store: Store, route: int) -> None:
    insert(store, task(1, route), task(2, route, StateNumber.RUNNING))
    within(store, lambda: store.cancel_waiting([1], NOW))
    with pytest.raises(Inconsistent):
        within(store, lambda: store.cancel_waiting([2], NOW))
    within(store, lambda: store.request_cancel(2))
    within(store, lambda: store.revive(1))
    assert state_of(store, 1) == StateNumber.READY
    with pytest.raises(Inconsistent):
        within(store, lambda: store.revive(1))


@pytest.mark.parametrize(("bytes_max", "leased"), [(1, 1), (199, 1), (200, 2), (299, 2), (10_000, 4)])
@pytest.mark.parametrize("routes", [1, 2])
def test_a_lease_ends_before_the_task_that_goes_over_its_bytes(
    store: Store, route: int, routes: int, bytes_max: int, leased: int
) -> None:
    served = [route, *(within(store, lambda: store.add_route("q", "m:other")) for _ in range(routes - 1))]
    insert(store, *(task(seq, served[seq % routes], payload=b"x" * 100) for seq in range(1, 5)))
    rows = within(store, lambda: store.lease(served, 10, bytes_max, LEASE, 1, NOW))
    assert [row.seq for row in rows] == list(range(1, leased + 1))  # type: ignore[attr-defined]


def test_deleting_takes_exactly_those_named(store: Store, route: int) -> None:
    insert(store, *(task(seq, route) for seq in (1, 2, 3)))
    within(store, lambda: store.delete([1, 3]))
    assert [found.seq for found in store.find(map(id_of, (1, 2, 3)))] == [2]
