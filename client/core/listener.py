"""Whom the I/O thread gives the outcomes of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...common.contract.tasks import OutcomeRow
from ...common.errors import TqError


class Listener(Protocol):
    """A OutcomeBox, or who has other uses for outcomes. Called in the I/O thread."""

    def __hash__(self) -> int: ...
    def put(self, rows: Sequence[OutcomeRow]) -> None: ...
    def fail(self, error: TqError) -> None:
        """What has not arrived never will."""
