"""A child process: a plain blocking loop that runs one task after the other. No key, no connection.

::

    work socket ──blocks────► the jobs   ◄──reports──    (flushed when there is nothing to run, every 2 ms, and before a slow job)
    shared page ◄─words─────► which job was begun, which were taken back (see start_page.py)
    notices pipe ─SIGUSR1───► "timeout", "cancel" or "flush" for the ordinal that runs
    relay socket ◄─calls───►  the App inside a task, through the supervisor
    output pipe  ──text────►  what is printed, with marks (see output_marks.py); the shared page has the progress
    stacks pipe  ──text────►  what faulthandler writes, on SIGUSR2 and when the process breaks

Before a job begins, the page is asked whether it still may: the supervisor takes jobs back by writing there, wherever they
are. Time limits, cancellation and post-mortems are up to the supervisor; all that this process does about them is to let a
signal raise an exception inside the running task.

What a task does to its process (clocks and functions of ``os`` replaced, by itself or by a library for tests) does not reach
this loop: the functions that it needs are bound to the class. What it leaves behind for the next one is put back: see
process_state.py. A process that a task forks ends where it leaves the task: see fork_guard.py.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import repeat
from typing import Any, Final

from ...common.domain import context
from ...common.domain.context import Context
from ...common.domain.id_runs import IdRun
from ...common.domain.model import OutcomeNumber
from ...common.errors import CancelRequested, ConfigError, TimeLimit
from ...common.runtime.history import open_history
from ...common.runtime.made_resources import provide as provide_resources
from ...common.runtime.parent_death import die_with
from ...common.values.blob import Blob, set_ambient_fetcher
from ...common.values.codec import decode_work, encode_atom
from ...common.values.failed import failed
from ...common.values.failure import Failure
from ...common.values.many_calls import SEPARATOR_BYTES, Call, ManyCalls
from ...common.values.needed import Rows, get_needed_from
from ...common.values.plain import ATOMS
from ...common.wire import caller as link
from ...common.wire.frames import FrameReader, Kind, encode_frame, pack, unpack
from .became import became
from .blobs import ChildBlobs
from .block import Block
from .connection import ChildLink
from .coroutines import Coroutines
from .fork_guard import ForkGuard
from .lent_slot import LentByTask
from .loading import load_tasks
from .needed import fetch
from .noted import note_end, note_start
from .output import OutputWriter, capture_logging, redirect_output, write_stacks
from .output_marks import PAGE_BYTES
from .process_logging import LoggingConfiguration
from .process_parts import process_parts
from .process_state import ProcessState
from .process_streams import Streams
from .report_buffer import BYTES_MAX, FLUSH_SECONDS, ReportBuffer
from .served import ServedTask, ServedTasks, encode_result
from .shown_gpus import shown_gpus
from .start_page import WORDS_BYTES, StartPage
from .steps import AttemptSteps, LastSteps
from .together_runs import RunsTogether
from .verdict import interruption_message, verdict

READ_BYTES: Final = 256 * 1024
PIPE_FRAME_BYTES_MAX: Final = 1024**3  # between processes that trust each other
NOTICE: Final = struct.Struct(">QB")
# Of one reading: no notice is cut, and with it all that come behind it
NOTICES_BYTES: Final = 1_000 * NOTICE.size
TIMEOUT_NOTICE, CANCEL_NOTICE, FLUSH_NOTICE = 1, 2, 3
WHERE_NOTICE, STRIKE_NOTICE = 4, 5  # for a child that runs many jobs: see concurrent.py
BECAME: Final = int(OutcomeNumber.BECAME)


class ChildProcess(RunsTogether):
    """The loop and its state."""

    owns_process = True
    _clock, _wall = staticmethod(time.perf_counter), staticmethod(time.time)
    _read = staticmethod(os.read)

    def __init__(self, work: int, notices: int, relay: int, page: int, stacks: int, nonce: bytes) -> None:
        self._fork_guard = ForkGuard((work, notices, relay))
        self._work = socket.socket(fileno=work)
        self._send, self._receive = self._work.sendall, self._work.recv
        self._frames = FrameReader(PIPE_FRAME_BYTES_MAX)
        self._notices = notices
        shared = mmap.mmap(page, 0)
        # The mapping stays; a descriptor that a task could inherit does not.
        os.close(page)
        self._starts = StartPage(memoryview(shared)[PAGE_BYTES : PAGE_BYTES + WORDS_BYTES].cast("Q"))
        self._blocks: deque[Block] = deque()
        self._reports = ReportBuffer()
        self._calls = ManyCalls(os.urandom(SEPARATOR_BYTES))
        self._flushed_at = self._clock()
        self._tasks: ServedTasks
        self._coroutines = Coroutines()
        self._block: Block  # which is run, and of that
        self._index = 0
        self._current = 0  # the ordinal of the job whose task runs now, or 0
        self._started = 0.0
        self._cancelled = False
        self._note = open_history("worker")
        self._writer = OutputWriter(nonce, shared, lambda: self._current)
        redirect_output(self._writer)
        write_stacks(stacks)
        parts = process_parts(lambda: write_stacks(stacks))
        self._state = ProcessState([*parts, Streams(self._writer), LoggingConfiguration()])
        context.provide(self)
        self._line = line = ChildLink(relay, self._fork_guard)
        # A fork of a task must not speak for this process on its sockets.
        self._fork_guard.at_fork += [self._work.detach, line.detach, self._writer.forked]
        link.set_ambient(line)
        self._steps = LastSteps(line)
        self._blobs = ChildBlobs(line, self._task)
        self._named: list[bytes] = []  # hashes of the content that the next report's result refers to
        set_ambient_fetcher(self._blobs)
        # Last: a notice needs all of the above.
        signal.signal(signal.SIGUSR1, self._on_notice)

    def run(self, sources: list[str], allow: list[str]) -> None:
        """Load the user's code, report the tasks in it, then serve until the supervisor is gone."""
        try:
            self._tasks = ServedTasks(load_tasks(sources) if sources else {}, allow, self._state.note)
        except BaseException as error:  # an import may raise anything: all of it is reported
            # An import may fork, too.
            self._fork_guard.exit_if_forked(error)
            known = issubclass(type(error), ConfigError)
            text = str(error) if known else Failure.of(error).traceback
            self._writer.flush()
            self._send(encode_frame(Kind.REFUSED, pack([known, text]), PIPE_FRAME_BYTES_MAX))
            return
        self._fork_guard.exit_if_forked()
        capture_logging(self._writer)
        provide_resources(self._tasks.resources)
        self._tasks.start()
        self._state.note()
        hello = sorted(self._tasks.described())
        self._send(encode_frame(Kind.HELLO, pack(hello), PIPE_FRAME_BYTES_MAX))
        while (block := self._next_block()) is not None:
            self._run_block(block)
        self._tasks.stop(self._coroutines.run)

    # what comes in

    def _next_block(self) -> Block | None:
        """None: there will be no more."""
        while not self._blocks:
            # Before it blocks: what is over must not wait for the next job.
            self._flush(self._clock())
            try:
                data = self._receive(READ_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:  # there is time to look at what the last tasks have left
                self._state.put_back()
                data = self._receive(READ_BYTES)
            if not data:
                return None
            self._flushed_at = self._clock()  # the first result waits for others, too
            for _, body in self._frames.feed(data):
                self._blocks.append(Block(*unpack(body)))
        return self._blocks.popleft()

    def _on_notice(self, number: int, frame: Any) -> None:
        """SIGUSR1: end the running job, or flush reports while it runs, if the notice is about this job."""
        # A process that a task forked has inherited the handler.
        if not self._fork_guard.is_original:
            return
        try:
            # One signal may stand for several notices: all are read.
            data = self._read(self._notices, NOTICES_BYTES)
        except BlockingIOError:
            return
        wanted: type[TimeLimit] | type[CancelRequested] | None = None
        for ordinal, kind in NOTICE.iter_unpack(data):
            # The job is over, and the notice must not hit the one behind it.
            if self._current != ordinal:
                continue
            if kind == FLUSH_NOTICE:  # a job runs, so the signal did not interrupt the writing of reports
                self._flush(self._clock())
            else:
                wanted = TimeLimit if kind == TIMEOUT_NOTICE else CancelRequested
        if wanted is CancelRequested:
            self._cancelled = True
        if wanted is not None:
            error = wanted(interruption_message(wanted, self._block.timeout))
            if not self._coroutines.interrupt(error):
                raise error

    # jobs

    def _run_block(self, block: Block) -> None:
        """Run the jobs of a block that were not taken back: all at once, or some, before it is looked at what they have left."""
        self._block = block
        if (served := self._tasks.get(block.name)) is not None and served.together > 1:
            self._state.begin(block.name, self._clock()).run(self._run_together, block, served)
            return
        index, end = 0, len(block.payloads)
        while index < end:
            if not block.is_swift and self._reports:
                self._flush(self._clock())  # it may take long, and what is over does not wait for it
            some = end if block.is_swift and self._state.is_trusted(block.name) else index + 1
            # A context of its own: what tasks set in context variables ends with it.
            context = self._state.begin(block.name, self._clock())
            with shown_gpus(block.given):
                context.run(self._run_jobs, block, index, some)
            index = some
        self._reports.end_of_block()

    def _run_jobs(self, block: Block, first: int, end: int) -> None:
        """From the first one until that one is next. Nothing that a task does ends this loop, but for ending the process."""
        reports, begin, attempt = self._reports, self._starts.begin, self._attempt
        payloads = block.payloads if end - first == len(block.payloads) else block.payloads[first:end]
        # All at once where they are plain; None: each is read by itself, where it may raise.
        calls = self._calls.decode(payloads) or repeat(None)
        served = self._tasks.get(block.name)
        for index, payload, call in zip(range(first, end), payloads, calls, strict=False):
            ordinal = block.first + index
            if not begin(ordinal):
                if self._starts.has_left(ordinal):
                    reports.other([ordinal])  # and at once: until it is said, the job is no one's
                    self._flush(self._clock())
                continue
            self._index = index
            now = attempt(block, served, ordinal, payload, call)
            # By time and by size: neither a slow task nor a large result keeps others waiting.
            if now - self._flushed_at > FLUSH_SECONDS or reports.size_bytes > BYTES_MAX:
                self._flush(now)

    def _attempt(
        self, block: Block, served: ServedTask | None, ordinal: int, payload: bytes, call: Call | None
    ) -> float:
        """Run a job and note its report. The time after it. One long function, because it is run for every task. ``served``,
        ``call``: the task and its arguments, if they are known already; what finds them may raise, or take long."""
        guard, note = self._fork_guard, self._note
        started, clock = self._wall(), self._clock()
        try:
            try:
                if served is None:
                    served = self._tasks[block.name]
                style: str | None = None
                if call is not None:
                    args, kwargs = call
                else:
                    args, kwargs, style = decode_work(payload)
                self._cancelled = False
                self._started = started
                # Only from here on: a notice before would interrupt our own code.
                self._current = ordinal
                if note is not None:
                    note_start(note, block.job(self._index))
                if style is None and served.plain is not None:
                    value = served.plain(*args, **kwargs)
                else:
                    value = self._perform(served, args, kwargs, style)
                # Cheaper than a call of the guard, for each task.
                if not guard.is_ours(0):
                    guard.exit_if_forked()
                self._current = 0
                blobs: list[Blob] = []
                body: bytes | None
                outcome, after = 0, None
                # Most results: encoded without the codec's walk.
                if type(value) in ATOMS:
                    body = encode_atom(value, "result")
                elif style is None and (body := became(value)) is not None:
                    outcome = BECAME
                else:
                    body = encode_result(value, style, blobs)
                if blobs:
                    self._current = ordinal  # uploading may take long: the time limit covers it
                    self._named = self._blobs.send(blobs)
                    self._current = 0
            except (
                BaseException
            ) as error:  # SystemExit and KeyboardInterrupt too: they end the task, not the loop
                guard.exit_if_forked(error)
                self._current = 0  # it is over: no notice may interrupt what describes its end
                outcome, body, after = verdict(error, block.timeout, __file__)
        except BaseException as late:  # raised between two lines of this loop
            guard.exit_if_forked(late)
            self._current = 0
            outcome, body, after = verdict(late, block.timeout, __file__)
        if note is not None:
            note_end(note, block.job(self._index), outcome, body)
        # Downloads of one attempt are not kept for the next: they may be large.
        if self._blobs.here:
            self._blobs.here.clear()
        if outcome or body is None or self._writer.used or self._named:
            progress = self._writer.finish() if self._writer.used else None
            now = self._clock()
            entry: list[Any] = [ordinal, outcome, body, started, now - clock, after, progress]
            if self._named:
                entry.append(self._named)
                self._named = []
            self._reports.other(entry)
        else:
            now = self._clock()
            self._reports.result(ordinal, body, started, now - clock)
        return now

    def _perform(self, served: ServedTask, args: list[Any], kwargs: dict[str, Any], style: str | None) -> Any:
        """What is not just a call of the task's function."""
        value = served.perform(args, kwargs, style, self.context, self._coroutines.why)
        return self._coroutines.run(value) if served.is_coroutine else value

    # common.domain.context.Surroundings

    def progress(self, done: float, total: float | None, note: str) -> None:
        self._writer.progress(done, total, note)

    def is_cancelled(self) -> bool:
        return self._cancelled

    def context(self) -> Context | None:
        return self._block.context(self._index, self._started) if self._current else None

    def steps(self) -> AttemptSteps:
        job = self._block.job(self._index)
        return self._steps.of((job.id, job.attempt, self._block.lease))

    def lend_slot(self, runs: Sequence[IdRun]) -> LentByTask | None:
        ordinal = self._current
        return LentByTask(self._line, ordinal, runs) if ordinal else None

    def _task(self) -> bytes | None:
        """The id of the one that runs, or ran last."""
        return self._block.job(self._index).id if hasattr(self, "_block") else None

    # what goes out

    def _flush(self, now: float) -> None:
        self._flushed_at = now
        if self._reports:
            self._send(encode_frame(Kind.RETURN, self._reports.take(), PIPE_FRAME_BYTES_MAX))


def _fetch_needed(process: ChildProcess, first: bytes) -> Rows:
    """While the arguments of a job are read. Its time limit covers it."""
    block, at = process._block, process._index
    if not process._current:
        process._started, process._cancelled = process._wall(), False
        process._current = block.first + at
    line = link.ambient()
    assert line is not None  # noqa: S101 - a child has one
    job = block.job(at)
    return fetch(line, job.id, job.attempt, block.lease, first)


def main() -> None:
    supervisor, work, notices, relay, page, stacks, nonce, allow, *sources = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor handles Ctrl-C
    die_with(int(supervisor))
    process = ChildProcess(int(work), int(notices), int(relay), int(page), int(stacks), bytes.fromhex(nonce))
    get_needed_from(partial(_fetch_needed, process), failed)
    process.run(sources, allow.split(",") if allow else [])


if __name__ == "__main__":
    main()
