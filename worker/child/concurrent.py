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
from collections.abc import Callable
from typing import Any, Final, NoReturn

from ...common.domain import context
from ...common.errors import CancelRequested, ConfigError, TimeLimit
from ...common.runtime.callbacks import contained
from ...common.runtime.event_loop import loop_factory
from ...common.runtime.garbage import LoadedCode
from ...common.runtime.history import digest, open_history
from ...common.runtime.made_resources import provide as provide_resources
from ...common.runtime.parent_death import die_with
from ...common.values.failure import Failure
from ...common.wire import caller as link
from ...common.wire.frames import FrameReader, Kind, encode_frame, pack, unpack
from .blobs import ChildBlobs
from .block import Block
from .concurrent_job import ConcurrentJob, Here, Interruption, current, task_factory, where_it_stands
from .concurrent_output import ConcurrentWriter
from .concurrent_runs import JobRuns
from .connection import ChildLink
from .coroutines import ignore_what_is_left
from .fork_guard import ForkGuard
from .loading import load_tasks
from .loop import (
    CANCEL_NOTICE,
    PIPE_FRAME_BYTES_MAX,
    READ_BYTES,
    STRIKE_NOTICE,
    TIMEOUT_NOTICE,
    WHERE_NOTICE,
)
from .notices import Notice, Notices
from .output import capture_logging, redirect_output, write_stacks
from .output_marks import PAGE_BYTES
from .report_buffer import ReportBuffer
from .served import ServedTasks
from .start_page import BEATS, HOLDER, WORDS_BYTES, StartPage, Words
from .task_threads import StepRunner, TaskThreads
from .verdict import Verdict, interruption_message

BEAT_SECONDS: Final = 0.1  # between two signs that the loop turns, while jobs run
NOTE_BEATS: Final = 5  # between two looks at the progress of jobs
# What ends soon after another job, while many run, is reported with it: a report of its own would wake the supervisor for each.
GATHER_JOBS_MIN: Final = 20
GATHER_SHARE: Final = 1 / 16  # of what the job took, for so long its place stays empty
GATHER_SECONDS: Final = 0.001, 0.004  # a shorter wait is not worth a timer; none is longer
REASONS: Final[dict[int, Interruption]] = {TIMEOUT_NOTICE: TimeLimit, CANCEL_NOTICE: CancelRequested}
BUG_STATUS: Final = 70  # EX_SOFTWARE


