"""Tasks for a store, and what tests do with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.master.store.interface.queries import WindowRow
from tq.master.store.interface.store import Store
from tq.master.store.interface.tasks import EndedAttempt, NewArray, NewShared, NewTasks

QUEUE, TASK = "q", "m:f"
LEASE = b"L" * 16
NOW = 1_700_000_000_000


def id_of(seq: int) -> bytes:
    return seq.to_bytes(16, "big")


def task(seq: int, route: int, state: StateNumber = StateNumber.READY, **fields: Any) -> NewTasks:
    leased = state == StateNumber.RUNNING
    base = NewTasks(
        route=route,
        state=int(state),
        created=NOW,
        tasks=[(seq, fields.pop("id", id_of(seq)), fields.pop("payload", b"payload"))],
        attempt=int(leased),
        lease=LEASE if leased else None,
        worker=1 if leased else None,
        started=NOW if leased else None,
    )
    return replace(base, **fields)


def as_array(like: NewTasks | NewArray, tasks: Sequence[tuple[int, bytes, bytes]]) -> NewArray:
    """Tasks with consecutive numbers and ids, which are otherwise like another one."""
    shared = {one.name: getattr(like, one.name) for one in dataclasses.fields(NewShared)}
    seq, id, _ = tasks[0]
    return NewArray(seq=seq, id=id, payloads=[payload for _, _, payload in tasks], **shared)


def as_rows(new: NewTasks | NewArray) -> NewTasks:
    """The same tasks, which are stored by themselves."""
    shared = {one.name: getattr(new, one.name) for one in dataclasses.fields(NewShared)}
    return NewTasks(tasks=new.tasks, **shared)


def insert(store: Store, *groups: NewTasks | NewArray) -> None:
    store.begin()
    assert store.insert(groups)
    store.commit()


def within(store: Store, verb: Callable[[], object]) -> object:
    """Run a verb in a transaction of its own."""
    store.begin()
    try:
        result = verb()
    except BaseException:
        store.rollback()
        raise
    store.commit()
    return result


def window(store: Store, before: int, limit: int, states: Collection[int] = ()) -> list[WindowRow]:
    """The newest tasks before that number."""
    rows = (row for span in store.spans_before(before, states) for row in span.rows())
    return list(islice(rows, limit))


def state_of(store: Store, seq: int) -> StateNumber:
    [found] = store.find([id_of(seq)])
    return StateNumber(found.state)


def ended(seq: int, state: StateNumber, **fields: object) -> EndedAttempt:
    values: dict[str, object] = {
        "seq": seq,
        "attempt": 1,
        "number": 1,
        "lease": LEASE,
        "worker": 1,
        "outcome": int(OutcomeNumber.ERROR),
        "started": NOW,
        "ended": NOW + 5,
        "body": b"why",
        "state": int(state),
        "due": None,
        "failures": 1,
        "crashes": 0,
        "finished": NOW + 5 if state.is_terminal else None,
    }
    return EndedAttempt(**{**values, **fields})  # type: ignore[arg-type]
