"""What receives the outcomes of tasks from the I/O thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...common.contract.tasks import OutcomeSlice
from ...common.errors import TqError


class Listener(Protocol):
    """An OutcomeBox, or another receiver of outcomes. Called in the I/O thread, so it must not block."""

    def __hash__(self) -> int: ...
    def put(self, slices: Sequence[OutcomeSlice]) -> None: ...
    def fail(self, error: TqError) -> None:
        """Outcomes that have not arrived yet never will."""
