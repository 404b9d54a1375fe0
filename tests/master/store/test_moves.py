"""Every move of a task from one state to another goes through the table of common/domain/lifecycle.py, and a store makes no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from tq.common.domain.lifecycle import TRANSITIONS, WAITING
from tq.common.domain.model import StateNumber
from tq.master.store.interface.store import Inconsistent, Store
from tq.master.store.interface.tasks import Returned

from .tasks import LEASE, NOW, QUEUE, TASK, ended, insert, state_of, task, within

READY, SCHEDULED, BLOCKED, RUNNING = (
    StateNumber.READY,
    StateNumber.SCHEDULED,
    StateNumber.BLOCKED,
    StateNumber.RUNNING,
)
SUCCEEDED, CANCELLED, EXPIRED = StateNumber.SUCCEEDED, StateNumber.CANCELLED, StateNumber.EXPIRED
Move = tuple[StateNumber, StateNumber]
TABLE: Final[list[Move]] = [
    (before, after) for before, targets in TRANSITIONS.items() for after in sorted(targets)
]
AS_OTHER: Final = (SUCCEEDED, StateNumber.DEAD, StateNumber.LOST)  # of a task that became another
UNBLOCKED: Final[set[Move]] = {
    (BLOCKED, READY),
    (BLOCKED, SCHEDULED),
    *((BLOCKED, state) for state in AS_OTHER),
}  # whichever are blocked there
ILLEGAL_ENDS: Final = [state for state in StateNumber if state not in TRANSITIONS[RUNNING]]


def named(move: Move) -> str:
    return "-".join(map(str, move))


def make(store: Store, state: StateNumber) -> None:
    """Task 1, in this state."""
    route = within(store, lambda: store.add_route(QUEUE, TASK))
    assert isinstance(route, int)
    begins = state if state in WAITING else READY if state == EXPIRED else RUNNING
    insert(store, task(1, route, begins, due=NOW if begins == SCHEDULED else None, expires=NOW))
    if state not in (begins, EXPIRED):
        move(store, (RUNNING, state))
    elif state == EXPIRED:
        move(store, (READY, EXPIRED))


def move(store: Store, move: Move) -> None:
    """Ask the store for it."""
    before, after = move
    if before == BLOCKED and after in (READY, SCHEDULED):
        within(store, lambda: store.unblock(1, 2, after, NOW if after == SCHEDULED else None))
        return
    if before == BLOCKED and after in AS_OTHER:
        within(store, lambda: store.end_as_other(1, after, b"", NOW))
        return
    verbs: dict[StateNumber, Callable[[], object]] = {
        RUNNING: lambda: store.lease([1], 1, None, LEASE, 1, NOW),
        CANCELLED: lambda: store.cancel_waiting([1], NOW),
        EXPIRED: lambda: store.expire(NOW, 1),
        READY: lambda: store.promote(NOW, 1) if before == SCHEDULED else store.revive(1),
        BLOCKED: lambda: store.revive(1, blocked=True),
        StateNumber.FAILED: lambda: store.fall(1, 2, b"why", NOW),
        SUCCEEDED: lambda: store.succeed([(b"", NOW, NOW, 1, 1, LEASE)]),
    }
    if before == RUNNING and after != SUCCEEDED:
        within(store, lambda: store.end_attempts([ended(1, after, due=NOW if after == SCHEDULED else None)]))
    else:
        within(store, verbs[after])


@pytest.mark.parametrize("wanted", TABLE, ids=named)
def test_a_move_of_the_table_is_made(store: Store, wanted: Move) -> None:
    make(store, wanted[0])
    move(store, wanted)
    assert state_of(store, 1) == wanted[1]


@pytest.mark.parametrize("wanted", TABLE, ids=named)
def test_a_move_that_is_taken_out_of_the_table_is_refused(
    stores: Callable[[], Store], wanted: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = wanted
    monkeypatch.setitem(TRANSITIONS, before, TRANSITIONS[before] - {after})
    try:
        store = stores()
    except ValueError as error:  # a statement that makes only this move
        assert f"from {before.name} to {after.name}" in str(error)  # noqa: PT017 - or it opens
        return
    make(store, before)
    if wanted in UNBLOCKED:
        move(store, wanted)
    else:
        with pytest.raises(Inconsistent):
            move(store, wanted)
    assert state_of(store, 1) == before


@pytest.mark.parametrize("after", ILLEGAL_ENDS, ids=str)
def test_no_attempt_ends_in_a_state_that_does_not_follow_running(store: Store, after: StateNumber) -> None:
    make(store, RUNNING)
    with pytest.raises(Inconsistent):
        within(store, lambda: store.end_attempts([ended(1, after)]))
    with pytest.raises(Inconsistent):
        within(store, lambda: store.return_unstarted([Returned(int(after), NOW, 1, 1, LEASE)]))
    assert state_of(store, 1) == RUNNING


@pytest.mark.parametrize("state", [state for state in StateNumber if state not in WAITING], ids=str)
def test_only_what_waits_is_cancelled_or_expires(store: Store, state: StateNumber) -> None:
    make(store, state)
    with pytest.raises(Inconsistent):
        within(store, lambda: store.cancel_waiting([1], NOW))
    assert within(store, lambda: store.expire(NOW, 9)) == []
    assert state_of(store, 1) == state


@pytest.mark.parametrize(
    "state", [state for state in StateNumber if not state.is_terminal or state == SUCCEEDED], ids=str
)
def test_only_what_ended_without_success_is_made_ready_again(store: Store, state: StateNumber) -> None:
    make(store, state)
    with pytest.raises(Inconsistent):
        within(store, lambda: store.revive(1))
    assert state_of(store, 1) == state


@pytest.mark.parametrize("state", [state for state in StateNumber if state.is_terminal], ids=str)
def test_no_task_begins_with_its_end(store: Store, route: int, state: StateNumber) -> None:
    store.begin()
    with pytest.raises(ValueError, match=f"no task may begin as {state}"):
        store.insert([task(1, route, state)])


def test_a_task_begins_as_running_only_if_a_ready_one_may_run(
    stores: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tq.common.domain.lifecycle import may_begin

    assert may_begin() == WAITING | {RUNNING}
    monkeypatch.setitem(TRANSITIONS, READY, frozenset())
    assert may_begin() == WAITING
    with pytest.raises(ValueError, match="from READY to RUNNING"):
        stores()
