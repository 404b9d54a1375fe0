"""Leases that workers hand back, as many at a time as one transaction has room for. Pure.

::

    release ─────────────────────────┐                     a portion in this transaction, the next one in the next
    announce, without what it held ──┴─► ■ ■ ■ ■ ─► Completion.release ─► the answer to the call

A worker may hold a hundred thousand leases, and to end one that had begun takes a quarter of a millisecond. What is handed back
stays leased until its turn comes; a lease that has ended by then, or is another one, is passed over.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final

from ..engine.agenda import Agenda
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import LATER, Call, Session
from ..tasks.completion import Completion

ENDED_MAX: Final = (
    1_000  # leases that one transaction ends for workers: a quarter of a second if all had begun
)
ROW_BYTES: Final = 160  # of memory for one that waits
GO_ON: Final = "go on"

HeldRow = tuple[bytes, int, bytes, float | None]
"""Task, attempt and lease, and for how many seconds the attempt has run if it has begun."""


@dataclass(slots=True, eq=False)
class HandBack:
    """``at``: how many rows were handed back; ``durable``: how many for certain. ``call``: it is parked, and answered at the
    end."""

    rows: list[HeldRow]
    begun: bool
    call: Call | None
    worker: int | None
    at: int = 0
    durable: int = 0

    @property
    def is_done(self) -> bool:
        return self.at == len(self.rows)

    def leave(self) -> None:
        """Nobody waits for the answer any more."""
        self.call = None


class HandBacks(Part):
    name = "leases that are handed back"

    def __init__(self, completion: Completion, agenda: Agenda) -> None:
        self._completion, self._agenda = completion, agenda
        self._left = ENDED_MAX  # in this transaction
        self._waiting: list[HandBack] = []

    def begin(self) -> None:
        self._left = ENDED_MAX

    def release(self, call: Call, rows: list[HeldRow], now: Now, *, begun: bool) -> object:
        """A worker's call, see ``Completion.release``. Raises QuotaExceeded."""
        one = HandBack(rows, begun, None, None)
        if len(rows) > self._left:
            call.hold(len(rows) * ROW_BYTES)
            one.call, call.abandon = call, one.leave
        self._add(one, now)
        return None if one.call is None else LATER

    def not_held(self, worker: int, rows: list[HeldRow], now: Now) -> None:
        """A worker, by its number, does not have these, which are leased to it. In place of what it said before."""
        self._waiting = [one for one in self._waiting if one.worker != worker]
        self._add(HandBack(rows, False, None, worker), now)

    def _add(self, one: HandBack, now: Now) -> None:
        self._waiting.append(one)
        self._go_on(now)

    def due(self, key: Hashable, now: Now) -> None:
        self._go_on(now)

    def _go_on(self, now: Now) -> None:
        for one in self._waiting:
            portion = one.rows[one.at : one.at + self._left]
            if portion:
                self._completion.release(portion, now, begun=one.begun)
                one.at += len(portion)
                self._left -= len(portion)
            if one.is_done and one.call is not None:
                call, one.call = one.call, None
                call.abandon = None
                call.answer(None)
        if not all(one.is_done for one in self._waiting):
            self._agenda.set(self, GO_ON, now.mono)

    def committed(self) -> None:
        for one in self._waiting:
            one.durable = one.at
        self._waiting = [one for one in self._waiting if not one.is_done]

    def void(self) -> Iterable[Session]:
        """Goes on where it was durable. Calls that were answered in this transaction are refused by the engine."""
        for one in self._waiting:
            one.at = one.durable
        return ()
