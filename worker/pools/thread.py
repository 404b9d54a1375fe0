"""A thread in place of a child process: for ``tq.local(workers="threads")``, in the program's own memory.

::

    the supervisor's loop: send, take_back ──deque──► the thread: one job after the other
                           child_reported  ◄──posted to the loop── reports, progress, calls for blobs

It has the interface of a ``ChildHandle``, but a thread cannot be killed. A job that is cancelled can see it
(``tq.current().cancelled``) and goes on until it looks; a time limit is not enforced; and what a job prints is the program's
own output.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from ...common.domain import context, nameless
from ...common.domain.callables import NamedCallable, named
from ...common.domain.context import Context
from ...common.domain.id_runs import IdRun
from ...common.domain.ids import show_id
from ...common.domain.model import OutcomeNumber
from ...common.domain.naming import callable_name, find_loaded, module_name_of
from ...common.errors import NotNamed, TqError
from ...common.runtime.callbacks import contained
from ...common.runtime.made_resources import provide as provide_resources
from ...common.values.blob import Blob, fetched_by
from ...common.values.codec import decode_work
from ...common.values.failed import failed
from ...common.values.needed import Rows, get_needed_from
from ...common.wire.protocol import Request
from ..agent.jobs import Death, Job
from ..agent.reports import JobReport
from ..agent.runs import JobRun
from ..child.became import became
from ..child.blobs import ChildBlobs
from ..child.fork_guard import ForkGuard
from ..child.lent_slot import LentByTask
from ..child.needed import fetch
from ..child.served import ServedTask, ServedTasks, encode_result
from ..child.steps import AttemptSteps, LastSteps
from ..child.verdict import Verdict, verdict
from .interface import RunnerOwner


class ThreadChild:
    """See ``interface.Runner``."""

    _clock, _wall = staticmethod(time.perf_counter), staticmethod(time.time)  # as in worker/child/loop.py

    def __init__(self, owner: RunnerOwner, number: int, sources: Sequence[str], allow: Sequence[str]) -> None:
        self._fork_guard = ForkGuard()
        self.number, self.pid, self._owner = number, self._fork_guard.pid, owner
        self.ready = self.is_retired = False
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()  # guards the next four
        self._unread: deque[Job] = deque()
        self._running: Job | None = None
        self._begun = 0  # the ordinal of the last job that was begun
        self._is_closed = False
        self.is_cancelled = False  # the running job is asked to end
        self._started = 0.0
        self._progress: list[Any] | None = None  # of what runs
        self._shown: list[Any] | None = None  # of that, what was reported
        self._outgoing: deque[tuple[JobReport, list[Any] | None]] = deque()
        self._is_posted = False
        self._tasks = LoadedTasks({}, allow, imported=lambda: None)
        self._runner = asyncio.Runner()  # makes its loop for the first task that is a coroutine
        self._calls: dict[int, Future[Any]] = {}
        self._call_ids = itertools.count(1)
        self._steps = LastSteps(self)
        self._blobs = ChildBlobs(self, lambda: None if self._running is None else self._running.id)
        context.provide(_here)
        threading.Thread(target=self._run, name=f"tq-task-{number}", daemon=True).start()
        self._loop.call_soon(self._hello)

    def broke(self, error: Exception) -> None:
        self._owner.broke(error)

    @contained
    def _hello(self) -> None:
        self.ready = True
        self._owner.child_hello(self, [])

    # effects: called in the loop

    def send(self, runs: list[JobRun], *, is_swift: bool) -> None:
        with self._changed:
            self._unread.extend(job for run in runs for job in run.jobs())
            self._changed.notify()

    def begun(self, *, for_certain: bool = False) -> int:
        return self._begun  # taken back and begun under one lock: never in doubt

    def take_back(self) -> int:
        with self._changed:
            self._unread.clear()
            return self._begun

    def notify(self, ordinal: int, kind: str) -> None:
        running = self._running
        if kind == "cancel" and running is not None and running.ordinal == ordinal:
            self.is_cancelled = True

    def signal(self, *, kill: bool) -> None:
        """A thread cannot be sent a signal."""

    def dump_stacks(self) -> None:
        """Stacks are for the post-mortem of a process."""

    def look(self) -> None:
        running, progress = self._running, self._progress
        if running is not None and progress is not None and progress is not self._shown:
            self._shown = progress
            self._owner.child_progressed(self, running.ordinal, progress)

    def answer(self, call_id: int, value: Any, error: TqError | None) -> None:
        future = self._calls.pop(call_id)
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def retire(self) -> None:
        self.is_retired = True
        self.end_input()

    def end_input(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _hand_over(self) -> None:
        self._is_posted = False  # first: what is reported from now on posts this again
        ended: list[tuple[JobReport, list[Any] | None]] = []
        with contextlib.suppress(IndexError):
            while True:
                ended.append(self._outgoing.popleft())
        for report, progress in ended:
            if progress is not None:
                self._owner.child_progressed(self, report.ordinal, progress)
        if ended:
            self._owner.child_reported(self, [report for report, _ in ended])

    # the thread

    def _run(self) -> None:
        _here.child = self
        provide_resources(self._tasks.resources, of_thread=True)
        get_needed_from(partial(_fetch_needed, self), failed)
        try:
            while (job := self._next()) is not None:
                report = self._attempt(job)
                self._outgoing.append((report, self._progress))
                if not self._is_posted:
                    self._is_posted = True
                    self._post(self._hand_over)
        finally:
            self._tasks.stop(self._runner.run)
            self._runner.close()
            self._post(lambda: self._owner.child_died(self, Death(0)))

    def _next(self) -> Job | None:
        with self._changed:
            self._running = None
            while not self._unread:
                if self._is_closed:
                    return None
                self._changed.wait()
            self.is_cancelled, self._progress = False, None
            self._running = job = self._unread.popleft()
            self._begun = job.ordinal
            return job

    def _attempt(self, job: Job) -> JobReport:
        self._started, clock = self._wall(), self._clock()
        named: list[bytes] = []
        try:
            outcome, body, after = self._perform(job, named)
        except BaseException as error:  # SystemExit and KeyboardInterrupt too: the task's, not ours
            self._fork_guard.exit_if_forked(error)
            outcome, body, after = verdict(error, job.timeout)
        self._blobs.here.clear()
        return JobReport(
            job.ordinal, int(outcome), body, self._started, self._clock() - clock, after, named or None
        )

    def _perform(self, job: Job, named: list[bytes]) -> Verdict:
        with fetched_by(self._blobs):
            args, kwargs, style = decode_work(job.payload)
        if nameless.is_for(job.name):
            number, *args = args
            number = number[0] if style == "starmap" else number
            served = self._tasks.served(_without_name(job.name, number))
        else:
            served = self._tasks[job.name]
        value = served.perform(args, kwargs, style, self.context)
        if served.is_coroutine:
            value = self._runner.run(value)
        self._fork_guard.exit_if_forked()
        if style is None and (other := became(value)) is not None:
            return OutcomeNumber.BECAME, other, None
        blobs: list[Blob] = []
        body = encode_result(value, style, blobs)
        named += self._blobs.send(blobs)
        return OutcomeNumber.SUCCESS, body, None

    # common.domain.context.Surroundings, as far as they are this thread's

    def context(self) -> Context | None:
        job = self._running
        if job is None:
            return None
        deadline = None if job.timeout is None else self._started + job.timeout
        return Context(
            id=show_id(job.id),
            attempt=job.number,
            name=job.name,
            queue=job.queue,
            token=job.lease.hex(),
            deadline=deadline,
        )

    def progress(self, progress: list[Any]) -> None:
        self._progress = progress

    def steps(self) -> AttemptSteps:
        job = self._running
        assert job is not None  # noqa: S101 - asked for by its context
        return self._steps.of((job.id, job.attempt, job.lease))

    # common.wire.caller.Link, for the content of blobs and for steps

    def call(self, target: Sequence[Any], method: str, *args: Any) -> Future[Any]:
        self._fork_guard.check()
        future: Future[Any] = Future()
        call_id = next(self._call_ids)
        self._calls[call_id] = future
        request = Request(call_id, tuple(target), method, list(args), {}, child=None, size_bytes=0)
        self._post(lambda: self._owner.child_called(self, request))
        return future

    def close(self) -> None:
        """The connection belongs to the thread, and ends with it."""

    def _post(self, step: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the worker has ended
            self._loop.call_soon_threadsafe(self._step, step)

    @contained
    def _step(self, step: Callable[[], None]) -> None:
        step()


class _Here(threading.local):
    """See ``common.domain.context.Surroundings``: each thread sees its own."""

    owns_process = False
    child: ThreadChild | None = None

    def context(self) -> Context | None:
        return None if self.child is None else self.child.context()

    def is_cancelled(self) -> bool:
        return self.child is not None and self.child.is_cancelled

    def progress(self, done: float, total: float | None, note: str) -> None:
        if self.child is not None:
            self.child.progress([done, total, note])

    def steps(self) -> AttemptSteps:
        assert self.child is not None  # noqa: S101 - as above
        return self.child.steps()

    def lend_slot(self, runs: Sequence[IdRun]) -> LentByTask | None:
        job = None if self.child is None else self.child._running
        return None if self.child is None or job is None else LentByTask(self.child, job.ordinal, runs)


_here = _Here()


class LoadedTasks(ServedTasks):
    """Callables of modules that the program has loaded already: its own script is not imported a second time."""

    def __missing__(self, name: str) -> ServedTask:
        function = find_loaded(name)
        if callable(function) and callable_name(function) == name:
            found = self[name] = self.served(named(name, function))
            self.start(found)
            return found
        if name.partition(":")[0] == _own_script():
            raise NotNamed(
                f"{name} is not defined in the running program; define it above the line that starts the work: tq.local(…)"
            )
        return super().__missing__(name)


def _fetch_needed(child: ThreadChild, first: bytes) -> Rows:
    job = child._running
    assert job is not None  # noqa: S101 - its arguments are read
    return fetch(child, job.id, job.attempt, job.lease, first)


def _without_name(task: str, number: Any) -> NamedCallable:
    return named(task, nameless.find(number))


def _own_script() -> str | None:
    """The name of ``__main__`` as others would import it; None when it has none."""
    try:
        return module_name_of(sys.modules["__main__"])
    except NotNamed:
        return None
