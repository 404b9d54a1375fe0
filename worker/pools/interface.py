"""What runs jobs, and what it calls when something happens: a child process, or a thread in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ...common.errors import TqError
from ...common.wire.protocol import Request
from ..agent.jobs import Death
from ..agent.reports import Report
from ..agent.runs import JobRun


class Runner(Protocol):
    """Runs one job after the other, or many at a time. The agent's orders to it are described in ``effects.ChildEffects``."""

    number: int
    pid: int
    ready: bool
    is_retired: bool

    def send(self, runs: list[JobRun], *, is_swift: bool) -> None: ...
    def begun(self, *, for_certain: bool = False) -> int: ...
    def take_back(self) -> int: ...
    def notify(self, ordinal: int, kind: str) -> None: ...
    def signal(self, *, kill: bool) -> None: ...
    def dump_stacks(self) -> None: ...
    def look(self) -> None:
        """Report to the owner what progress there is."""

    def answer(self, call_id: int, value: Any, error: TqError | None) -> None:
        """The answer to a call that a task made."""

    def retire(self) -> None: ...
    def end_input(self) -> None:
        """It gets no more jobs, and ends when it has none left."""


class RunnerOwner(Protocol):
    """Is called when something happens to a runner."""

    def child_hello(self, child: Runner, tasks: list[list[Any]]) -> None:
        """It is ready. ``tasks``: those that it serves, see ``ServedTasks.described``."""

    def child_failed(self, child: Runner, known: bool, text: str) -> None: ...
    def child_printed(self, child: Runner, ordinal: int, text: bytes, is_error: bool = False) -> None: ...
    def child_progressed(self, child: Runner, ordinal: int, progress: list[Any]) -> None: ...
    def child_reported(self, child: Runner, reports: list[Report]) -> None: ...
    def child_called(self, child: Runner, request: Request) -> None: ...
    def child_distrusted(self, child: Runner, why: str) -> None:
        """It broke the protocol; the owner kills it."""

    def child_died(self, child: Runner, death: Death) -> None: ...
    def broke(self, error: Exception) -> None:
        """A bug of the worker, met while it dealt with a runner: it is logged."""


class MakeRunner(Protocol):
    """Starts a runner; called in the owner's loop."""

    def __call__(
        self, owner: RunnerOwner, number: int, sources: Sequence[str], allow: Sequence[str], /
    ) -> Runner: ...
