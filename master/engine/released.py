"""Calls that one deed releases all at once, however many wait: what they waited for is decided in its transaction, and they are answered
in portions. Pure.

::

    set, the last party, the last item, shutdown, delete ─► released ─┬─► answered in this transaction: so many
                                                                      └─► answered in the next ones, in order

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

Answer = object | TqError
"""Or an error to be refused with."""


class Released(Part):
    name = "calls that were released together"

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        # Not a plain dict: popping the first entry of a dict scans all entries that were removed before it.
        self._left: OrderedDict[Call, Answer] = OrderedDict()
        self._room = GIVEN_MAX  # calls that are answered in one transaction
        self._fresh: list[Call] = []  # of this transaction, that were not answered

    def begin(self) -> None:
        self._room = GIVEN_MAX

    def answer_all(self, calls: Iterable[Call], answer: Answer) -> None:
        """They are parked no more, and answered all the same."""
        self.answer_each((call, answer) for call in calls)

    def answer_each(self, calls: Iterable[tuple[Call, Answer]]) -> None:
        for call, answer in calls:
            if self._room > 0 and not self._left:
                self._answer(call, answer)
                continue
            self._left[call] = answer
            call.abandon = partial(self._forget, call)
            self._fresh.append(call)
        if self._left:
            self._agenda.set(self, GO_ON, 0)

    def _forget(self, call: Call) -> None:
        self._left.pop(call, None)

    def due(self, key: Hashable, now: Now) -> None:
        while self._left and self._room > 0:
            self._answer(*self._left.popitem(last=False))
        self._agenda.set(self, GO_ON, 0 if self._left else None)

    def _answer(self, call: Call, answer: Answer) -> None:
        self._room -= 1
        call.abandon = None
        if isinstance(answer, TqError):
            call.refuse(answer)
        else:
            call.answer(answer)

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
