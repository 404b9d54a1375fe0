"""A child process that runs many jobs at a time: coroutines on one event loop, functions in threads. No key, no connection.

::

    work socket ──blocks──► each job begins at once ─┬─► a coroutine: a task of the loop ─┬─► reports, in the order of their ends
    shared page ◄─words───► which were begun         └─► a function: a thread ────────────┘
                            whose code runs on the loop now, how often the loop has turned
    notices pipe ─────────► "timeout", "cancel", "where"; with SIGUSR1 "strike", for code that does not give the loop back
    work socket ◄─notes───  progress, and where a job stands

See ``loop.py`` for what both kinds of children share: the page, the relay, output, the fork guard. Who decides how many jobs it has
is the supervisor; it begins all that it is sent. What a task changes of its process stays, because others run beside it.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from contextvars import Context as Variables
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from ...common.domain import context
from ...common.domain.context import Context
from ...common.domain.id_runs import IdRun
from ...common.domain.model import OutcomeNumber
from ...common.errors import CancelRequested, ConfigError, TimeLimit
from ...common.runtime.callbacks import contained
from ...common.runtime.event_loop import loop_factory
from ...common.runtime.history import digest, open_history
from ...common.runtime.parent_death import die_with
from ...common.values.blob import Blob, fetched_by
from ...common.values.codec import decode_work
from ...common.values.failed import failed
from ...common.values.failure import Failure
from ...common.values.needed import Rows, get_needed_from
from ...common.wire import caller as link
from ...common.wire.frames import FrameReader, Kind, encode_frame, pack, unpack
from .became import became
from .blobs import ChildBlobs
from .block import Block
from .concurrent_job import ConcurrentJob, Interruption, current, enter, task_factory
from .concurrent_output import ConcurrentWriter
from .connection import ChildLink
from .fork_guard import ForkGuard
from .lent_slot import LentByTask
from .loading import load_tasks
from .loop import (
    CANCEL_NOTICE,
    NOTICE,
    PIPE_FRAME_BYTES_MAX,
    READ_BYTES,
    STRIKE_NOTICE,
    TIMEOUT_NOTICE,
    WHERE_NOTICE,
)
from .needed import fetch
from .output import capture_logging, redirect_output, write_stacks
from .output_marks import PAGE_BYTES
from .report_buffer import ReportBuffer
from .served import ServedTask, ServedTasks, encode_result
from .start_page import BEATS, HOLDER, WORDS_BYTES, StartPage
from .steps import AttemptSteps
from .task_threads import TaskThreads
from .verdict import Verdict, interruption_message, verdict

BEAT_SECONDS: Final = 0.1  # between two signs that the loop turns, while jobs run
NOTE_BEATS: Final = 5  # between two looks at the progress of jobs
REASONS: Final[dict[int, Interruption]] = {TIMEOUT_NOTICE: TimeLimit, CANCEL_NOTICE: CancelRequested}
BUG_STATUS: Final = 70  # EX_SOFTWARE
OURS: Final = os.path.join(str(Path(os.path.abspath(__file__)).parents[1]), "")
STACK_CHARS_MAX: Final = 16_000


class _NeedsThread(BaseException):
    """The arguments need results of other tasks, which are fetched: that is not done on the loop. No ``Exception``, which what
    decodes would take for a fault of the arguments."""


class ConcurrentChildProcess:
    """The loop and its jobs."""

    owns_process = True
    _clock, _wall = staticmethod(time.perf_counter), staticmethod(time.time)
    _read = staticmethod(os.read)

    def __init__(self, work: int, notices: int, relay: int, page: int, stacks: int, nonce: bytes) -> None:
        self._fork_guard = ForkGuard((work, notices, relay))
        self._work = socket.socket(fileno=work)
        self._frames = FrameReader(PIPE_FRAME_BYTES_MAX)
        self._notices = notices
        shared = mmap.mmap(page, 0)
        os.close(page)
        self._words = memoryview(shared)[PAGE_BYTES : PAGE_BYTES + WORDS_BYTES].cast("Q")
        self._starts = StartPage(self._words)
        self._reports = ReportBuffer()
        self._jobs: dict[int, ConcurrentJob] = {}  # by ordinal
        self._last_block: Block | None = None  # of which something was reported last
        self._is_flush_due = self._is_beating = self._is_ending = self._has_progress = False
        self._beats = 0
        self._tasks: ServedTasks
        self._threads = TaskThreads()
        self._note = open_history("worker")
        self._writer = ConcurrentWriter(nonce, lambda: 0 if (job := current()) is None else job.ordinal)
        redirect_output(self._writer)
        write_stacks(stacks)
        context.provide(self)
        self._line = line = ChildLink(relay, self._fork_guard)
        self._fork_guard.at_fork += [self._work.detach, line.detach, self._writer.forked]
        link.set_ambient(line)

    def run(self, sources: list[str], allow: list[str]) -> None:
        """Load the user's code, report the tasks in it, then serve until the supervisor is gone."""
        self._loop = loop = (loop_factory() or asyncio.new_event_loop)()
        asyncio.set_event_loop(loop)
        try:
            self._tasks = ServedTasks(load_tasks(sources) if sources else {}, allow, lambda: None)
        except BaseException as error:  # an import may raise anything: all of it is reported
            self._fork_guard.exit_if_forked(error)
            known = issubclass(type(error), ConfigError)
            text = str(error) if known else Failure.of(error).traceback
            self._writer.finish_all()
            self._send(Kind.REFUSED, pack([known, text]))
            return
        self._fork_guard.exit_if_forked()
        capture_logging(self._writer)
        self._tasks.start()
        get_needed_from(_not_on_the_loop, failed)
        loop.set_task_factory(task_factory(self._words))
        loop.add_reader(self._work.fileno(), self._readable)
        loop.add_reader(self._notices, self._noticed)
        signal.signal(signal.SIGUSR1, self._on_strike)
        self._send(Kind.HELLO, pack(sorted(self._tasks.described())))
        loop.run_forever()
        self._tasks.stop()
        self._writer.finish_all()

    def broke(self, error: Exception) -> NoReturn:
        """A bug in a callback: the supervisor replaces this process, and its jobs run again."""
        traceback.print_exception(error)
        self._writer.finish_all()
        os._exit(BUG_STATUS)

    # what comes in

    @contained
    def _readable(self) -> None:
        try:
            data = self._work.recv(READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._work.fileno())
            self._is_ending = True
            self._end_if_done()
            return
        self._words[BEATS] += 1
        for _, body in self._frames.feed(data):
            block = Block(*unpack(body))
            for place in range(len(block.payloads)):
                self._begin(block, place)
        if self._jobs and not self._is_beating:
            self._is_beating = True
            self._loop.call_later(BEAT_SECONDS, self._beat)

    def _begin(self, block: Block, place: int) -> None:
        ordinal = block.first + place
        if not self._starts.begin(ordinal):
            if self._starts.has_left(ordinal):
                self._reports.other([ordinal])
                self._flush_soon()
            return
        job = ConcurrentJob(block, place, self._wall(), self._clock(), ChildBlobs(self._line))
        self._jobs[ordinal] = job
        if self._note is not None:
            named = block.job(place)
            self._note("started", id=named.id, attempt=named.attempt, number=named.number)
        served = self._tasks.get(block.name)
        if served is not None and served.is_coroutine:
            self._begin_coroutine(job, served)
        else:  # also what has to be imported first
            self._begin_thread(job, served)

    @contained
    def _beat(self) -> None:
        self._is_beating = bool(self._jobs)
        self._words[BEATS] += 1
        self._beats += 1
        if self._has_progress and self._beats % NOTE_BEATS == 0:
            self._has_progress = False
            notes = [
                [job.ordinal, job.progress, None]
                for job in self._jobs.values()
                if job.progress is not job.shown
            ]
            for job in self._jobs.values():
                job.shown = job.progress
            if notes:
                self._send(Kind.CALL, pack(notes))
        if self._is_beating:
            self._loop.call_later(BEAT_SECONDS, self._beat)

    # notices

    def _take_notices(self) -> list[tuple[int, int]]:
        try:
            data = self._read(self._notices, 4096)
        except BlockingIOError:
            return []
        return list(NOTICE.iter_unpack(data[: len(data) // NOTICE.size * NOTICE.size]))

    @contained
    def _noticed(self) -> None:
        for ordinal, kind in self._take_notices():
            self._notice(ordinal, kind)

    def _on_strike(self, number: int, frame: Any) -> None:
        """SIGUSR1: code of a job does not give the loop back, and its job is to end."""
        if not self._fork_guard.is_original:
            return
        struck: ConcurrentJob | None = None
        for ordinal, kind in self._take_notices():
            job = self._jobs.get(ordinal)
            if job is not None and kind in REASONS:
                job.why = REASONS[kind]  # known from now on: a strike may come with it
            if kind != STRIKE_NOTICE:
                self._loop.call_soon_threadsafe(self._notice, ordinal, kind)
            elif self._words[HOLDER] == ordinal:
                struck = job
        if struck is not None and struck.why is not None:
            raise struck.why(interruption_message(struck.why, struck.block.timeout))

    @contained
    def _notice(self, ordinal: int, kind: int) -> None:
        job = self._jobs.get(ordinal)
        if job is None:
            return
        if kind == WHERE_NOTICE:
            self._send(Kind.CALL, pack([[ordinal, None, _where(job)]]))
        elif kind in REASONS:
            job.interrupt(REASONS[kind])

    # coroutines

    def _begin_coroutine(self, job: ConcurrentJob, served: ServedTask) -> None:
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
            ended = ended or _verdict(job, late)
        while True:
            try:
                job.leave_thread()
                break
            except (TimeLimit, CancelRequested) as late:
                ended = ended or _verdict(job, late)
        if ended is not None:
            self._loop.call_soon_threadsafe(self._end, job, ended)
        elif served is not None:
            self._loop.call_soon_threadsafe(self._found, job, served)

    @contained
    def _found(self, job: ConcurrentJob, served: ServedTask) -> None:
        """A callable that was imported for this job is a coroutine function."""
        self._begin_coroutine(job, served)
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

    @contained
    def _end(self, job: ConcurrentJob, ended: Verdict) -> None:
        outcome, body, after = ended
        job.is_over = True
        del self._jobs[job.ordinal]
        job.blobs.here.clear()
        self._writer.finish(job.ordinal)
        if self._note is not None:
            named = job.block.job(job.place)
            self._note(
                "computed", id=named.id, attempt=named.attempt, outcome=int(outcome), digest=digest(body)
            )
        seconds = self._clock() - job.clock
        if job.block is not self._last_block:  # a slice has jobs of one block
            self._last_block = job.block
            self._reports.end_of_block()
        if outcome or body is None or job.progress is not None or job.named:
            entry: list[Any] = [job.ordinal, int(outcome), body, job.started, seconds, after, job.progress]
            self._reports.other([*entry, job.named] if job.named else entry)
        else:
            self._reports.result(job.ordinal, body, job.started, seconds)
        self._flush_soon()

    def _flush_soon(self) -> None:
        """After what else the loop has to do now: what ends together is reported together."""
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    @contained
    def _flush(self) -> None:
        self._is_flush_due = False
        if self._reports:
            self._send(Kind.RETURN, self._reports.take())
        self._end_if_done()

    def _send(self, kind: Kind, body: bytes) -> None:
        self._work.sendall(encode_frame(kind, body, PIPE_FRAME_BYTES_MAX))

    def _end_if_done(self) -> None:
        if self._is_ending and not self._jobs:
            self._loop.stop()

    # common.domain.context.Surroundings

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
            self._has_progress = True

    def steps(self) -> AttemptSteps:
        job = current()
        assert job is not None  # noqa: S101 - asked for by its context
        if job.steps is None:
            job.steps = AttemptSteps(self._line, job.token)
        return job.steps

    def lend_slot(self, runs: Sequence[IdRun]) -> LentByTask | None:
        job = current()
        return None if job is None else LentByTask(self._line, job.ordinal, runs)


def _called(served: ServedTask, work: Any, job: ConcurrentJob) -> tuple[Any, str | None]:
    """Call it; of a coroutine function, what has to be awaited."""
    args, kwargs, style = work
    if style is None and served.plain is not None:
        return served.plain(*args, **kwargs), None
    return served.perform(args, kwargs, style, job.context), style


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


def _where(job: ConcurrentJob) -> str:
    """Where a job stands, in the user's code."""
    frames: list[Any] = []
    if job.task is not None:
        awaited = job.inner
        while awaited is not None and (frame := getattr(awaited, "cr_frame", None)) is not None:
            frames.append(frame)
            awaited = getattr(awaited, "cr_await", None)
    else:
        frame = sys._current_frames().get(job.thread)
        while frame is not None:
            frames.insert(0, frame)
            frame = frame.f_back
    theirs = [frame for frame in frames if not frame.f_code.co_filename.startswith((OURS, "<frozen"))]
    lines = traceback.StackSummary.extract((one, one.f_lineno) for one in theirs).format()
    return "".join(lines)[-STACK_CHARS_MAX:].rstrip()


def main() -> None:
    supervisor, work, notices, relay, page, stacks, nonce, allow, *sources = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor handles Ctrl-C
    die_with(int(supervisor))
    process = ConcurrentChildProcess(
        int(work), int(notices), int(relay), int(page), int(stacks), bytes.fromhex(nonce)
    )
    process.run(sources, allow.split(",") if allow else [])


if __name__ == "__main__":
    main()
