"""One job of a child that runs many, and what knows which one runs here: the context variable that its tasks and threads inherit."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextvars import Context as Variables
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

from ...common.domain.context import Context
from ...common.domain.id_runs import IdRun
from ...common.errors import CancelRequested, TimeLimit
from ...common.wire.caller import Link
from .blobs import ChildBlobs
from .block import Block
from .lent_slot import LentByTask
from .start_page import HOLDER, Words
from .steps import AttemptSteps
from .verdict import interruption_message

Interruption = type[TimeLimit] | type[CancelRequested]
OURS: Final = os.path.join(str(Path(os.path.abspath(__file__)).parents[1]), "")
STACK_CHARS_MAX: Final = 16_000
NOT_RUNNING: Final = 0  # in place of a thread's number


class ConcurrentJob:
    """``place``: in its block. It is over when its report is made; what it leaves behind finds no job then."""

    __slots__ = (
        "blobs", "block", "clock", "inner", "is_over", "lock", "named", "ordinal", "place", "progress", "shown", "started", "steps",
        "task", "thread", "why",
    )  # fmt: skip

    def __init__(self, block: Block, place: int, started: float, clock: float, blobs: ChildBlobs) -> None:
        self.block, self.place, self.ordinal = block, place, block.first + place
        self.started, self.clock, self.blobs = started, clock, blobs
        self.is_over = False
        self.why: Interruption | None = None  # why it was asked to end
        self.task: asyncio.Task[None] | None = None  # of a coroutine
        self.inner: Any = None  # what that awaits, of the user's
        self.steps: AttemptSteps | None = None
        self.thread = NOT_RUNNING  # in which the function runs
        # Guards the number of that thread: nothing is raised in it after the function
        self.lock = threading.Lock()
        self.progress: list[Any] | None = None
        self.shown: list[Any] | None = None  # of that, what was sent
        self.named: list[bytes] = []  # hashes of the content that its result refers to

    @property
    def token(self) -> tuple[bytes, int, bytes]:
        job = self.block.job(self.place)
        return job.id, job.attempt, self.block.lease

    def context(self) -> Context:
        return self.block.context(self.place, self.started)

    @property
    def may_be_struck(self) -> bool:
        """Whether the code that runs for it is to be interrupted where it stands: what hands over its report is not. Else no one would
        make that report, and its process would be killed for it."""
        return not self.is_over

    def over(self) -> None:
        """Its report is made. What it ran is let go: it refers to the job by its context, and only the collector would find that."""
        self.is_over = True  # first: from now on it is not struck
        self.task = self.inner = None

    def interrupt(self, why: Interruption) -> None:
        """Ask it to end: a coroutine is cancelled; in a thread it is raised as soon as Python code runs there."""
        self.why = why
        if self.task is not None:
            self.task.cancel(interruption_message(why, self.block.timeout))
            return
        with self.lock:
            # Outside of the function the exception would hit our own code, or the next job in that thread.
            if self.thread != NOT_RUNNING:
                _raise_in(self.thread, why)

    def enter_thread(self) -> None:
        with self.lock:
            # It was asked to end before its thread ran: nothing could be raised there.
            if self.why is not None:
                raise self.why
            self.thread = threading.get_ident()

    def frame(self) -> Any:
        """Where its function stands."""
        return sys._current_frames().get(self.thread)

    def leave_thread(self) -> None:
        """From now on nothing is raised here: what was asked for and has not been raised yet is taken back. May raise it once."""
        with self.lock:
            here, self.thread = self.thread, NOT_RUNNING
            if here != NOT_RUNNING and self.why is not None:
                _take_back(here)


_current: ContextVar[ConcurrentJob | None] = ContextVar("tq_job", default=None)


def current() -> ConcurrentJob | None:
    """The job whose code runs here."""
    job = _current.get()
    return None if job is None or job.is_over else job


def enter(job: ConcurrentJob) -> None:
    _current.set(job)


class Held(Coroutine[Any, Any, Any]):
    """A coroutine of a job, step by step: while one of its steps runs, the page names its job."""

    def __init__(self, coroutine: Any, words: Words, ordinal: int) -> None:
        self._inner, self._words, self._ordinal = coroutine, words, ordinal

    def send(self, value: Any) -> Any:
        self._words[HOLDER] = self._ordinal
        try:
            return self._inner.send(value)
        finally:
            self._words[HOLDER] = 0

    def throw(self, *error: Any) -> Any:
        self._words[HOLDER] = self._ordinal
        try:
            return self._inner.throw(*error)
        finally:
            self._words[HOLDER] = 0

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        result: Generator[Any, Any, Any] = self._inner.__await__()
        return result

    def __getattr__(self, name: str) -> Any:
        """What others look at in a coroutine: ``cr_frame``, ``cr_await``, …"""
        return getattr(self._inner, name)


def task_factory(words: Words) -> Callable[..., asyncio.Task[Any]]:
    """Tasks that a job makes are the job's."""

    def make(
        loop: asyncio.AbstractEventLoop, coroutine: Any, *, context: Variables | None = None, **more: Any
    ) -> asyncio.Task[Any]:
        job = _current.get() if context is None else context.get(_current)
        if job is not None:
            # Each task of the job, not the first alone: any of them may block the loop.
            coroutine = Held(coroutine, words, job.ordinal)
        return asyncio.Task(coroutine, loop=loop, context=context, **more)

    return make


