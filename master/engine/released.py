"""Calls that one deed releases all at once, however many wait: what they waited for is decided in its transaction, and they are told in
portions. Pure.

::

    set, the last party, the last item, shutdown, delete ─► released ─┬─► told in this transaction: so many
                                                                      └─► told in the next ones, in order

Who comes later is not among them, and nothing that happens later to what they waited for changes their answer. A deed whose transaction
fails has not happened: those that it released are refused with the others of that transaction, and their callers ask again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from functools import partial
from typing import Final

from ...common.errors import TqError
from .agenda import Agenda
from .clock import Now
from .part import Part
from .portions import GIVEN_MAX
from .session import Call, Session

GO_ON: Final = "go on"

Told = object | TqError
"""An answer, or an error to be refused with."""


class Released(Part):
    name = "calls that were released together"

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        # Not a plain dict: popping the first entry of a dict scans all entries that were removed before it.
        self._left: OrderedDict[Call, Told] = OrderedDict()
        self._room = GIVEN_MAX  # calls that are told in one transaction
        self._fresh: list[Call] = []  # of this transaction, that were not told

    def begin(self) -> None:
        self._room = GIVEN_MAX

    def tell(self, calls: Iterable[Call], told: Told) -> None:
        """They are parked no more, and told all the same."""
        self.tell_each((call, told) for call in calls)

    def tell_each(self, calls: Iterable[tuple[Call, Told]]) -> None:
        for call, told in calls:
            if self._room > 0 and not self._left:
                self._tell(call, told)
                continue
            self._left[call] = told
            call.abandon = partial(self._forget, call)
            self._fresh.append(call)
        if self._left:
            self._agenda.set(self, GO_ON, 0)

    def _forget(self, call: Call) -> None:
        self._left.pop(call, None)

    def due(self, key: Hashable, now: Now) -> None:
        while self._left and self._room > 0:
            self._tell(*self._left.popitem(last=False))
        self._agenda.set(self, GO_ON, 0 if self._left else None)

    def _tell(self, call: Call, told: Told) -> None:
        self._room -= 1
        call.abandon = None
        if isinstance(told, TqError):
            call.refuse(told)
        else:
            call.answer(told)

    def committed(self) -> None:
        self._fresh.clear()

    def void(self) -> Iterable[Session]:
        """What is answered in a transaction that fails is refused by the engine."""
        for call in self._fresh:
            if call in self._left:  # its caller has not given up
                del self._left[call]
                call.abandon = None
                call.answer(None)
        self._fresh.clear()
        return ()
