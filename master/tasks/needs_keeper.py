"""What the parts for tasks ask of the one that knows which tasks need others: ``master/dependencies``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...common.domain.id_runs import IdRun
from ...common.domain.model import TaskOptions
from ..engine.clock import Now
from ..engine.session import Session
from ..store.interface.slices import LeasedSlice
from ..store.interface.tasks import Leased
from .plan import Submission
from .submitted import NewRun


class NeedsKeeper(Protocol):
    @property
    def are_open(self) -> bool:
        """Whether any task that has not ended needs others."""

    def check(self, session: Session, runs: list[NewRun], options: TaskOptions) -> None:
        """Raises InvalidArgument for tasks that need what is not there, or not for this key."""

    def accepted(self, submission: Submission, now: Now) -> None:
        """Tasks that need others are stored, as blocked."""

    def is_needed(self, id: bytes) -> bool:
        """Whether a task that has not ended needs this one."""

    def needs_of(self, id: bytes) -> Sequence[IdRun]:
        """What a task that has not ended needs."""

    def carried(self, rows: list[Leased | LeasedSlice]) -> list[Leased | LeasedSlice]:
        """What was leased for one answer, the payloads of tasks that need others with what they need."""
