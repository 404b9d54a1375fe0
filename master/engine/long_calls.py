"""Calls that are more than one transaction has time for, though each is allowed: done in portions, and answered at the end.

::

    a call with items ─► perform ─► ■ ■ ■ ─┬─► all of them: its answer
                                           └─► a portion: it is parked, and goes on in the next transaction, with the others

An item is done once, in one transaction; what it is about may have changed since the call came. A transaction that fails is
done again from where the call was durable.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .agenda import Agenda
from .clock import Now
from .part import Part
from .session import LATER, Call, Session

ITEM_BYTES: Final = 160  # of memory for one that waits
GO_ON: Final = "go on"

Perform = Callable[[Sequence[Any], Now], list[Any] | None]
"""Does some items; what they add to the answer, or None: nothing."""


@dataclass(slots=True, eq=False, kw_only=True)
class LongCall:
    """``most``: items in one transaction, if nothing else is under way. ``at``: how many are done; ``durable``: for certain, with
    so many rows of the answer. ``call``: it is parked."""

    items: Sequence[Any]
    do: Perform
    most: int
    owner: Hashable
    call: Call | None = None
    rows: list[Any] | None = None
    at: int = 0
    durable: int = 0
    durable_rows: int = 0

    @property
    def is_done(self) -> bool:
        return self.at == len(self.items)

    def leave(self) -> None:
        """The caller no longer waits for the answer."""
        self.call = None


class LongCalls(Part):
    name = "long calls"

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self._share = 1.0  # what is left of this transaction's
        self._waiting: list[LongCall] = []

    def begin(self) -> None:
        self._share = 1.0

    def perform(
        self,
        call: Call | None,
        items: Sequence[Any],
        do: Perform,
        now: Now,
        *,
        most: int,
        owner: Hashable = None,
    ) -> object:
        """The answer to a call, at most ``most`` items of it in a transaction. Without a call they are done all the same.
        ``owner``: in place of what was begun for the same one. Raises QuotaExceeded."""
        one = LongCall(items=items, do=do, most=most, owner=owner)
        if call is not None and len(items) > int(self._share * most):
            call.hold(len(items) * ITEM_BYTES)
            one.call, call.abandon = call, one.leave
        if owner is not None:
            self._waiting = [
                other for other in self._waiting if other.owner != owner or other.call is not None
            ]
        self._waiting.append(one)
        self._go_on(now)
        return one.rows if one.call is None else LATER

    def due(self, key: Hashable, now: Now) -> None:
        self._go_on(now)

    def _go_on(self, now: Now) -> None:
        for one in self._waiting:
            portion = one.items[one.at : one.at + int(self._share * one.most)]
            if portion:
                self._share -= len(portion) / one.most
                more = one.do(portion, now)
                one.at += len(portion)
                if more is not None:
                    one.rows = [*(one.rows or ()), *more]
            if one.is_done and one.call is not None:
                call, one.call = one.call, None
                call.abandon = None
                call.answer(one.rows)
        if not all(one.is_done for one in self._waiting):
            self._agenda.set(self, GO_ON, now.mono)

    def committed(self) -> None:
        for one in self._waiting:
            one.durable, one.durable_rows = one.at, len(one.rows or ())
        self._waiting = [one for one in self._waiting if not one.is_done]

    def void(self) -> Iterable[Session]:
        """Calls that were answered in this transaction are refused by the engine."""
        for one in self._waiting:
            one.at = one.durable
            if one.rows is not None:
                del one.rows[one.durable_rows :]
        return ()
