"""What the parts that give out and end tasks tell whoever counts. See ``master/observe/meters.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ...common.domain.model import OutcomeNumber, StateNumber
from ..store.interface.tasks import Leased
from .leases import Running
from .routes import Lane


class TaskMeter(Protocol):
    stale: int  # reports that came too late

    def accepted(self, groups: Sequence[tuple[Lane, int, int]]) -> None: ...
    def leased(self, rows: Sequence[Leased], now: int) -> None: ...
    def reported(self, rows: Sequence[Sequence[Any]], running: Mapping[bytes, Running]) -> None: ...
    def begun(self, lane: int) -> None: ...
    def came_back(self, lane: int) -> None: ...
    def attempt_ended(self, held: Running, outcome: OutcomeNumber, state: StateNumber) -> None: ...
