"""Deletes flows that ended so long ago that the results of their tasks are gone."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from ..engine.agenda import Clock
from ..engine.clock import Now
from ..engine.core import Core
from ..engine.part import Part
from ..store.interface.flows import FlowRow
from ..store.interface.store import Picture
from ..tasks.scheduled import Nearest

FORGOTTEN_MAX: Final = 2_000  # rows that are deleted in one transaction
OLD: Final = "old"


class FlowRetention(Part):
    name = "old flows"

    def __init__(self, core: Core) -> None:
        self._core, self._store = core, core.store.flows
        self._kept_ms = core.limits.result_ttl_ms
        self._nearest = Nearest(core.agenda, self, OLD, Clock.STEADY)

    def load(self, picture: Picture, now: Now) -> None:
        self._expect_oldest()

    def ended(self, row: FlowRow, now: Now) -> None:
        self._nearest.expect(now.steady + self._kept_ms + 1)

    def due(self, key: Hashable, now: Now) -> None:
        if self._core.timeline.jumped:  # the time is uncertain
            self._core.agenda.set(self, OLD, now.mono)
            return
        self._store.forget(now.steady - self._kept_ms, FORGOTTEN_MAX)
        self._expect_oldest()

    def _expect_oldest(self) -> None:
        oldest = self._store.oldest()
        self._nearest.set(None if oldest is None else oldest + self._kept_ms + 1)
