"""The embedded store's verbs for the life of tasks: submitted, leased, ended, due, forgotten: see ``interface.tasks.TaskStore``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from ....common.domain.model import StateNumber
from ..interface.slices import LeasedSlice, SucceededSlice
from ..interface.tasks import (
    EndedAttempt,
    Expired,
    Leased,
    NewArray,
    NewTasks,
    Returned,
    Success,
)
from .counts import ENDED, SqliteCounts
from .executor import StatementExecutor
from .slices import SqliteSlices

PLAIN: Final = (0, *[None] * 5)  # priority, due, expires, timeout, options, origin: of most tasks
SLICES_LOOKED: Final = 8  # the first look for ready slices: mostly one of them has more tasks than are wanted


class Head(NamedTuple):
    """A ready task, or a ready slice (``array`` is not None), that may be leased next."""

    rank: int  # what has the lower one goes first
    seq: int
    bytes_or_stop: int  # of a task the bytes of its payload
    array: int | None


class SqliteTasks(StatementExecutor):
    _beginnings: frozenset[StateNumber]
    slices: SqliteSlices
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
            rest = group.priority, due, group.expires, group.timeout, group.options, group.origin
            if rest == PLAIN:
                plain += [(*task, *shared) for task in group.tasks]
            else:
                full += [(*task, *shared, *rest) for task in group.tasks]
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
        self.settle()
        given = {"lease": lease, "worker": worker, "now": now}
        slices = [head for route in routes for head in self._ready_slices(route, limit)]
        if len(routes) > 1 or slices:
            heads = slices + [
                Head(-priority, seq, size, None)
                for route in routes
                for priority, seq, size in self._all("ready_heads", (route, limit))
            ]
            return self._lease_heads(sorted(heads), limit, bytes_max, given)
        if bytes_max is None:
            rows = self._all("lease_route", {**given, "route": routes[0], "limit": limit})
        else:
            given |= {"route": routes[0], "limit": limit, "bytes_max": bytes_max}
            rows = self._all("lease_route_measured", given)
        rows.sort(key=lambda row: (-row[0], row[1]))  # RETURNING promises no order
        return list(map(Leased._make, rows))

    def _ready_slices(self, route: int, tasks: int) -> list[Head]:
        """Those with the next so many tasks of a route."""
        rows = self._all("ready_slices", (route, min(SLICES_LOOKED, tasks)))
        if len(rows) == SLICES_LOOKED and sum(stop - seq for _, seq, stop, _ in rows) < tasks:
            rows = self._all("ready_slices", (route, tasks))
        return [Head(-priority, seq, stop, array) for priority, seq, stop, array in rows]

    def _lease_heads(
        self, heads: list[Head], limit: int, bytes_max: int | None, given: dict[str, Any]
    ) -> list[Leased | LeasedSlice]:
        leased: list[Leased | LeasedSlice] = []
        left = None if bytes_max is None else bytes_max
        for head in heads:
            if not limit:
                break
            if head.array is None:
                tasks = 1
                if left is not None:
                    left -= head.bytes_or_stop
                    if left < 0 and leased:
                        break
                leased += map(Leased._make, self._all("lease_one", {**given, "seq": head.seq}))
            else:
                tasks = min(limit, head.bytes_or_stop - head.seq)
                if left is not None:
                    place = head.seq - head.array
                    sizes = map(len, self.slices.payloads(head.array)[place : place + tasks])
                    fitting, left = _fitting(sizes, left, alone=not leased)
                    if not fitting:
                        break
                    tasks, cut = fitting, fitting < tasks
                else:
                    cut = False
                leased.append(self.slices.lease(head.seq, head.seq + tasks, head.array, -head.rank, **given))
                if cut:
                    break
            limit -= tasks
        return leased

    # ends

    def succeed(self, rows: Sequence[Success]) -> None:
        self._exactly("succeed", rows)
        self.counts.measure([row[3] for row in rows])

    def succeed_slices(self, rows: Sequence[SucceededSlice]) -> None:
        self.slices.succeed(rows)

    def end_attempts(self, rows: Sequence[EndedAttempt]) -> None:
        self.slices.take_out(row.seq for row in rows)
        fields = [{name: getattr(row, name) for name in EndedAttempt.__slots__} for row in rows]
        self._exactly("end_attempt", fields)
        self.counts.measure([row.seq for row in rows if row.state >= ENDED])
        self._many("log_attempt", fields)
        self._many("forget_snoozed_logs", fields)
        self._many("forget_snoozed", fields)

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

    def revive(self, seq: int) -> None:
        self.slices.take_out([seq])
        self.counts.measure([seq], -1)
        self._exactly("revive", [(seq,)])

    # time

    def next_due(self) -> int | None:
        self.settle()
        return _nearest(self._value("next_due"), self._value("next_due_slice"))

    def promote(self, now: int, limit: int) -> list[int]:
        self.settle()
        return self._promoted(self._all("due", (now, limit)), self._all("slices_due", (now, limit)))

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