def _raise_in(thread: int, what: type[BaseException]) -> None:
    """Have Python raise this in a thread as soon as that runs Python code, instead of what it was to raise there before."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(what))


class _TakenBack(BaseException):
    """Raised and caught by a thread that takes back what it was to raise."""


def _take_back(here: int) -> None:
    """What is still to be raised in this thread is raised, and caught. To set it to NULL instead would leave CPython to 3.12 with the flag
    that something is to be raised: all threads would look for it before each call until the process ends, and a profiler hang."""
    try:
        _raise_in(here, _TakenBack)
        while True:
            pass
    except _TakenBack:
        return


class Here:
    """See ``common.domain.context.Surroundings``: of the job whose code asks."""

    owns_process = True

    def __init__(self, line: Link) -> None:
        self._line = line
        self.has_progress = False  # something was said since this was set back

    def context(self) -> Context | None:
        job = current()
        return None if job is None else job.context()

    def is_cancelled(self) -> bool:
        job = current()
        return job is not None and job.why is CancelRequested

    def progress(self, done: float, total: float | None, note: str) -> None:
        job = current()
        if job is not None:
            job.progress = [done, total, note]
            self.has_progress = True

    def steps(self) -> AttemptSteps:
        job = current()
        assert job is not None  # noqa: S101 - asked for by its context
        if job.steps is None:
            job.steps = AttemptSteps(self._line, job.token)
        return job.steps

    def lend_slot(self, runs: Sequence[IdRun]) -> LentByTask | None:
        job = current()
        return None if job is None else LentByTask(self._line, job.ordinal, runs)


def where_it_stands(job: ConcurrentJob) -> str:
    """Where a job stands, in the user's code."""
    frames: list[Any] = []
    if job.task is not None:
        awaited = job.inner
        while awaited is not None and (frame := getattr(awaited, "cr_frame", None)) is not None:
            frames.append(frame)
            awaited = getattr(awaited, "cr_await", None)
    else:
        frame = job.frame()
        while frame is not None:
            frames.insert(0, frame)
            frame = frame.f_back
    theirs = [frame for frame in frames if not frame.f_code.co_filename.startswith((OURS, "<frozen"))]
    lines = traceback.StackSummary.extract((one, one.f_lineno) for one in theirs).format()
    return "".join(lines)[-STACK_CHARS_MAX:].rstrip()
