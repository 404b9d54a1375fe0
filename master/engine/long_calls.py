"""Calls that are more than one transaction has time for, though each is allowed: done in portions, and answered at the end.

::

    a call with items ─► perform ─► ■ ■ ■ ─┬─► all of them: its answer
                                           └─► a portion: it is parked, and goes on in the next transaction, with the others

An item is done once, in one transaction; what it is about may have changed since the call came. A transaction that fails is
done again from where the call was durable. The keys whose calls wait share each transaction, and of one key they are done in order: a
key that asks for much waits for itself. What an item raises is the call's answer, and the rest of it is not done.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...common.errors import TqError
from .accounts import Account
from .agenda import Agenda
from .clock import Now
from .part import Part
from .refusals import voids
from .session import LATER, Call, Session

ITEM_BYTES: Final = 160  # of memory for one that waits
GO_ON: Final = "go on"
# A call of no more than this part of a transaction's items is bounded as all calls are: see work.py
SHORT: Final = 10
ROUNDING: Final = 1e-6  # of an item, in the sums of shares

Perform = Callable[[Sequence[Any], Now], list[Any] | None]
"""Does some items; what they add to the answer, or None: nothing."""


@dataclass(slots=True, eq=False, kw_only=True)
class LongCall:
    """``line``: the account of its key, None: the master's own. ``most``: items in one transaction, if nothing else is under way.
    ``at``: how many are done; ``durable``: for certain, with so many rows of the answer. ``call``: it is parked."""

    items: Sequence[Any]
    do: Perform
    most: int
    line: Account | None
    owner: Hashable
    call: Call | None = None
    rows: list[Any] | None = None
    at: int = 0
    durable: int = 0
    durable_rows: int = 0
    growing: list[Any] | None = None  # the items, if doing some adds others,
    durable_items: int = 0  # and how many of them there are for certain

    @property
    def is_done(self) -> bool:
        return self.at == len(self.items)

    def leave(self) -> None:
        """The caller no longer waits for the answer."""
        self.call = None

    def portion(self, share: float) -> Sequence[Any]:
        """What it does in this share of a transaction."""
        return self.items[self.at : self.at + int(share * self.most + ROUNDING)]

    def stop(self) -> None:
        """Nothing more of it is done, whatever becomes of the transaction."""
        self.items, self.growing = (), None
        self.at = self.durable = 0

    def committed(self) -> None:
        if self.growing is not None:  # what is done of them is not kept: a tree may have very many
            del self.growing[: self.at]
            self.at, self.durable_items = 0, len(self.growing)
        self.durable, self.durable_rows = self.at, len(self.rows or ())

    def void(self) -> None:
        self.at = self.durable
        if self.growing is not None:
            del self.growing[self.durable_items :]
        if self.rows is not None:
            del self.rows[self.durable_rows :]


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
        grows: bool = False,
    ) -> object:
        """The answer to a call, at most ``most`` items of it in a transaction. Without a call they are done all the same.
        ``owner``: in place of what was begun for the same one. ``grows``: ``do`` adds to ``items``. Raises QuotaExceeded."""
        line = None if call is None else call.session.account
        # Behind what its key has asked for before: the order of its calls is kept.
        is_first = not any(other.line is line and not other.is_done for other in self._waiting)
        if call is not None and is_first and not grows:
            if len(items) * SHORT <= most:
                return do(items, now)
            if len(items) <= self._share * most + ROUNDING:
                # Done at once, but on the share of this transaction: many such calls together are a long one, too.
                self._share -= len(items) / most
                return do(items, now)
        one = LongCall(items=items, do=do, most=most, line=line, owner=owner)
        if grows:
            assert isinstance(items, list)  # noqa: S101 - by its caller
            one.growing, one.durable_items = items, len(items)
        if call is not None:
            # It may be refused here, before anything of it is done.
            call.hold(len(items) * ITEM_BYTES)
            one.call, call.abandon = call, one.leave
        if owner is not None:  # of the same owner one with a caller stays: its answer was promised
            self._waiting = [
                other for other in self._waiting if other.owner != owner or other.call is not None
            ]
        self._waiting.append(one)
        # At once as far as there is room, or each long call would take a transaction more.
        if is_first:
            self._go_on_with([one], self._share, now)
        self._wake(now)
        return LATER if call is not None else None  # it may be answered by now

    def due(self, key: Hashable, now: Now) -> None:
        lines: dict[Account | None, list[LongCall]] = {}
        for one in self._waiting:
            lines.setdefault(one.line, []).append(one)
        served: list[LongCall] = []
        put_off: list[LongCall] = []
        # Of n keys the first gets a share of 1/n, the next one 1/(n-1) of what
        # is left: what one does not use is for the others.
        for others, line in zip(range(len(lines), 0, -1), lines.values(), strict=True):
            before = self._share
            # A share of less than one item would be used by no one.
            least = 1 / next((one.most for one in line if not one.is_done), 1)
            self._go_on_with(line, min(before, max(before / others, least)), now)
            (served if self._share < before else put_off).extend(line)
        # Of more keys than a transaction does items of, those without one are the first in the next transaction.
        self._waiting = [*put_off, *served]
        self._wake(now)

    def _go_on_with(self, line: Iterable[LongCall], share: float, now: Now) -> None:
        for one in line:
            if one.is_done:
                continue  # in this transaction; it is durable soon
            portion = one.portion(share)
            if not portion:
                break
            share -= len(portion) / one.most
            self._share -= len(portion) / one.most
            self._do(one, portion, now)

    def _do(self, one: LongCall, portion: Sequence[Any], now: Now) -> None:
        try:
            more = one.do(portion, now)
        except TqError as error:
            if voids(error):
                raise
            self._answer(one, error)
            one.stop()
            return
        except Exception as error:
            one.stop()  # repeated, it would meet the bug again
            if one.call is not None:  # it came with an earlier transaction, which is not the one that fails
                one.call.abandon = None
                one.call.meets_bug(error)
            raise
        one.at += len(portion)
        if more is not None:
            one.rows = [*(one.rows or ()), *more]
        if one.is_done:
            self._answer(one, None)

    def _answer(self, one: LongCall, error: TqError | None) -> None:
        call, one.call = one.call, None
        if call is not None:
            call.abandon = None
            if error is None:
                call.answer(one.rows)
            else:
                call.refuse(error)

    def _wake(self, now: Now) -> None:
        if not all(one.is_done for one in self._waiting):
            self._agenda.set(self, GO_ON, now.mono)

    def committed(self) -> None:
        for one in self._waiting:
            one.committed()
        self._waiting = [one for one in self._waiting if not one.is_done]

    def void(self) -> Iterable[Session]:
        """Calls that were answered in this transaction are refused by the engine."""
        for one in self._waiting:
            one.void()
        return ()
