"""The supervisor's side of a child process that runs many jobs at a time: see ``worker/child/concurrent.py``."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from typing import Final

from ...common.errors import ProtocolError
from ...common.wire.frames import Kind, unpack
from ..agent.reports import Report
from ..child.loop import CANCEL_NOTICE, NOTICE, STRIKE_NOTICE, TIMEOUT_NOTICE, WHERE_NOTICE
from ..supervisor.starvation import Starvation
from .interface import RunnerOwner
from .process import ChildHandle
from .processes import Start, StartedProcess

NOTICES: Final = {
    "timeout": TIMEOUT_NOTICE,
    "cancel": CANCEL_NOTICE,
    "where": WHERE_NOTICE,
    "strike": STRIKE_NOTICE,
}


class ConcurrentHandle(ChildHandle):
    """One child, from its start until its death is known."""

    module = "tq.worker.child.concurrent"

    def __init__(
        self,
        owner: RunnerOwner,
        number: int,
        sources: Sequence[str],
        allow: Sequence[str] = (),
        start: Start = StartedProcess,
    ) -> None:
        self._stands: dict[int, str] = {}  # where jobs that do not end stand, by ordinal
        super().__init__(owner, number, sources, allow, start)
        self.starvation = Starvation(self.pid)

    def notify(self, ordinal: int, kind: str) -> None:
        """It is read by the child's loop; the signal is for code that does not give the loop back."""
        if self.alive:
            with contextlib.suppress(
                BlockingIOError
            ):  # its loop stands still: the notice is sent again, or the child is killed
                os.write(self._notices, NOTICE.pack(ordinal, NOTICES[kind]))
            if kind == "strike":
                self._send_signal(signal.SIGUSR1)

    def _close(self) -> None:
        super()._close()
        self.starvation.close()

    def dump_stacks(self) -> None:
        self._output_reader.stacks()  # of an earlier request
        super().dump_stacks()

    def beat(self) -> tuple[int, int]:
        """How often its loop has turned, about, and whose code runs there now."""
        return self._starts.beat

    def stack(self, ordinal: int) -> str:
        """As it has said itself; or, while its loop stands still, what runs there."""
        return self._stands.pop(ordinal, "") or of_main_thread(self._output_reader.stacks())

    def _discard_stacks(self, reports: list[Report]) -> None:
        """They may be of another job than of those that have ended."""
        for report in reports:
            self._stands.pop(report.ordinal, None)

    def _on_work(self, kind: int, body: memoryview) -> None:
        if kind == Kind.CALL and self.ready and not self._is_distrusted:
            self._note(unpack(body))
        else:
            super()._on_work(kind, body)

    def _note(self, notes: object) -> None:
        """``[ordinal, progress, where it stands]`` of jobs that run."""
        for note in notes if isinstance(notes, list) else [notes]:
            match note:
                case [int(ordinal), list(progress), None]:
                    self._owner.child_progressed(self, ordinal, progress)
                case [int(ordinal), None, str(stack)]:
                    self._stands[ordinal] = stack
                case _:
                    raise ProtocolError("its notes have an unknown form")


class GeventHandle(ConcurrentHandle):
    """The same of a child of a gevent pool."""

    module = "tq.worker.child.concurrent_gevent"


def of_main_thread(stacks: str) -> str:
    """Of what faulthandler has written: it names the main thread last."""
    *_, last = stacks.split("(most recent call first):\n")
    return last.strip("\n")
