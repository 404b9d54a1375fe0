"""A child process: a plain blocking loop that runs one task after the other. No key, no connection.

::

    tickets pipe ──8 bytes──► may I start ordinal n?     (the process that reads the ticket owns the start)
    work socket ──batches───► the jobs   ◄──reports──    (flushed when there is nothing to start, or every 2 ms)
    notices pipe ─SIGUSR1───► "timeout", "cancel" or "flush" for the ordinal that runs
    relay socket ◄─calls───►  the App inside a task, through the supervisor
    output pipe  ──text────►  what is printed, with marks (see output_marks.py); a shared page has the progress
    stacks pipe  ──text────►  what faulthandler writes, on SIGUSR2 and when the process breaks

The supervisor may read unread tickets itself: those jobs are then taken back from this process, and the next ticket has a
higher ordinal than they have. Time limits, cancellation and post-mortems are up to the supervisor; all that this process does
about them is to let a signal raise an exception inside the running task.

What a task does to its process (clocks and functions of ``os`` replaced, by itself or by a library for tests) does not reach
this loop: the functions that it needs are bound to the class. A process that a task forks ends where it leaves the task: see
fork_guard.py.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
import time
from collections import deque
from typing import Any, Final, NoReturn

from ...common.domain import context
from ...common.domain.context import Context
from ...common.domain.ids import show_id
from ...common.errors import CancelRequested, ConfigError, TimeLimit
from ...common.runtime.history import digest, open_history
from ...common.runtime.parent_death import die_with
from ...common.values.blob import Blob, set_ambient_fetcher
from ...common.values.codec import decode_work, encode
from ...common.values.failure import Failure
from ...common.wire import caller as link
from ...common.wire.frames import FrameReader, Kind, encode_frame, pack, unpack
from .blobs import ChildBlobs
from .connection import ChildLink
from .fork_guard import ForkGuard
from .loading import load_tasks
from .output import OutputWriter, capture_logging, redirect_output
from .served import ServedTasks
from .verdict import Verdict, interruption_message, verdict

FLUSH_SECONDS: Final = 0.002  # a report waits no longer than this for others to be sent with
FLUSH_BYTES: Final = 64 * 1024
PIPE_FRAME_BYTES_MAX: Final = 1024**3  # between processes that trust each other
TICKET_BYTES: Final = 8
NOTICE: Final = struct.Struct(">QB")
TIMEOUT_NOTICE, CANCEL_NOTICE, FLUSH_NOTICE = 1, 2, 3

# [ordinal, id, attempt, name, queue, lease, timeout, payload, number]; see jobs.Job.to_child
_Job = list[Any]


class ChildProcess:
    """The loop and its state."""

    owns_process = True
    _clock, _wall = staticmethod(time.perf_counter), staticmethod(time.time)
    _read = staticmethod(os.read)

    def __init__(
        self, work: int, tickets: int, notices: int, relay: int, page: int, stacks: int, nonce: bytes
    ) -> None:
        self._fork_guard = ForkGuard((work, tickets, notices, relay))
        self._work = socket.socket(fileno=work)
        self._send, self._receive = self._work.sendall, self._work.recv
        self._frames = FrameReader(PIPE_FRAME_BYTES_MAX)
        self._tickets, self._notices = tickets, notices
        self._poll = select.poll()
        self._poll.register(tickets, select.POLLIN | select.POLLHUP)
        self._local: deque[_Job] = deque()
        self._reports: list[list[Any]] = []
        self._reports_bytes = 0
        self._flushed_at = self._clock()
        self._tasks: ServedTasks
        self._loop: Any = None  # of asyncio, made for the first task that is a coroutine
        self._current: _Job | None = None
        self._started = 0.0
        self._cancelled = False
        self._note = open_history("worker")
        self._writer = OutputWriter(nonce, page, lambda: self._current[0] if self._current is not None else 0)
        redirect_output(self._writer, stacks)
        context.provide(self)
        line = ChildLink(relay, self._fork_guard)
        self._fork_guard.at_fork += [self._work.detach, line.detach, self._writer.forked]
        link.set_ambient(line)
        self._blobs = ChildBlobs(line)
        self._named: list[bytes] = []  # hashes of the content that the next report's result refers to
        set_ambient_fetcher(self._blobs)
        signal.signal(signal.SIGUSR1, self._on_notice)

    def run(self, sources: list[str], allow: list[str]) -> None:
        """Load the user's code, report the tasks in it, then serve until the supervisor is gone."""
        try:
            self._tasks = ServedTasks(load_tasks(sources) if sources else {}, allow)
        except BaseException as error:  # an import may raise anything: all of it is reported
            self._fork_guard.exit_if_forked(error)
            known = issubclass(type(error), ConfigError)
            text = str(error) if known else Failure.of(error).traceback
            self._writer.flush()
            self._send(encode_frame(Kind.REFUSED, pack([known, text]), PIPE_FRAME_BYTES_MAX))
            return
        self._fork_guard.exit_if_forked()
        capture_logging()
        hello = sorted([name, served.task.queue] for name, served in self._tasks.items())
        self._send(encode_frame(Kind.HELLO, pack(hello), PIPE_FRAME_BYTES_MAX))
        while (ordinal := self._next_ticket()) is not None:
            job = self._job(ordinal)
            report = self._attempt(job)  # not inside append: a flush meanwhile replaces the list
            self._reports.append(report)
            now = self._clock()
            if now - self._flushed_at > FLUSH_SECONDS or self._reports_bytes > FLUSH_BYTES or not self._local:
                self._flush(now)

    # what comes in

    def _next_ticket(self) -> int | None:
        while True:
            try:
                ticket = self._read(self._tickets, TICKET_BYTES)
            except BlockingIOError:
                self._flush(self._clock())
                self._poll.poll()
                continue
            return int.from_bytes(ticket, "big") if ticket else None

    def _job(self, ordinal: int) -> _Job:
        """The job of a ticket. Jobs in front of it were taken back."""
        while True:
            while self._local:
                job = self._local.popleft()
                if job[0] == ordinal:
                    return job
            data = self._receive(1024 * 1024)
            if not data:
                _die("the supervisor closed the work socket")
            for _, body in self._frames.feed(data):
                self._local.extend(unpack(body))

    def _on_notice(self, number: int, frame: Any) -> None:
        """SIGUSR1: end the running job, or flush reports while it runs, if the notice is about this job."""
        if not self._fork_guard.is_original:
            return
        try:
            data = self._read(self._notices, 4096)
        except BlockingIOError:
            return
        wanted: type[BaseException] | None = None
        for ordinal, kind in NOTICE.iter_unpack(data[: len(data) // NOTICE.size * NOTICE.size]):
            if self._current is None or self._current[0] != ordinal:
                continue
            if kind == FLUSH_NOTICE:  # a job runs, so the signal did not interrupt the writing of reports
                self._flush(self._clock())
            else:
                wanted = TimeLimit if kind == TIMEOUT_NOTICE else CancelRequested
        if wanted is CancelRequested:
            self._cancelled = True
        if wanted is not None:
            raise wanted(interruption_message(wanted, self._current[6] if self._current else None))

    # one job

    def _attempt(self, job: _Job) -> list[Any]:
        """Run a job and return its report. Nothing that a task does ends this loop, but for ending the process."""
        started, clock = self._wall(), self._clock()
        try:
            outcome, body, after = self._run(job, started)
        except BaseException as late:  # raised between two lines of this loop
            self._fork_guard.exit_if_forked(late)
            self._current = None
            outcome, body, after = verdict(late, job[6], __file__)
        self._current = None
        said: list[Any] = [self._writer.finish()] if self._writer.used else []
        if self._note is not None:
            self._note("computed", id=job[1], attempt=job[2], outcome=int(outcome), digest=digest(body))
        seconds = self._clock() - clock
        self._reports_bytes += len(body) if body is not None else 0
        if self._named:
            said = [*(said or [None]), self._named]
            self._named = []
        if self._blobs.here:
            self._blobs.here.clear()
        return [job[0], outcome, body, started, seconds, after, *said]

    def _run(self, job: _Job, started: float) -> Verdict:
        try:
            served = self._tasks[job[3]]
            args, kwargs, style = decode_work(job[7])
            self._cancelled = False
            self._started = started
            self._current = job
            if self._note is not None:
                self._note("started", id=job[1], attempt=job[2], number=job[8])
            context = None if served.context_name is None else self.context()
            if style is not None:
                value = served.run_chunk(args, style, context)
            elif context is not None:
                value = served.run(args, kwargs, context)
            else:
                value = served.task.function(*args, **kwargs)
            if served.is_coroutine:
                value = self._await(value)
            self._fork_guard.exit_if_forked()
            self._current = None
            blobs: list[Blob] = []
            body = encode(value, root="result", blobs=blobs)
            if blobs:
                self._current = job  # uploading may take long: the time limit covers it
                self._named = self._blobs.send(blobs)
                self._current = None
            return 0, body, None
        except (
            BaseException
        ) as error:  # SystemExit and KeyboardInterrupt too: they end the task, not the loop
            self._fork_guard.exit_if_forked(error)
            self._current = None  # it is over: no notice may interrupt what describes its end
            return verdict(error, job[6], __file__)

    def _await(self, coroutine: Any) -> Any:
        import asyncio

        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
        try:
            return self._loop.run_until_complete(coroutine)
        except (TimeLimit, CancelRequested):
            self._loop.close()  # the coroutine was left in the middle: its loop is not used again
            raise

    # common.domain.context.Surroundings

    def progress(self, done: float, total: float | None, note: str) -> None:
        self._writer.progress(done, total, note)

    def is_cancelled(self) -> bool:
        return self._cancelled

    def context(self) -> Context | None:
        job = self._current
        if job is None:
            return None
        return Context(
            id=show_id(job[1]),
            attempt=job[8],
            name=job[3],
            queue=job[4],
            token=job[5].hex(),
            deadline=None if job[6] is None else self._started + job[6],
        )

    # what goes out

    def _flush(self, now: float) -> None:
        self._flushed_at = now
        if self._reports:
            self._send(encode_frame(Kind.RETURN, pack(self._reports), PIPE_FRAME_BYTES_MAX))
            self._reports, self._reports_bytes = [], 0


def _die(why: str) -> NoReturn:
    sys.stderr.write(f"tq-worker child {os.getpid()}: {why}\n")
    os._exit(1)


def main() -> None:
    supervisor, work, tickets, notices, relay, page, stacks, nonce, allow, *sources = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor handles Ctrl-C
    die_with(int(supervisor))
    process = ChildProcess(
        int(work), int(tickets), int(notices), int(relay), int(page), int(stacks), bytes.fromhex(nonce)
    )
    process.run(sources, allow.split(",") if allow else [])


if __name__ == "__main__":
    main()
