"""How a child that runs many jobs runs one of them: a coroutine as a task of its loop, a function in a thread.

::

    begin ─┬─► coroutine: arguments ─► the task of its loop ─┬─► ``end``, on the loop
           └─► function: a thread ─► arguments ─► the call ──┘
    a callable that has to be imported, and arguments that need results of other tasks, are dealt with in a thread
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context as Variables
from functools import partial
from typing import Any, NoReturn

from ...common.domain.model import OutcomeNumber
from ...common.errors import CancelRequested, TimeLimit
from ...common.runtime.callbacks import contained
from ...common.values.blob import Blob, fetched_by
from ...common.values.codec import decode_work
from ...common.values.failed import failed
from ...common.values.needed import Rows, get_needed_from
from ...common.wire.caller import Link
from .became import became
from .concurrent_job import ConcurrentJob, enter
from .fork_guard import ForkGuard
from .needed import fetch
from .served import ServedTask, ServedTasks, encode_result
from .task_threads import StepRunner
from .verdict import Verdict, interruption_message, verdict


class _NeedsThread(BaseException):
    """The arguments need results of other tasks, which are fetched: that is not done on the loop. No ``Exception``, which what
    decodes would take for a fault of the arguments."""


class JobRuns:
    """``end``: called on the loop with each job that has ended. ``on_bug``: with what a callback raises."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tasks: ServedTasks,
        threads: StepRunner,
        line: Link,
        fork_guard: ForkGuard,
        end: Callable[[ConcurrentJob, Verdict], None],
        on_bug: Callable[[Exception], NoReturn],
    ) -> None:
        self._loop, self._tasks, self._line, self._fork_guard = loop, tasks, line, fork_guard
        self._end, self._on_bug = end, on_bug
        self._threads = threads
        get_needed_from(_not_on_the_loop, failed)

    def broke(self, error: Exception) -> None:
        self._on_bug(error)

    def begin(self, job: ConcurrentJob) -> None:
        served = self._tasks.get(job.block.name)
        if served is not None and served.is_coroutine:
            self._begin_coroutine(job, served)
        else:  # also what has to be imported first
            self._begin_thread(job, served)

    # coroutines

    def _begin_coroutine(self, job: ConcurrentJob, served: ServedTask) -> None:
        # Empty, not a copy: a job must not inherit what another has set.
        variables = Variables()
        variables.run(enter, job)
        job.task = self._loop.create_task(self._run_coroutine(job, served), context=variables)
        job.task.add_done_callback(partial(self._task_done, job))

    async def _run_coroutine(self, job: ConcurrentJob, served: ServedTask) -> None:
        try:
            try:
                work = self._decoded(job)
            except _NeedsThread:
                work = await asyncio.to_thread(self._decoded_in_thread, job)
            value, style = _called(served, work, job)
            job.inner = value
            ended, blobs = _result(await value, style)
            if blobs:  # uploading may take long: the time limit covers it
                job.named = await asyncio.to_thread(job.blobs.send, blobs)
        except (
            BaseException
        ) as error:  # SystemExit and KeyboardInterrupt too: they end the task, not the loop
            self._fork_guard.exit_if_forked(error)
            ended = _verdict(job, error)
        self._fork_guard.exit_if_forked()
        self._end(job, ended)

    def _task_done(self, job: ConcurrentJob, task: asyncio.Task[None]) -> None:
        """It has not come to its report: it was cancelled before it began, or struck between two steps."""
        # It was asked to end: without a report the process would be killed for it, and all that runs in it.
        if not job.is_over:
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            self._end(job, _verdict(job, error or asyncio.CancelledError()))

    # functions

    def _begin_thread(self, job: ConcurrentJob, served: ServedTask | None) -> None:
        try:
            self._threads.run(partial(Variables().run, self._run_in_thread, job, served))
        except RuntimeError as error:  # no more threads
            self._end(job, verdict(error))

    def _run_in_thread(self, job: ConcurrentJob, served: ServedTask | None) -> None:
        enter(job)
        ended: Verdict | None = None
        try:
            try:
                job.enter_thread()
                # Imports take long, and are done here for that.
                served = served or self._tasks[job.block.name]
                if not served.is_coroutine:
                    value, style = _called(served, self._decoded_in_thread(job), job)
                    ended, blobs = _result(value, style)
                    if blobs:
                        job.named = job.blobs.send(blobs)
            except (
                BaseException
            ) as error:  # SystemExit and KeyboardInterrupt too, and what was raised in this thread
                self._fork_guard.exit_if_forked(error)
                ended = _verdict(job, error)
            self._fork_guard.exit_if_forked()
        except BaseException as late:
            # It was raised after the function had ended: what that returned counts.
            ended = ended or _verdict(job, late)
        # Leaving may itself be interrupted, once for each thing that was raised.
        while True:
            try:
                job.leave_thread()
                break
            except (TimeLimit, CancelRequested) as late:
                ended = ended or _verdict(job, late)
        if ended is not None:
            self._loop.call_soon_threadsafe(self._ended, job, ended)
        elif served is not None:
            self._loop.call_soon_threadsafe(self._found, job, served)

    @contained
    def _ended(self, job: ConcurrentJob, ended: Verdict) -> None:
        self._end(job, ended)

    @contained
    def _found(self, job: ConcurrentJob, served: ServedTask) -> None:
        """A callable that was imported for this job is a coroutine function."""
        self._begin_coroutine(job, served)
        # Asked for while it was a thread: now it has a task that can be cancelled.
        if job.why is not None:
            job.interrupt(job.why)

    # arguments, ends

    def _decoded(self, job: ConcurrentJob) -> Any:
        with fetched_by(job.blobs):
            return decode_work(job.block.payloads[job.place])

    def _decoded_in_thread(self, job: ConcurrentJob) -> Any:
        get_needed_from(partial(self._fetch_needed, job), failed)
        return self._decoded(job)

    def _fetch_needed(self, job: ConcurrentJob, first: bytes) -> Rows:
        id, attempt, lease = job.token
        return fetch(self._line, id, attempt, lease, first)


def _called(served: ServedTask, work: Any, job: ConcurrentJob) -> tuple[Any, str | None]:
    """Call it; of a coroutine function, what has to be awaited."""
    args, kwargs, style = work
    if style is None and served.plain is not None:
        return served.plain(*args, **kwargs), None
    return served.perform(args, kwargs, style, job.context, lambda: job.why), style


def _result(value: Any, style: str | None) -> tuple[Verdict, list[Blob]]:
    """What is reported, and the content that has to be uploaded for it."""
    if style is None and (other := became(value)) is not None:
        return (OutcomeNumber.BECAME, other, None), []
    blobs: list[Blob] = []
    return (OutcomeNumber.SUCCESS, encode_result(value, style, blobs), None), blobs


def _verdict(job: ConcurrentJob, error: BaseException) -> Verdict:
    """A coroutine that was asked to end was cancelled for that reason."""
    if isinstance(error, asyncio.CancelledError) and job.why is not None:
        error = job.why(interruption_message(job.why, job.block.timeout)).with_traceback(error.__traceback__)
    return verdict(error, job.block.timeout, __file__)


def _not_on_the_loop(first: bytes) -> NoReturn:
    raise _NeedsThread
