"""The embedded store's verbs for the life of tasks: submitted, leased, ended, due, forgotten: see ``interface.tasks.TaskStore``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

from ....common.domain.model import OutcomeNumber, StateNumber
from ..interface.slices import LeasedSlice, SucceededSlice
from ..interface.store import Inconsistent
from ..interface.tasks import (
    EndedAttempt,
    Expired,
    Leased,
    NewArray,
    NewTasks,
    Returned,
    Success,
    Want,
)
from .counts import ENDED, ONE_BY_ONE_MAX, SqliteCounts
from .named_leases import Head, SqliteNamedLeases, place_of
from .slice_table import SUCCEEDED, ReadySlice
from .slices import Piece

PLAIN: Final = (0, *[None] * 6)  # priority, due, expires, timeout, options, origin, ttl: of most tasks
SNOOZE: Final = int(OutcomeNumber.SNOOZE)
GOES_ON: Final = frozenset({SNOOZE, int(OutcomeNumber.BECAME)})  # later, though its attempt has ended
SLICES_LOOKED: Final = 8  # the first look for ready slices: mostly one of them has more tasks than are wanted


class _Calls:
    """Calls that are filled one after another."""

    def __init__(self, wants: Sequence[Want]) -> None:
        self._wants, self._at, self._room = wants, 0, wants[0].tasks

    @property
    def are_full(self) -> bool:
        return self._at == len(self._wants)

    def take(self, tasks: int) -> tuple[int, int]:
        """The call that is next, by its place, and how many of these tasks it takes."""
        at, taken = self._at, min(tasks, self._room)
        self._room -= taken
        if not self._room:
            self._at += 1
            self._room = 0 if self.are_full else self._wants[self._at].tasks
        return at, taken


class SqliteTasks(SqliteNamedLeases):
    _beginnings: frozenset[StateNumber]
    counts: SqliteCounts

    def insert(self, groups: Sequence[NewTasks | NewArray]) -> bool:
        plain: list[tuple[Any, ...]] = []  # most tasks: fewer parameters are a fifth less work
        full: list[tuple[Any, ...]] = []
        arrays: list[NewArray] = []
        for group in groups:
            if group.state not in self._beginnings:
                raise ValueError(
                    f"no task may begin as {StateNumber(group.state)}: see the table of lifecycle.py"
                )
            if isinstance(group, NewArray):
                arrays.append(group)
                continue
            shared = (
                group.route,
                group.state,
                group.attempt,
                group.lease,
                group.worker,
                group.created,
                group.started,
            )
            due = group.due if group.at is None else -group.at
            rest = (
                group.priority,
                due,
                group.expires,
                group.timeout,
                group.options,
                group.origin,
                group.ttl,
            )
            if rest == PLAIN:
                plain += [(*task, *shared) for task in group.tasks]
            else:
                full += [(*task, *shared, *rest) for task in group.tasks]
        if not arrays and len(plain) + len(full) == 1:  # it is there, or it is not: nothing to take back
            return not self._in_arrays([row[1] for row in plain + full]) and bool(
                self._many("insert_plain", plain) + self._many("insert", full)
            )
        self._run("SAVEPOINT insertion")
        whole = (
            all(map(self.slices.add, arrays))
            and not self._in_arrays([row[1] for row in plain + full])
            and self._many("insert_plain", plain) + self._many("insert", full) == len(plain) + len(full)
        )
        if not whole:
            self._run("ROLLBACK TO insertion")
        self._run("RELEASE insertion")
        return whole

    def _in_arrays(self, ids: list[bytes]) -> bool:
        """Whether one of these is the id of a task that is in an array."""
        if not ids or not self.slices.has_between(min(ids), max(ids)):
            return False
        numbers = map(self.slices.number_of, ids)
        return any(self.slices.at(seq) is not None for seq in numbers if seq is not None)

    def lease(
        self, routes: Sequence[int], limit: int, bytes_max: int | None, lease: bytes, worker: int, now: int
    ) -> list[Leased | LeasedSlice]:
        want = Want(limit, lease, worker)
        if bytes_max is None:
            return self.lease_each(routes, [want], now)[0]
        self.settle()
        heads = self._heads(routes, limit)
        if heads is not None:
            return self._lease_measured(heads, want, bytes_max, now)
        return self._lease_route(routes[0], want, now, bytes_max)

    def lease_each(
        self, routes: Sequence[int], wants: Sequence[Want], now: int
    ) -> list[list[Leased | LeasedSlice]]:
        self.settle()
        heads = self._heads(routes, sum(want.tasks for want in wants))
        if heads is not None:
            return self._lease_heads(heads, wants, now)
        return [self._lease_route(routes[0], want, now) for want in wants]

    def _heads(self, routes: Sequence[int], tasks: int) -> list[Head] | None:
        """The next so many tasks of these routes. None: they are rows of one route, which are leased without being looked at."""
        slices = [head for route in routes for head in self._ready_slices(route, tasks)]
        if len(routes) == 1 and not slices:
            return None
        found = chain.from_iterable(self._all("ready_heads", (route, tasks)) for route in routes)
        rows = [Head(-priority, seq, size, None) for priority, seq, size in found]
        return sorted(slices + rows, key=place_of)

    def _ready_slices(self, route: int, tasks: int) -> list[Head]:
        """Those with the next so many tasks of a route."""
        rows = self._all("ready_slices", (route, min(SLICES_LOOKED, tasks)))
        if len(rows) == SLICES_LOOKED and sum(stop - seq for _, seq, stop, _ in rows) < tasks:
            rows = self._all("ready_slices", (route, tasks))
        return [Head(-row[0], row[1], 0, ReadySlice(*row)) for row in rows]

    def _lease_route(
        self, route: int, want: Want, now: int, bytes_max: int | None = None
    ) -> list[Leased | LeasedSlice]:
        given = {"route": route, "limit": want.tasks, "lease": want.lease, "worker": want.worker, "now": now}
        statement = "lease_route" if bytes_max is None else "lease_route_measured"
        rows = self._all(statement, {**given, "bytes_max": bytes_max})
        rows.sort(key=lambda row: (-row[0], row[1]))  # RETURNING promises no order
        return list(map(Leased._make, rows))

    def _lease_rows(self, seqs: Sequence[int], want: Want, now: int) -> list[Leased]:
        given = {"seqs": json.dumps(seqs), "lease": want.lease, "worker": want.worker, "now": now}
        rows = self._all("lease_rows", given)
        if len(rows) != len(seqs):
            raise Inconsistent(f"lease_rows: {len(rows)} of {len(seqs)} tasks were ready")
        return list(map(Leased._make, rows))

    def _lease_heads(
        self, heads: Sequence[Head], wants: Sequence[Want], now: int
    ) -> list[list[Leased | LeasedSlice]]:
        """Fill one call after another."""
        given: list[list[Leased | LeasedSlice]] = [[] for _ in wants]
        rows: list[list[int]] = [[] for _ in wants]
        calls = _Calls(wants)
        for head in heads:
            if calls.are_full:
                break
            if head.slice is None:
                at, _ = calls.take(1)
                rows[at].append(head.seq)
                continue
            seq, whose, pieces = head.seq, list[int](), list[Piece]()
            while seq < head.slice.stop and not calls.are_full:
                at, tasks = calls.take(head.slice.stop - seq)
                whose.append(at)
                pieces.append(Piece(seq, seq + tasks, wants[at]))
                seq += tasks
            for at, leased in zip(whose, self.slices.lease(head.slice, pieces, now), strict=True):
                given[at].append(leased)
        for mine, seqs, want in zip(given, rows, wants, strict=True):
            if seqs:
                mine += self._lease_rows(seqs, want, now)
                mine.sort(key=lambda one: (-one.priority, one.seq))
        return given

    def _lease_measured(
        self, heads: list[Head], want: Want, bytes_max: int, now: int
    ) -> list[Leased | LeasedSlice]:
        """The same for one call, of which the payloads together have at most so many bytes, unless it is one alone."""
        leased: list[Leased | LeasedSlice] = []
        room, left = want.tasks, bytes_max
        for head in heads:
            if not room:
                break
            slice = head.slice
            if slice is None:
                left -= head.bytes
                if left < 0 and leased:
                    break
                leased += self._lease_rows([head.seq], want, now)
                room -= 1
                continue
            tasks, place = min(room, slice.stop - slice.seq), slice.seq - slice.array
            sizes = map(len, self.slices.payloads(slice.array)[place : place + tasks])
            fitting, left = _fitting(sizes, left, alone=not leased)
            if fitting:
                leased += self.slices.lease(slice, [Piece(slice.seq, slice.seq + fitting, want)], now)
            if fitting < tasks:
                break
            room -= tasks
        return leased

    # ends

    def succeed(self, rows: Sequence[Success]) -> None:
        if len(rows) > ONE_BY_ONE_MAX:
            self._exactly("succeed", rows)
            self.counts.measure([row[3] for row in rows])
            return
        for row in rows:  # of a few each says its size with its end
            ended = self._all("succeed_one", row)
            if not ended:
                raise Inconsistent("succeed_one: the task is not leased as expected")
            [(route, size)] = ended
            self.counts.add(route, SUCCEEDED, 1, size)

    def succeed_slices(self, rows: Sequence[SucceededSlice]) -> None:
        self.slices.succeed(rows)

    def end_attempts(self, rows: Sequence[EndedAttempt]) -> None:
        self._exactly("end_attempt", list(map(_fields, self.slices.end_attempts(rows))))
        self.counts.measure([row.seq for row in rows if row.state >= ENDED])
        self._many("log_attempt", list(map(_fields, rows)))
        snoozed = [_fields(row) for row in rows if row.outcome == SNOOZE]
        self._many("forget_snoozed_logs", snoozed)
        self._many("forget_snoozed", snoozed)
        self._many("keep_begun", [_fields(row) for row in rows if row.outcome in GOES_ON])

    def return_unstarted(self, rows: Sequence[Returned]) -> None:
        alone = self.slices.give_back(rows)
        self._exactly("return_unstarted", alone)
        self.counts.measure([row.seq for row in alone if row.state >= ENDED])

    def request_cancel(self, seq: int) -> None:
        self.slices.take_out([seq])
        self._exactly("request_cancel", [(seq,)])

    def cancel_waiting(self, seqs: Sequence[int], now: int) -> None:
        alone = self.slices.cancel(seqs, now)
        if alone:
            self._exactly("cancel_waiting", [(now, seq) for seq in alone])
            self.counts.measure(alone)

    def revive(self, seq: int, *, blocked: bool = False) -> None:
        self.slices.take_out([seq])
        self.counts.measure([seq], -1)
        self._exactly("revive_blocked" if blocked else "revive", [(seq,)])

    # time

    def next_due(self) -> int | None:
        self.settle()
        return _nearest(self._value("next_due"), self._value("next_due_slice"))

    def promote(self, now: int, limit: int) -> list[int]:
        self.settle()
        return self._promoted(self._all("due", (now, limit)), self._all("slices_due", (now, limit)))

    def wake(self, seq: int) -> None:
        self._exactly("promote", [(seq,)])

    def next_at(self) -> int | None:
        self.settle()
        return _nearest(self._value("next_at"), self._value("next_at_slice"))

    def promote_at(self, wall: int, limit: int) -> list[int]:
        self.settle()
        return self._promoted(self._all("due_at", (wall, limit)), self._all("slices_due_at", (wall, limit)))

    def _promoted(self, rows: list[tuple[int, int]], slices: list[tuple[int, int, int]]) -> list[int]:
        self._exactly("promote", [(seq,) for seq, _ in rows])
        return [route for _, route in rows] + self.slices.promote(slices)

    def next_expiry(self) -> int | None:
        self.settle()
        return _nearest(self._value("next_expiry"), self._value("next_slice_expiry"))

    def expire(self, now: int, limit: int) -> list[Expired]:
        self.settle()
        expired = self.slices.expire(now, limit)
        left = limit - sum(one.stop - one.seq for one in expired)
        rows = [Expired(*row) for row in self._all("overdue", (now, left))] if left > 0 else []
        if rows:
            self._exactly("expire", [(now, row.seq, row.state) for row in rows])
            self.counts.measure([row.seq for row in rows])
        return expired + rows


def _fields(row: EndedAttempt) -> dict[str, Any]:
    return {name: getattr(row, name) for name in EndedAttempt.__slots__}


def _nearest(one: int | None, other: int | None) -> int | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)


def _fitting(sizes: Iterable[int], left: int, *, alone: bool) -> tuple[int, int]:
    """How many payloads of these sizes fit, in order, and how many bytes are left. ``alone``: the first one does in any case."""
    fitting = 0
    for size in sizes:
        if size > left and not (alone and fitting == 0):
            break
        left -= size
        fitting += 1
    return fitting, max(left, 0)
