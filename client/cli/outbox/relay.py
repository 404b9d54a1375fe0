"""The relay: hands rows of an outbox over to the master, each once, and makes both forget them in the right order.

::

    claim rows ─► master: hand_over(id, submit) ─► rows are sent, in the database ─► master: forget(id) ─► rows are deleted
         ▲              accepted, and a receipt          durable                        the receipt goes
         └─ waits: its queue is full, or what it needs is not there yet        refused: set aside with the reason

What if it dies behind any of these arrows? Until the row is marked as sent it is handed over again, and the master, which has its receipt,
answers that it is accepted. After that it is never handed over, and the receipt is deleted before the row that says so is.

Invariants: 1. a call that is older than CLAIM_SECONDS is not made, and none is repeated by itself: nothing reaches the master for a row that
another relay may have; 2. a row is marked as sent when the master has said that it is accepted, and not before; 3. what the master says of
one row never holds up another one, but for those of a queue that is full.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from ....common.contract.outbox import RECEIPTS_TOGETHER, row_from_bytes
from ....common.errors import (
    Forbidden,
    Full,
    InvalidArgument,
    ProtocolError,
    QuotaExceeded,
    RemoteError,
    TaskConflict,
    TqError,
    UnknownBlob,
    WrongShard,
)
from .database import ClaimedRow, OutboxDatabase

NO_SHARDS: Final = "the program has not reached the master before it wrote the row: have it call app.cluster_id() when it starts, and submit again"
CLAIM_SECONDS: Final = 60.0  # from a claim to the last answer; a master keeps receipts ten times as long
UNDER_WAY_BYTES: Final = 4 * 1024 * 1024  # of rows whose answer is not there yet, besides the last one
FULL_SECONDS: Final = 1.0  # until the rows of a full queue are tried again
NEEDED_SECONDS: Final = 60.0  # so long the rows of the tasks that one needs may come behind it
EARLY_MAX: Final = 10_000  # rows that are remembered so; more are tried again at once
REASON_MAX: Final = 1_000  # characters of why a row is set aside


class Hands(Protocol):
    """The master's side. A call fails with a TqError, or when its connection is lost; it is not repeated."""

    def hand_over(self, id: bytes, row: list[Any]) -> Future[Any]: ...
    def forget(self, ids: Sequence[bytes]) -> None: ...
    def drop(self) -> None:
        """Give up what is not answered: nothing of it may reach the master later."""


class RowFate(enum.Enum):
    SENT = "sent"
    REFUSED = "refused"
    FULL = "full"
    EARLY = "early"  # what it needs is not there yet
    UNKNOWN = "unknown"  # the master is away, or cannot store anything


class Judged(NamedTuple):
    row: ClaimedRow
    fate: RowFate
    error: BaseException | None = None

    @property
    def reason(self) -> str:
        remedy = f"; {NO_SHARDS}" if isinstance(self.error, WrongShard) else ""
        return f"{type(self.error).__name__}: {self.error}{remedy}"[:REASON_MAX]


@dataclass(slots=True)
class Totals:
    """Since the start, of rows."""

    sent: int = 0
    refused: int = 0
    deleted: int = 0
    full: dict[str, str] = field(default_factory=dict)  # why, by queue


class _Postponed(NamedTuple):
    again: float
    until: float  # then it is set aside


