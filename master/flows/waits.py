"""Calls that wait until a flow has ended. They are answered in the transaction after that of the end."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from typing import Final

from ..engine.agenda import Agenda
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.released import Released
from ..engine.session import LATER, Call
from ..store.interface.flows import FlowRow
from ..store.interface.store import Picture, Store

ANSWER: Final = "answer"


class FlowWaits(Part):
    name = "calls that wait for flows"

    def __init__(self, store: Store, agenda: Agenda, released: Released) -> None:
        self._store, self._agenda, self._released = store.flows, agenda, released
        self._waiting: dict[bytes, dict[Call, None]] = {}  # by the id of the flow
        # Those of them that have ended: without it each end would cost a look at all that are waited for.
        self._over: dict[bytes, None] = {}

    def load(self, picture: Picture, now: Now) -> None:
        """Parked calls stay; what they wait for may have ended."""
        self._over = dict.fromkeys(self._waiting)
        self._agenda.set(self, ANSWER, now.mono if self._over else None)

    def wait(self, call: Call, row: FlowRow) -> object:
        """Nothing, once the flow has ended."""
        if row.finished is not None:
            return None
        self._waiting.setdefault(row.id, {})[call] = None
        call.abandon = partial(self._waits_no_longer, row.id, call)
        return LATER

    def _waits_no_longer(self, id: bytes, call: Call) -> None:
        waiting = self._waiting.get(id, {})
        waiting.pop(call, None)
        if not waiting:
            self._waiting.pop(id, None)

    def ended(self, row: FlowRow, now: Now) -> None:
        if row.id in self._waiting:
            self._over[row.id] = None
            self._agenda.set(self, ANSWER, now.mono)

    def due(self, key: Hashable, now: Now) -> None:
        over, self._over = self._over, {}
        for id in over:
            row = self._store.find(id)
            if row is None or row.finished is not None:
                self._released.answer_all(self._waiting.pop(id, ()), None)
