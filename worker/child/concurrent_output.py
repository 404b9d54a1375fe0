"""Output of a child that runs many jobs at a time: each line says by a mark whose it is. See ``output.py`` for one job at a time.

A mark and the text behind it are written together, in portions that a pipe takes whole (PIPE_BUF); so what threads print at the
same time is not mixed up, and no lock is held, in which an exception that is raised in a thread could be met.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable
from typing import Final

from .output import LINE_BYTES_MAX, STDERR
from .output_marks import MARK_BYTES, TO_STDERR, mark

PORTION_BYTES: Final = select.PIPE_BUF - MARK_BYTES


class ConcurrentWriter:
    """``current``: the ordinal of the job that prints, or 0."""

    def __init__(self, nonce: bytes, current: Callable[[], int]) -> None:
        self._nonce, self._current = nonce, current
        self._write = os.write  # kept, because a task may replace it
        self._pipe = os.dup(STDERR)  # output goes there, even if a task redirects 1 and 2
        self._held: dict[int, bytearray] = {}  # the rest of a line, by the marked ordinal

    def write(self, descriptor: int, data: bytes) -> None:
        ordinal = self._current()
        marked = ordinal | TO_STDERR if descriptor == STDERR else ordinal
        held = self._held.pop(marked, None)
        if held is not None:
            data = bytes(held) + data
        end = len(data) if len(data) > LINE_BYTES_MAX else data.rfind(b"\n") + 1
        self._put(marked, data[:end])
        if end < len(data):
            self._held[marked] = bytearray(data[end:])

    def flush(self) -> None:
        """Whole lines were written; the rest of a line waits for the end of its job."""

    def forked(self) -> None:
        """In a fork: what is held is written by the task's process, and not a second time here."""
        self._held.clear()

    def finish(self, ordinal: int) -> None:
        """The job is over: write what is held of it."""
        if not self._held:
            return
        for marked in (ordinal, ordinal | TO_STDERR):
            held = self._held.pop(marked, None)
            if held:
                self._put(marked, bytes(held))

    def finish_all(self) -> None:
        for marked in list(self._held):
            self.finish(marked & ~TO_STDERR)

    def _put(self, marked: int, text: bytes) -> None:
        head = mark(self._nonce, marked)
        with contextlib.suppress(OSError):  # the supervisor is gone
            for at in range(0, len(text), PORTION_BYTES):
                self._write(self._pipe, head + text[at : at + PORTION_BYTES])
