"""The worker's log of attempts that failed: which task, and the type of its error. A line each, few of a flood.

An attempt that took too long has a line of its own (`task.timeout`), and so has one whose process died (`child.died`). Whether
a task runs again is the master's decision, and stands in its log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ...common.domain.ids import show_id
from ...common.domain.model import OutcomeNumber
from ...common.runtime.callbacks import WORKER, contained, report_bug
from ...common.runtime.limited_log import SECONDS_A_LINE, LimitedLog
from ...common.values.failure import Failure
from ..agent.jobs import Job

FAILED: Final = frozenset({OutcomeNumber.ERROR, OutcomeNumber.RETRY, OutcomeNumber.DISCARD})
TYPE_CHARS_MAX: Final = 200  # of an exception's type, which the task chose


class WorkerAttemptLog:
    """``EndedJobs.watch_unsuccessful``."""

    def __init__(self, report: Callable[..., None], loop: asyncio.AbstractEventLoop) -> None:
        self._report, self._loop = report, loop
        self._log = LimitedLog(report, "attempt.failed")
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, job: Job, outcome: int, body: bytes | None) -> None:
        if outcome not in FAILED:
            return
        self._log.write(
            self._loop.time(),
            task=show_id(job.id),
            name=job.name,
            queue=job.queue,
            attempt=job.number,
            outcome=str(OutcomeNumber(outcome)),
            type=Failure.heading(body).type[:TYPE_CHARS_MAX],
        )
        # Without it the number of those left out would be logged only with the next failure.
        if self._log.left_out and self._timer is None:
            self._timer = self._loop.call_later(2 * SECONDS_A_LINE, self._count_rest)

    @contained
    def _count_rest(self) -> None:
        self._timer = None
        self._log.count_rest(self._loop.time())

    def broke(self, error: Exception) -> None:
        report_bug(self._report, error, WORKER)
