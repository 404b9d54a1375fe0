"""Output and progress of children: collected, shown on this host, and sent to the master.

::

    pipes of children ─► printed ──┬► OutputSink: stderr, or the program that has this worker; files
    shared pages ─► progressed ────┴► UnsentOutput ─► observe ─► master

Rows are sent twice a second, and those of an attempt before its end is reported. Sending is best effort: a call that fails
costs what it carried, and no task waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from ...common.domain.id_runs import ids_named
from ...common.domain.ids import show_id
from ...common.runtime.callbacks import WORKER, contained, report_bug
from ..agent.finish_call import FinishCall
from ..agent.jobs import Job
from ..agent.unsent_output import UnsentOutput
from .output_sink import OutputSink

SEND_SECONDS: Final = 0.5
CLOSE_SECONDS: Final = 2.0  # for output that still waits for a terminal or a disk when the worker ends

Send = Callable[[list[list[Any]]], None]


class Observer:
    """``send``: makes the call, if there is a connection."""

    def __init__(
        self, send: Send, folder: Path | None, report: Callable[..., None], log_format: str = "text"
    ) -> None:
        self._send, self._report, self._log_format = send, report, log_format
        self._loop = asyncio.get_running_loop()
        self._unsent = UnsentOutput()
        self._sink = OutputSink(folder, report)
        self._timer: asyncio.TimerHandle | None = None

    def printed(self, job: Job | None, text: bytes, is_error: bool = False) -> None:
        """Output of a child; ``job`` None: of no attempt. ``is_error``: to its stderr."""
        if job is None:
            self._sink.put("", text, is_error)
            return
        self._sink.put(f"{show_id(job.id)}.{job.number}.log", text, is_error)
        self._unsent.text(job, text)
        self._send_soon()

    def progressed(self, job: Job, progress: list[Any]) -> None:
        self._unsent.progress(job, progress)
        self._send_soon()

    def last_lines(self, job: Job) -> str:
        return self._unsent.last_lines(job)

    def before_finish(self, call: FinishCall) -> None:
        """These ends are about to be reported: the output of those attempts is sent first."""
        if self._unsent.has_unsent:
            keys = call.keys()
            # In calls that fit a frame each: an attempt may have printed more than one takes.
            while said := self._unsent.take(keys):
                self._send(said)

    def finished(self, call: FinishCall) -> None:
        """Their ends are acknowledged."""
        if self._unsent:
            self._unsent.forget(call.keys())

    def connected(self, held: Sequence[list[Any]], of_it: Callable[[bytes], bool] = lambda _: True) -> None:
        """There is a new connection; what was sent on the last one may be lost. ``of_it``: whether a task is of this master."""
        if self._unsent:
            # Output of attempts that are over here has no one to be shown to.
            self._unsent.keep((id, attempt) for named, attempt, _ in held for id in ids_named([named]))
        self._unsent.resend_all(of_it)
        self._send_soon()

    def import_failed(self, text: str) -> None:
        """In a log for people the traceback is written as it is, above its record, because people read it."""
        if self._log_format == "text":
            self._sink.put("", f"{text.rstrip()}\n".encode())
            text = text.strip().rpartition("\n")[2]
        self._report("child.import_failed", level="error", error=text)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._sink.close(CLOSE_SECONDS)

    def _send_soon(self) -> None:
        if self._timer is None and self._unsent.has_unsent:
            self._timer = self._loop.call_later(SEND_SECONDS, self._due)

    def broke(self, error: Exception) -> None:
        report_bug(self._report, error, WORKER)
        self._send_soon()

    @contained
    def _due(self) -> None:
        # Before anything may fail: with a timer noted, none would be set again.
        self._timer = None
        rows = self._unsent.take()
        if rows:
            self._send(rows)
        self._send_soon()
