"""The supervisor's side of one child process: its descriptors, its signals, its death."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from typing import Any, Final

from ...common.errors import ProtocolError, TqError
from ...common.runtime.callbacks import contained
from ...common.runtime.hiding import show_child
from ...common.wire.frames import Kind, pack, unpack
from ...common.wire.protocol import Answerer, Request
from ..agent.jobs import Death
from ..agent.reports import REPORT_FIELDS, JobReport, Report, SliceReport, read_reports
from ..agent.runs import JobRun
from ..child.block import Block
from ..child.loop import CANCEL_NOTICE, FLUSH_NOTICE, NOTICE, TIMEOUT_NOTICE
from ..child.output import DUMP_SIGNAL
from ..child.output_marks import TO_STDERR
from ..supervisor.memory import MAXRSS_UNIT
from .interface import RunnerOwner
from .output_reader import OutputReader
from .pipe import FRAME_BYTES_MAX, PipeEnd, open_pipe
from .processes import Program, Start, StartedProcess

# Of a job that was over sooner and printed nothing through Python, the output pipe is not read before its report is acted on.
SILENT_JOB_SECONDS: Final = 0.001
NOTICES = {"timeout": TIMEOUT_NOTICE, "cancel": CANCEL_NOTICE, "flush": FLUSH_NOTICE}


class ChildHandle:
    """One child, from its start until its death is known. Raises OSError when the system has no more descriptors, processes
    or threads; nothing is left open then. ``module``: the program that it is."""

    module = "tq.worker.child.loop"

    def __init__(
        self,
        owner: RunnerOwner,
        number: int,
        sources: Sequence[str],
        allow: Sequence[str] = (),
        start: Start = StartedProcess,
    ) -> None:
        self.number, self._owner = number, owner
        self.alive = True
        self.ready = self.is_retired = False
        with contextlib.ExitStack() as undo:
            work, theirs_work = map(undo.enter_context, socket.socketpair())
            relay, theirs_relay = map(undo.enter_context, socket.socketpair())
            notices, self._notices = open_pipe(undo)
            # The worker's loop must not wait for a child that reads none, nor a signal handler for one that is not there.
            for descriptor in (notices, self._notices):
                os.set_blocking(descriptor, False)
            self._output_reader = OutputReader(
                lambda ordinal, text: owner.child_printed(
                    self, ordinal & ~TO_STDERR, text, bool(ordinal & TO_STDERR)
                ),
                owner.broke,
            )
            undo.callback(self._output_reader.undo)
            passed = (theirs_work.fileno(), notices, theirs_relay.fileno(), *self._output_reader.passed)
            arguments = (self._output_reader.nonce, ",".join(allow), *sources)
            output = self._output_reader.child_output
            self._process = start(Program(self.module, passed, arguments, output))
            undo.callback(self._process.undo)
            self.pid = self._process.pid
            self._process.when_dead(self._died)
            # From here on everything is closed by ``_close``.
            undo.pop_all()
        show_child(self.pid)
        # The child's ends: with a copy of them here, its end would not be seen.
        os.close(notices)
        theirs_work.close()
        theirs_relay.close()
        self._work = PipeEnd(work, self._on_work, self._distrust, self.broke)
        self._relay = PipeEnd(relay, self._on_relay, self._distrust, self.broke)
        self._is_distrusted = False
        self._answerer = Answerer(FRAME_BYTES_MAX)
        self._output_reader.started()
        self._starts = self._output_reader.starts
        self._sent = 0  # the ordinal of the last job that it was handed
        self._is_killed = self._is_dumped = False

    # effects

    def send(self, runs: list[JobRun], *, is_swift: bool) -> None:
        if self.alive:
            self._sent = runs[-1].end - 1
            self._work.write(Kind.CALL, pack(block_of(runs, is_swift=is_swift)))

    def begun(self, *, for_certain: bool = False) -> int:
        return self._starts.runs if for_certain else self._starts.begun

    def take_back(self) -> int:
        return self._starts.take_back(self._sent)

    def notify(self, ordinal: int, kind: str) -> None:
        if self.alive:
            with contextlib.suppress(
                BlockingIOError
            ):  # a child that reads no notices is killed after the grace
                os.write(self._notices, NOTICE.pack(ordinal, NOTICES[kind]))
            self._send_signal(signal.SIGUSR1)

    def signal(self, *, kill: bool) -> None:
        self._is_killed |= kill
        self._send_signal(signal.SIGKILL if kill else signal.SIGTERM)

    def dump_stacks(self) -> None:
        """Have it write what all its threads are doing; that is read when it has died."""
        self._is_dumped = True
        self._send_signal(DUMP_SIGNAL)

    def look(self) -> None:
        """Report what progress there is, and distrust a child whose frame does not end."""
        if self.alive and (self._work.is_stuck() or self._relay.is_stuck()):
            self._distrust(ProtocolError("it began a frame and did not end it"))
        found = self._output_reader.progress() if self.alive else None
        if found is not None:
            self._owner.child_progressed(self, *found)

    def _send_signal(self, number: int) -> None:
        if self.alive:  # the process is not reaped before _died, so its pid cannot be another's
            self._process.signal(number)

    def answer(self, call_id: int, value: Any, error: TqError | None) -> None:
        """Send the answer to a relayed call."""
        if self.alive:
            frame = (
                self._answerer.answer(call_id, value)
                if error is None
                else self._answerer.refuse(call_id, error)
            )
            self._relay.write_frame(frame)

    def retire(self) -> None:
        """It has no jobs; its end is expected."""
        self.is_retired = True
        self.end_input()

    def end_input(self) -> None:
        """Let the child end by itself when it has no jobs left."""
        if self.alive:
            self._work.end()

    # events

    def _on_work(self, kind: int, body: memoryview) -> None:
        if self._is_distrusted:
            return
        value = unpack(body)
        if kind == Kind.RETURN:
            reports = read_reports(value)
            if not self.ready:
                raise ProtocolError("it reported before it was ready")
            if self._may_have_printed(reports):
                self._read_output_first(value)
            self._discard_stacks(reports)
            self._owner.child_reported(self, reports)
            return
        self._output_reader.read_rest()  # what the import printed comes before its outcome
        match kind, value:
            case Kind.HELLO, list() if not self.ready:
                self.ready = True
                self._owner.child_hello(self, value)
            case Kind.REFUSED, [bool(known), str(text)]:
                self._owner.child_failed(self, known, text)
            case _:
                raise ProtocolError(f"it sent a frame of kind {kind} at the wrong time")

    def _discard_stacks(self, reports: list[Report]) -> None:
        """The job that stacks were requested for has ended by itself."""
        if self._is_dumped:
            self._is_dumped = False
            self._output_reader.stacks()

    def broke(self, error: Exception) -> None:
        """The worker has a bug that something of this child met: the child is replaced, as one that broke the protocol."""
        self._owner.broke(error)
        self._distrust(ProtocolError(f"the worker has a bug: {error!r:.200}"))

    def _distrust(self, error: ProtocolError) -> None:
        """It sent what this project's code does not send: something else writes to its pipes. Ignore it from now on."""
        if not self._is_distrusted:
            self._is_distrusted = True
            self._owner.child_distrusted(self, str(error))

    def _may_have_printed(self, reports: list[Report]) -> bool:
        """Whether what these jobs have printed is to be read before their reports are acted on. Raises ProtocolError for a
        job that was left, and was not taken back."""
        may_have = False
        for report in reports:
            if isinstance(report, SliceReport):
                may_have = may_have or max(report.seconds) >= SILENT_JOB_SECONDS
            elif isinstance(report, JobReport):
                may_have = True
            elif not self._starts.may_be_left(report.ordinal):
                raise ProtocolError("it left a job that was not taken back")
        return may_have

    def _read_output_first(self, entries: list[list[Any]]) -> None:
        """What these jobs printed, and their last progress, come before their reports."""
        self._output_reader.read_rest()
        for entry in entries:
            if len(entry) > REPORT_FIELDS and entry[REPORT_FIELDS] is not None:
                self._owner.child_progressed(self, entry[0], entry[REPORT_FIELDS])

    def _on_relay(self, kind: int, body: memoryview) -> None:
        if self._is_distrusted:
            return
        request = self._answerer.understand(kind, body)
        if isinstance(request, Request):
            self._owner.child_called(self, request)

    @contained
    def _died(self) -> None:
        # Reports that it wrote before its death count: what they are about has ended, and is not run again.
        self._read_rest()
        self.alive = False
        try:
            self._owner.child_died(self, self._reap())
        finally:
            self._close()

    @contained
    def _read_rest(self) -> None:
        """What it wrote before it died."""
        self._work.read_rest()
        self._relay.read_rest()
        self._output_reader.read_rest()
        self.look()

    def _close(self) -> None:
        self._work.close()
        self._relay.close()
        self._output_reader.close()
        os.close(self._notices)

    def _reap(self) -> Death:
        """Reap the process: read what the kernel still knows about it, and what its page says."""
        code, peak = self._process.reap()
        return Death(
            code,
            peak_bytes=peak * MAXRSS_UNIT,
            is_ours=self._is_killed,
            stacks=self._output_reader.stacks(),
            holder=self._starts.beat[1],
        )


def block_of(runs: list[JobRun], *, is_swift: bool) -> Block:
    """Jobs of one lease and one task, as their child receives them."""
    first = runs[0]
    return Block(
        first.ordinal,
        first.name,
        first.queue,
        first.lease,
        first.timeout,
        is_swift,
        [[run.id, len(run), run.attempt, run.number] for run in runs],
        first.payloads if len(runs) == 1 else [payload for run in runs for payload in run.payloads],
        first.given,
    )
