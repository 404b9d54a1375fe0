"""The store's verbs for the life of tasks: submitted, leased, ended, due, forgotten. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from ....common.domain.id_runs import IdRun
from .slices import LeasedSlice

WITH_DEADLINE: Final = 1 << 62  # what has one goes before what has none
SEQ_BITS: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class NewShared:
    """What tasks to insert have in common."""

    route: int
    state: int  # READY, SCHEDULED, BLOCKED, or RUNNING when a worker already waits for them
    created: int
    attempt: int = 0
    lease: bytes | None = None
    worker: int | None = None
    started: int | None = None
    priority: int = 0
    due: int | None = None
    at: int | None = None  # instead of due, on the wall's clock
    expires: int | None = None
    timeout: float | None = None
    options: bytes | None = None
    origin: int | None = None  # of ``Picture.origins``
    ttl: int | None = None  # ms from their end until they are deleted; None: as all others
    deadline: int | None = None  # when they should have ended


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTasks(NewShared):
    """Tasks that differ in their number, id and payload."""

    tasks: Sequence[tuple[int, bytes, bytes]]  # seq, id, payload


@dataclass(frozen=True, kw_only=True, slots=True)
class NewArray(NewShared):
    """Tasks with consecutive numbers and ids, which may be stored as one array."""

    seq: int  # of the first one
    id: bytes  # of the first one; the i-th has this plus i
    payloads: Sequence[bytes]
    lanes: bytes | None = None  # in which lane each of them stands; None: in that of the route
    tags: bytes | None = None  # arguments by which each of them is found; None: they have none

    @property
    def tasks(self) -> Sequence[tuple[int, bytes, bytes]]:
        """The same by themselves."""
        ids = IdRun(self.id, len(self.payloads)).ids()
        return [
            (seq, id, payload)
            for seq, (id, payload) in enumerate(zip(ids, self.payloads, strict=True), self.seq)
        ]


class Leased(NamedTuple):
    priority: int
    seq: int
    id: bytes
    route: int
    attempt: int
    returned: int
    crashes: int
    timeout: float | None
    origin: int | None
    options: bytes | None
    payload: bytes


Success = tuple[bytes | None, int, int, int, int, bytes]
"""Result, started, finished, seq, attempt, lease: a plain tuple, for one is made for every task there is."""


class EndedAttempt(NamedTuple):
    """An attempt that did not succeed, and where its task goes."""

    seq: int
    attempt: int
    number: int  # as people count it: without the leases that came back unstarted
    lease: bytes
    worker: int | None
    outcome: int
    started: int | None
    ended: int
    body: bytes | None
    state: int
    due: int | None
    failures: int
    crashes: int
    finished: int | None


class Returned(NamedTuple):
    """A lease that ended before its task began, and where the task goes: READY, or CANCELLED."""

    state: int
    finished: int | None
    seq: int
    attempt: int
    lease: bytes


class Expired(NamedTuple):
    """A task, or neighbours of an array."""

    seq: int
    stop: int  # behind the last one
    id: bytes  # of the first one; the i-th has this plus i
    route: int
    state: int  # before
    origin: int | None


class Want(NamedTuple):
    """What a call that waits for tasks is to get."""

    tasks: int  # at most
    lease: bytes
    worker: int


class NamedTasks(NamedTuple):
    """Ready tasks of a lane in which the store does not know them to be. ``seqs``: in order."""

    lane: int
    priority: int
    seqs: array[int]


class Promoted(NamedTuple):
    """A task, or neighbours of an array, that waited for a moment."""

    route: int
    seq: int
    stop: int  # behind the last one


class LaneOrder(NamedTuple):
    """In which order the tasks of a lane are leased that does not go by priority and age alone. Each field is a difference to that.

    With ``aging`` the time is cut into periods of so many ms, of which ``period`` is the one that counts as now: a task has one step more
    of priority for each that has begun since it was submitted."""

    is_lifo: bool = False  # of the same priority the one that was submitted last goes first
    aging: int = 0
    period: int = 0
    by_deadline: bool = False  # and the one with the earliest deadline before that

    def place(self, priority: int, seq: int, created: int, deadline: int | None) -> tuple[int, int]:
        """What has the lower one is leased first: below zero the priority with what waiting adds to it, and the turn within that."""
        rank = -(priority + (self.period - created // self.aging if self.aging else 0))
        if (
            self.by_deadline and deadline is not None
        ):  # of the same deadline the oldest goes first, also where that is lifo
            return rank, ((deadline - WITH_DEADLINE) << SEQ_BITS) + seq
        return rank, -seq if self.is_lifo else seq


class TaskStore(Protocol):
    def insert(self, groups: Sequence[NewTasks | NewArray]) -> bool:
        """All of the tasks, or (False) none because some id is already there."""

    def first_ready(self, route: int, order: LaneOrder | None = None) -> tuple[int, int] | None:
        """Priority of the task of this lane that is leased next, and its turn among those of the same priority: of those of one queue
        the lowest goes first; in a lane without an ``order`` it is the task's number."""

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
        """Up to ``limit`` ready tasks of these lanes, highest priority first, then oldest; now RUNNING. ``rooms``: of these lanes at
        most so many. ``least``: with ``rooms``, none of a lower priority. ``named``: these, too, as tasks of their lanes. ``orders``: with
        ``rooms``, of lanes that have one. Together
        their payloads have at most ``bytes_max``, unless it is one alone; None: they are known to be small.
        """

    def lease_each(
        self, routes: Sequence[int], wants: Sequence[Want], now: int
    ) -> list[list[Leased | LeasedSlice]]:
        """The same for several calls at once, in their order: what each of them gets. Their payloads are known to be small."""

    def lease_these(
        self, runs: Sequence[IdRun], want: Want, bytes_max: int, now: int
    ) -> list[Leased | LeasedSlice]:
        """As ``lease``, of these tasks those that are ready."""

    # ends
    def succeed(self, rows: Sequence[Success]) -> None: ...
    def end_attempts(self, rows: Sequence[EndedAttempt]) -> None: ...
    def return_unstarted(self, rows: Sequence[Returned]) -> None: ...
    def request_cancel(self, seq: int) -> None: ...
    def cancel_waiting(self, seqs: Sequence[int], now: int) -> None: ...
    def revive(self, seq: int, *, blocked: bool = False) -> None:
        """Have a task that ended without success READY again, or BLOCKED, as it was before its first attempt."""

    # time
    def next_due(self) -> int | None: ...
    def promote(self, now: int, limit: int) -> list[Promoted]:
        """Up to ``limit`` scheduled rows and slices whose ``due`` has come, now READY."""

    def wake(self, seq: int) -> None:
        """A scheduled task with a row of its own is READY before its time."""

    def next_at(self) -> int | None: ...
    def promote_at(self, wall: int, limit: int) -> list[Promoted]:
        """The same for those whose ``at`` has come."""

    def next_expiry(self) -> int | None: ...
    def expire(self, now: int, limit: int) -> list[Expired]:
        """About ``limit`` waiting tasks past their ``expires``, now EXPIRED: those that were submitted together go together."""
