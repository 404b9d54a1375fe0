"""A task that waits for other tasks says so to its worker, which lends its slot meanwhile: see ``common.domain.context.LentSlot``.

Its calls go where those of an App in the task go, and are answered by the worker itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from itertools import count
from typing import Any, Final

from ...common.domain.id_runs import IdRun, first_runs
from ...common.domain.on_error import NEEDED_MAX
from ...common.errors import TqError
from ...common.wire.caller import PlainLink

SLOT: Final = "slot"
RUNS_MAX: Final = 1_000  # of tasks that one wait names: enough to find something to run

_numbers = count(1)  # of the waits of this process


class LentByTask:
    """See ``common.domain.context.LentSlot``. ``ordinal``: of the job whose task waits."""

    def __init__(self, link: PlainLink, ordinal: int, runs: Sequence[IdRun]) -> None:
        self._link, self._number = link, next(_numbers)
        named = [run.to_wire() for run in first_runs(runs, RUNS_MAX, NEEDED_MAX)]
        self._wait: Future[Any] = link.call((SLOT,), "wait", self._number, ordinal, named)

    def check(self) -> None:
        error = self._wait.exception() if self._wait.done() else None
        if isinstance(error, TqError):
            raise error

    def end(self) -> None:
        if not self._wait.done():
            self._link.call((SLOT,), "woke", self._number)
