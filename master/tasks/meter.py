"""The interface through which the parts that lease and end tasks report to meters. ``master/observe/meters.py`` implements it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ...common.domain.model import OutcomeNumber, StateNumber
from ..store.interface.slices import LeasedSlice
from ..store.interface.tasks import Leased
from .leases import LeasedAttempt, LeasedTasks
from .reports import ReportedSlice
from .route import Route


class TaskMeter(Protocol):
    stale: int  # reports that came too late

    def accepted(self, groups: Sequence[tuple[Route, int, int]]) -> None: ...
    def leased(self, rows: Sequence[Leased | LeasedSlice], now: int) -> None: ...
    def reported(
        self, rows: Sequence[Sequence[Any]], slices: Sequence[ReportedSlice], running: LeasedTasks
    ) -> None: ...
    def begun(self, route: int) -> None: ...
    def came_back(self, route: int) -> None: ...
    def attempts_ended(
        self, held: LeasedAttempt, outcome: OutcomeNumber, state: StateNumber, times: int
    ) -> None: ...