class ConcurrentChildProcess:
    """The loop and its jobs. What makes its parts is another in a process that is patched: see concurrent_gevent.py."""

    make_job: type[ConcurrentJob] = ConcurrentJob
    make_threads: Callable[[], StepRunner] = TaskThreads
    make_link: Callable[[int, ForkGuard], ChildLink] = ChildLink
    _clock, _wall = staticmethod(time.perf_counter), staticmethod(time.time)
    _read = staticmethod(os.read)

    def __init__(self, work: int, notices: int, relay: int, page: int, stacks: int, nonce: bytes) -> None:
        self._fork_guard = ForkGuard((work, notices, relay))
        self._work = self.open_work(work)
        self._frames = FrameReader(PIPE_FRAME_BYTES_MAX)
        self._notices = Notices(notices, self._read, self._notice, self.broke)
        shared = mmap.mmap(page, 0)
        os.close(page)
        self._words = memoryview(shared)[PAGE_BYTES : PAGE_BYTES + WORDS_BYTES].cast("Q")
        self._starts = StartPage(self._words)
        self._reports = ReportBuffer()
        self._jobs: dict[int, ConcurrentJob] = {}  # by ordinal
        self._last_block: Block | None = None  # of which something was reported last
        self._is_flush_due = self._is_beating = self._is_ending = False
        self._beats = 0
        self._tasks: ServedTasks
        self._runs: JobRuns
        self._note = open_history("worker")
        self._writer = ConcurrentWriter(nonce, lambda: 0 if (job := current()) is None else job.ordinal)
        redirect_output(self._writer)
        write_stacks(stacks)
        self._line = line = self.make_link(relay, self._fork_guard)
        self._fork_guard.at_fork += [self._work.detach, line.detach, self._writer.forked]
        link.set_ambient(line)
        self._here = Here(line)
        context.provide(self._here)

    @staticmethod
    def make_loop() -> asyncio.AbstractEventLoop:
        return (loop_factory() or asyncio.new_event_loop)()

    @staticmethod
    def open_work(descriptor: int) -> socket.socket:
        return socket.socket(fileno=descriptor)

    def begin_jobs(self, words: Words) -> None:
        """From now on the page says whose code runs."""
        self._loop.set_task_factory(task_factory(words))

    def run(self, sources: list[str], allow: list[str]) -> None:
        """Load the user's code, report the tasks in it, then serve until the supervisor is gone."""
        self._loop = loop = self.make_loop()
        asyncio.set_event_loop(loop)
        code = LoadedCode()
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
        provide_resources(self._tasks.resources)
        self._tasks.start()
        threads = self.make_threads()
        self._runs = JobRuns(loop, self._tasks, threads, self._line, self._fork_guard, self._end, self.broke)
        self.begin_jobs(self._words)
        loop.add_reader(self._work.fileno(), self._readable)
        self._notices.open(loop)
        # uvloop makes what it watches non-blocking: a report larger than the room in the socket would end this process.
        self._work.setblocking(True)
        signal.signal(signal.SIGUSR1, self._on_strike)
        self._send(Kind.HELLO, pack(sorted(self._tasks.described())))
        code.freeze()
        loop.run_forever()
        self._tasks.stop(loop.run_until_complete)
        loop.set_exception_handler(ignore_what_is_left)
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
            # Ready does not mean that there is something: never blocks the loop.
            data = self._work.recv(READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._work.fileno())
            self._is_ending = True
            self._end_if_done()
            return
        # It has turned: an idle loop beats not at all, and must not seem blocked by its next job.
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
        job = self.make_job(
            block, place, self._wall(), self._clock(), ChildBlobs(self._line, lambda: block.job(place).id)
        )
        self._jobs[ordinal] = job
        if self._note is not None:
            named = block.job(place)
            self._note("started", id=named.id, attempt=named.attempt, number=named.number)
        self._runs.begin(job)

    @contained
    def _beat(self) -> None:
        # Without jobs it rests: an idle child wakes no processor ten times a second.
        self._is_beating = bool(self._jobs)
        self._words[BEATS] += 1
        self._beats += 1
        if self._here.has_progress and self._beats % NOTE_BEATS == 0:
            self._here.has_progress = False
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

    def _on_strike(self, number: int, frame: Any) -> None:
        """SIGUSR1: code of a job does not give the loop back, and its job is to end."""
        if not self._fork_guard.is_original:
            return
        struck: ConcurrentJob | None = None
        others: list[Notice] = []
        for ordinal, kind in self._notices.take():
            job = self._jobs.get(ordinal)
            if job is not None and kind in REASONS:
                job.why = REASONS[kind]  # known from now on: a strike may come with it
            if kind != STRIKE_NOTICE:
                others.append((ordinal, kind))
            # Only in its own code: raised anywhere else it would end another job, or the loop.
            elif self._words[HOLDER] == ordinal and job is not None and job.may_be_struck:
                struck = job
        self._notices.put_off(others)
        if struck is not None and struck.why is not None:
            raise struck.why(interruption_message(struck.why, struck.block.timeout))

    def _notice(self, ordinal: int, kind: int) -> None:
        job = self._jobs.get(ordinal)
        if job is None:
            return
        if kind == WHERE_NOTICE:
            self._send(Kind.CALL, pack([[ordinal, None, where_it_stands(job)]]))
        elif kind in REASONS:
            job.interrupt(REASONS[kind])

    # ends

    @contained
    def _end(self, job: ConcurrentJob, ended: Verdict) -> None:
        outcome, body, after = ended
        job.over()
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
        # A job that was asked to end may have been given up meanwhile: its report stands for itself.
        if outcome or body is None or job.progress is not None or job.named or job.why is not None:
            entry: list[Any] = [job.ordinal, int(outcome), body, job.started, seconds, after, job.progress]
            self._reports.other([*entry, job.named] if job.named else entry)
        else:
            self._reports.result(job.ordinal, body, job.started, seconds)
        self._flush_soon(seconds if len(self._jobs) >= GATHER_JOBS_MIN else 0.0)

    def _flush_soon(self, seconds: float = 0.0) -> None:
        """After what else the loop has to do now: what ends together is reported together. ``seconds``: what a job took, while many
        others run."""
        if self._is_flush_due:
            return
        self._is_flush_due = True
        least, most = GATHER_SECONDS
        wait = min(most, GATHER_SHARE * seconds)
        if wait < least:
            self._loop.call_soon(self._flush)
        else:
            self._loop.call_later(wait, self._flush)

    @contained
    def _flush(self) -> None:
        self._is_flush_due = False
        if self._reports:
            self._send(Kind.RETURN, self._reports.take())
        self._end_if_done()

    def _send(self, kind: Kind, body: bytes) -> None:
        # Waits, if need be: a report is written whole, whatever else the loop has to do.
        self._work.sendall(encode_frame(kind, body, PIPE_FRAME_BYTES_MAX))

    def _end_if_done(self) -> None:
        # Reports first: what ended is not run again.
        if self._is_ending and not self._jobs and not self._is_flush_due:
            self._loop.stop()


def start(kind: type[ConcurrentChildProcess]) -> None:
    """The program of such a process."""
    supervisor, work, notices, relay, page, stacks, nonce, allow, *sources = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor handles Ctrl-C
    die_with(int(supervisor))
    process = kind(int(work), int(notices), int(relay), int(page), int(stacks), bytes.fromhex(nonce))
    process.run(sources, allow.split(",") if allow else [])


def main() -> None:
    start(ConcurrentChildProcess)


if __name__ == "__main__":
    main()
