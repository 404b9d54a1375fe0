"""A store that records what is written through it, for the checker of histories.

Every change of a task's state goes through the store, so this one place sees them all, as the
transactions they are: the events of one are noted before its commit, and ``committed`` after it. Events of
a transaction without ``committed`` are uncertain, as their commit was.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ...common.domain.id_runs import IdRun
from ...common.domain.ids import id_behind
from ...common.domain.model import StateNumber
from ...common.runtime.history import Note, digest
from .interface.dependencies import Fallen
from .interface.queries import Found
from .interface.slices import LeasedSlice, SucceededSlice
from .interface.store import Picture, Store
from .interface.tasks import (
    EndedAttempt,
    Expired,
    LaneOrder,
    Leased,
    NamedTasks,
    NewArray,
    NewTasks,
    Returned,
    Success,
    Want,
)

# Of this process, whose events are in one file: a master that is displaced, and serves again, has another store then.
TRANSACTIONS: Final = itertools.count(1)


class RecordingStore:
    """A ``Store`` around another; verbs that it does not record go straight through."""

    def __init__(self, store: Store, note: Note) -> None:
        self._store, self._note = store, note
        self._events: list[tuple[str, dict[str, Any]]] = []
        self._ids: dict[int, bytes] = {}  # of tasks that were seen running or found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def begin(self, *, reading: bool = False, at_once: bool = False) -> None:
        # Those of a transaction that failed.
        self._events.clear()
        self._store.begin(reading=reading, at_once=at_once)

    def commit(self) -> None:
        number = next(TRANSACTIONS)
        for what, fields in self._events:
            self._note(what, transaction=number, **fields)
        self._store.commit()
        # Behind the commit, so a kill between both leaves a transaction that is uncertain and not one that is said to be lost.
        self._note("committed", transaction=number)
        self._events.clear()

    def load(self) -> Picture:
        picture = self._store.load()
        self._ids = {row.seq: row.id for row in picture.running}
        for row in picture.slices:
            self._ids.update(
                (row.seq + place, id_behind(row.id, place)) for place in range(row.stop - row.seq)
            )
        return picture

    def insert(self, groups: Sequence[NewTasks | NewArray]) -> bool:
        whole = self._store.insert(groups)
        if whole:
            for group in groups:
                for seq, id, _ in group.tasks:
                    self._say("submitted", id)
                    if group.lease is not None:
                        self._leased(seq, id, group.attempt, group.lease, group.worker)
        return whole

    def lease(
        self,
        routes: Sequence[int],
        limit: int,
        bytes_max: int | None,
        lease: bytes,
        worker: int,
        now: int,
        rooms: Mapping[int, int] = {},
        least: int | None = None,
        named: Sequence[NamedTasks] = (),
        orders: Mapping[int, LaneOrder] = {},
    ) -> list[Leased | LeasedSlice]:
        rows = self._store.lease(routes, limit, bytes_max, lease, worker, now, rooms, least, named, orders)
        self._given(rows, Want(limit, lease, worker))
        return rows

    def lease_each(
        self, routes: Sequence[int], wants: Sequence[Want], now: int
    ) -> list[list[Leased | LeasedSlice]]:
        given = self._store.lease_each(routes, wants, now)
        for rows, want in zip(given, wants, strict=True):
            self._given(rows, want)
        return given

    def lease_these(
        self, runs: Sequence[IdRun], want: Want, bytes_max: int, now: int
    ) -> list[Leased | LeasedSlice]:
        rows = self._store.lease_these(runs, want, bytes_max, now)
        self._given(rows, want)
        return rows

    def succeed(self, rows: Sequence[Success]) -> None:
        self._store.succeed(rows)
        for result, _, _, seq, attempt, lease in rows:
            id = self._ids.pop(seq)
            self._say("accepted", id, attempt=attempt, lease=lease, digest=digest(result))

    def succeed_slices(self, rows: Sequence[SucceededSlice]) -> None:
        self._store.succeed_slices(rows)
        for row in rows:
            for seq, result in enumerate(row.results, row.seq):
                self._say(
                    "accepted",
                    self._ids.pop(seq),
                    attempt=row.attempt,
                    lease=row.lease,
                    digest=digest(result),
                )

    def end_attempts(self, rows: Sequence[EndedAttempt]) -> None:
        self._store.end_attempts(rows)
        for row in rows:
            id = self._ids.pop(row.seq)
            self._say("ended", id, attempt=row.attempt, lease=row.lease, outcome=row.outcome, state=row.state)

    def return_unstarted(self, rows: Sequence[Returned]) -> None:
        self._store.return_unstarted(rows)
        for row in rows:
            id = self._ids.pop(row.seq)
            self._say("returned", id, attempt=row.attempt, lease=row.lease, state=row.state)

    def find(self, ids: Iterable[bytes]) -> list[Found]:
        found = self._store.find(ids)
        self._ids.update((row.seq, row.id) for row in found)
        return found

    def cancel_waiting(self, seqs: Sequence[int], now: int) -> None:
        self._store.cancel_waiting(seqs, now)
        for seq in seqs:
            self._say("cancelled", self._ids[seq])

    def revive(self, seq: int, *, blocked: bool = False) -> None:
        self._store.revive(seq, blocked=blocked)
        self._say("revived", self._ids[seq])

    def expire(self, now: int, limit: int) -> list[Expired]:
        rows = self._store.expire(now, limit)
        for row in rows:
            for place in range(row.stop - row.seq):
                self._say("expired", id_behind(row.id, place))
        return rows

    def _given(self, rows: Sequence[Leased | LeasedSlice], want: Want) -> None:
        for row in rows:
            for place in range(row.stop - row.seq if isinstance(row, LeasedSlice) else 1):
                self._leased(row.seq + place, id_behind(row.id, place), row.attempt, want.lease, want.worker)

    def fall(self, seq: int, stop: int, body: bytes, now: int) -> list[Fallen]:
        rows = self._store.fall(seq, stop, body, now)
        for row in rows:
            for place in range(row.stop - row.seq):
                self._say("fell", id_behind(row.id, place))
        return rows

    def end_as_other(self, seq: int, state: int, body: bytes | None, now: int) -> list[Fallen]:
        rows = self._store.end_as_other(seq, state, body, now)
        for row in rows:
            self._say(
                "followed", row.id, state=state, digest=digest(body) if state == StateNumber.SUCCEEDED else ""
            )
        return rows

    def _leased(self, seq: int, id: bytes, attempt: int, lease: bytes, worker: int | None) -> None:
        self._ids[seq] = id
        self._say("leased", id, attempt=attempt, lease=lease, worker=worker)

    def _say(self, what: str, id: bytes, **fields: Any) -> None:
        self._events.append((what, {"id": id, **fields}))