class OutboxRelay:
    """``clock``: seconds that only grow, also while the process is stopped."""

    def __init__(
        self,
        database: OutboxDatabase,
        master: Hands,
        clock: Callable[[], float],
        *,
        batch: int,
        keep_seconds: float = 0.0,
        report: Callable[[Judged], None] = lambda judged: None,
    ) -> None:
        self.database, self._master, self._clock = database, master, clock
        self._batch, self._keep_seconds, self._report = batch, keep_seconds, report
        self.totals = Totals()
        self._full: dict[str, float] = {}  # queues, until when
        self._early: dict[int, _Postponed] = {}  # rows, by position

    def step(self) -> bool:
        """One batch. Whether something was done, so that there may be more. Raises TqError, when the master or the database is away, or
        refuses everything: nothing is claimed then."""
        return any([self._hand_over(), self._clean()])

    @property
    def put_off(self) -> bool:
        """Whether rows were left because they cannot go yet."""
        return bool(self._full or self._early)

    def _hand_over(self) -> bool:
        now = self._clock()
        self._full = {queue: until for queue, until in self._full.items() if until > now}
        for queue in self.totals.full.keys() - self._full.keys():
            del self.totals.full[queue]
        # Behind that time it is forgotten: another relay may have handed it over.
        self._early = {row: one for row, one in self._early.items() if one.until + NEEDED_SECONDS > now}
        waiting = [position for position, one in self._early.items() if one.again > now]
        rows = self.database.claim(self._batch, self._full.keys(), waiting)
        if not rows:
            return False
        try:
            judged = self._judge(rows, now + CLAIM_SECONDS)
        except BaseException:
            # Calls that are under way must not arrive when another relay has these rows.
            self._master.drop()
            self.database.release()
            raise
        lost = next((one.error for one in judged if one.fate is RowFate.UNKNOWN), None)
        if lost is not None:
            self._master.drop()
        sent = [one.row.position for one in judged if one.fate is RowFate.SENT]
        refused = [one for one in judged if one.fate is RowFate.REFUSED]
        if sent or refused:
            self.database.settle(sent, [(one.row.position, one.reason) for one in refused])
        else:
            self.database.release()
        self.totals.sent += len(sent)
        self.totals.refused += len(refused)
        for one in judged:
            if one.fate in (RowFate.SENT, RowFate.REFUSED):
                self._early.pop(one.row.position, None)
        for one in refused:
            self._report(one)
        if lost is not None:
            raise lost
        return bool(sent or refused)

    def _judge(self, rows: Sequence[ClaimedRow], deadline: float) -> list[Judged]:
        judged: list[Judged] = []
        under_way: deque[tuple[ClaimedRow, Future[Any]]] = deque()
        size = 0
        for row in rows:
            # The rows of a queue that has no room keep their order: what comes behind is not tried either.
            if row.queue in self._full:
                continue
            try:
                said = _said(row)
            except TqError as error:
                judged.append(Judged(row, RowFate.REFUSED, error))
                continue
            if self._clock() >= deadline:
                break
            under_way.append((row, self._master.hand_over(row.id, said)))
            size += len(row.body)
            while under_way and size > UNDER_WAY_BYTES:
                size -= len(under_way[0][0].body)
                judged.append(self._answered(*under_way.popleft(), deadline))
        while under_way:
            judged.append(self._answered(*under_way.popleft(), deadline))
        return judged

    def _answered(self, row: ClaimedRow, answer: Future[Any], deadline: float) -> Judged:
        try:
            answer.result(max(0.0, deadline - self._clock()))
        except TimeoutError as error:
            return Judged(row, RowFate.UNKNOWN, error)
        except TqError as error:
            return self._refused(row, error)
        return Judged(row, RowFate.SENT)

    def _refused(self, row: ClaimedRow, error: TqError) -> Judged:
        fate = fate_of(error)
        now = self._clock()
        if fate is RowFate.FULL:
            self._full[row.queue] = now + FULL_SECONDS
            self.totals.full[row.queue] = str(error)
        if fate is RowFate.REFUSED and needs_others(row):
            known = self._early.get(row.position) or _Postponed(now, now + NEEDED_SECONDS)
            if now < known.until:
                if len(self._early) < EARLY_MAX:
                    self._early[row.position] = known._replace(again=now + FULL_SECONDS)
                return Judged(row, RowFate.EARLY, error)
        return Judged(row, fate, error)

    def _clean(self) -> bool:
        """Rows that were sent: the master forgets them first, while they are there to say that they were."""
        rows = self.database.take_sent(self._keep_seconds, RECEIPTS_TOGETHER)
        if not rows:
            return False
        try:
            self._master.forget([row.id for row in rows])
        except BaseException:
            self.database.release()
            raise
        self.database.delete([row.position for row in rows])
        self.totals.deleted += len(rows)
        return True


def fate_of(error: TqError) -> RowFate:
    """What becomes of a row whose hand-over was answered by an error."""
    match error:
        case Full() | QuotaExceeded():
            return RowFate.FULL
        case (
            InvalidArgument()
            | Forbidden()
            | TaskConflict()
            | UnknownBlob()
            | WrongShard()
            | RemoteError()
            | ProtocolError()
        ):
            return RowFate.REFUSED
        case (
            _
        ):  # the master is away, its disk is full, the relay's key was revoked: of the row it says nothing
            return RowFate.UNKNOWN


def needs_others(row: ClaimedRow) -> bool:
    """Whether its tasks wait for others, whose rows may come later: two relays share the work, and commits have no order."""
    tasks = row_from_bytes(row.body)[4]
    return isinstance(tasks, list) and any(isinstance(one, list) and len(one) > 2 for one in tasks)


def _said(row: ClaimedRow) -> list[Any]:
    """The submit of a row. Raises InvalidArgument."""
    said = row_from_bytes(row.body)
    if said[1:3] != [row.queue, row.task]:
        raise InvalidArgument(
            f"the columns of the row say {row.task} in queue {row.queue}, and its body says otherwise: a row is written by using(outbox=…)"
        )
    return said
