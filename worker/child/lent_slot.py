"""A task that waits for other tasks says so to its worker, which lends its slot meanwhile: see ``common.domain.context.LentSlot``.

Its calls go where those of an App in the task go, and are answered by the worker itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from itertools import count
from typing import Any, Final

from ...common.domain.id_runs import IdRun
from ...common.errors import TqError
from ...common.wire.caller import Link

SLOT: Final = "slot"
RUNS_MAX: Final = 1_000  # of tasks that one wait names: enough to find something to run
TASKS_MAX: Final = 1_000_000

_numbers = count(1)  # of the waits of this process


class LentByTask:
    """See ``common.domain.context.LentSlot``. ``ordinal``: of the job whose task waits."""

    def __init__(self, link: Link, ordinal: int, runs: Sequence[IdRun]) -> None:
        self._link, self._number = link, next(_numbers)
        named = [run.to_wire() for run in _some(runs)]
        self._wait: Future[Any] = link.call((SLOT,), "wait", self._number, ordinal, named)

    def check(self) -> None:
        error = self._wait.exception() if self._wait.done() else None
        if isinstance(error, TqError):
            raise error

    def end(self) -> None:
        if not self._wait.done():
            self._link.call((SLOT,), "woke", self._number)


def _some(runs: Sequence[IdRun]) -> list[IdRun]:
    """The first ones, as many as a wait may name."""
    some: list[IdRun] = []
    left = TASKS_MAX
    for run in runs[:RUNS_MAX]:
        if left > 0:
            some.append(run.part(0, min(left, run.length)))
            left -= run.length
    return some
