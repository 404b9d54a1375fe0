"""What the supervisor has its jobs run by, and who hears of it: a child process, or a thread in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ...common.errors import TqError
from ...common.wire.protocol import Request
from ..agent.jobs import Death, Job, JobReport


class Runner(Protocol):
    """One slot's worth of running. Its effects are the agent's orders; see ``effects.Effects``."""

    number: int
    pid: int
    ready: bool
    is_retired: bool

    def send(self, jobs: list[Job]) -> None: ...
    def unread(self) -> int: ...
    def take_back(self) -> list[int]: ...
    def notify(self, ordinal: int, kind: str) -> None: ...
    def signal(self, *, kill: bool) -> None: ...
    def dump_stacks(self) -> None: ...
    def look(self) -> None:
        """Tell the owner what progress there is."""

    def answer(self, call_id: int, value: Any, error: TqError | None) -> None:
        """Bring the answer to a call that the owner was asked for."""

    def retire(self) -> None: ...
    def close_tickets(self) -> None:
        """It gets nothing more: it ends once it has nothing to do."""


class RunnerOwner(Protocol):
    """Who hears of a body's doings."""

    def child_hello(self, child: Runner, tasks: list[list[str]]) -> None: ...
    def child_failed(self, child: Runner, known: bool, text: str) -> None: ...
    def child_printed(self, child: Runner, ordinal: int, text: bytes) -> None: ...
    def child_progressed(self, child: Runner, ordinal: int, progress: list[Any]) -> None: ...
    def child_reported(self, child: Runner, reports: list[JobReport]) -> None: ...
    def child_called(self, child: Runner, request: Request) -> None: ...
    def child_distrusted(self, child: Runner, why: str) -> None:
        """It said what it cannot say; the owner ends it."""

    def child_died(self, child: Runner, death: Death) -> None: ...
    def broke(self, error: Exception) -> None:
        """What the worker did with something of a body raised what it should not: it is logged."""


class MakeRunner(Protocol):
    """Starts one; called in the owner's loop."""

    def __call__(
        self, owner: RunnerOwner, number: int, sources: Sequence[str], allow: Sequence[str], /
    ) -> Runner: ...
