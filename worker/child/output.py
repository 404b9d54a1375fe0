"""A child's standard output and error, and the progress of its task, written so that each is attributed to its job.

::

    print, warnings, logging ─► sys.stdout, sys.stderr (OutputStream) ─► OutputWriter: mark + lines ─► descriptor 1 or 2 ─┐
    C code, subprocesses ──────────────────────────────────────────────► descriptor 1 or 2 ─► one pipe ◄──┘

Whole lines are written at once, so that nothing of them is lost when the process is killed; the rest of a line is written
when its task is over. A task that prints nothing costs one look at ``used``.

No lock is held anywhere: a time limit may be raised as an exception between any two steps.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from .output_marks import TO_STDERR, SharedPage, mark, write_progress

LINE_BYTES_MAX: Final = 8 * 1024  # a longer line is written before its end
LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
STDOUT, STDERR = 1, 2
DUMP_SIGNAL: Final = signal.SIGUSR2  # the stacks of all threads are written, even during a loop in C


class OutputWriter:
    """Everything that a child writes besides its reports. ``current``: the ordinal of the running job, or 0."""

    def __init__(self, nonce: bytes, page: SharedPage, current: Callable[[], int]) -> None:
        self.used = False  # since the last report
        self._nonce, self._current = nonce, current
        self._page = page
        self._write = os.write  # kept, because a task may replace it
        self._marks = os.dup(2)  # marks go to the pipe, even if a task redirects 1 and 2
        self._parts: deque[bytes] = deque()
        self._held_bytes = 0
        self._where = (2, 0)  # descriptor and ordinal of what is held
        self._marked = 0
        self._progress: list[Any] | None = None

    def write(self, descriptor: int, data: bytes) -> None:
        where = (descriptor, self._current())
        if where != self._where:
            self.flush()
            self._where = where
        self._parts.append(data)
        self._held_bytes += len(data)
        self.used = True
        if b"\n" in data or self._held_bytes > LINE_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what is held. A closed descriptor costs the output and nothing else."""
        held: list[bytes] = []
        with contextlib.suppress(IndexError):
            while True:  # one by one: another thread may print meanwhile
                held.append(self._parts.popleft())
        self._held_bytes = 0
        rest = memoryview(b"".join(held))
        descriptor, ordinal = self._where
        with contextlib.suppress(OSError):
            marked = ordinal | TO_STDERR if descriptor == STDERR else ordinal
            if rest and marked != self._marked:
                self._write(self._marks, mark(self._nonce, marked))
                self._marked = marked
            while rest:
                rest = rest[self._write(descriptor, rest) :]

    def forked(self) -> None:
        """In a fork: what is held is written by the task's process, and not a second time here."""
        self._parts.clear()
        self._held_bytes = 0

    def progress(self, done: float, total: float | None, note: str) -> None:
        """Written into shared memory, which the supervisor reads now and then."""
        ordinal = self._current()
        if ordinal:  # 0: called by a thread that has outlived its task
            self._progress = [done, total, note]
            self.used = True
            write_progress(self._page, ordinal, self._progress)

    def finish(self) -> list[Any] | None:
        """The job is over: write what is held, and return its last progress."""
        self.flush()
        self.used = False
        progress, self._progress = self._progress, None
        return progress


class Writer(Protocol):
    """What is below the streams of a child: an OutputWriter, or that of a child that runs many jobs at a time."""

    def write(self, descriptor: int, data: bytes) -> None: ...
    def flush(self) -> None: ...


class OutputStream(io.BufferedIOBase):
    """The binary stream below ``sys.stdout`` or ``sys.stderr``."""

    def __init__(self, writer: Writer, descriptor: int) -> None:
        self._writer, self._descriptor = writer, descriptor
        self.name = {1: "<stdout>", 2: "<stderr>"}[descriptor]
        self.mode = "wb"
        self._is_closed = False

    @property
    def closed(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        """For the task that has asked for it."""
        self.flush()
        self._is_closed = True

    def reopen(self) -> None:
        self._is_closed = False

    def write(self, data: Any, /) -> int:
        written = bytes(data)
        if written:
            self._writer.write(self._descriptor, written)
        return len(written)

    def flush(self) -> None:
        self._writer.flush()

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True


def open_stream(writer: Writer, descriptor: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(OutputStream(writer, descriptor), "utf-8", "backslashreplace", write_through=True)


def redirect_output(writer: Writer) -> None:
    """From now on what Python code prints goes through the writer."""
    for name, descriptor in (("stdout", STDOUT), ("stderr", STDERR)):
        setattr(sys, name, open_stream(writer, descriptor))


def write_stacks(stacks: int) -> None:
    """From now on faulthandler's stacks go to a pipe of their own, whatever was done about them before."""
    faulthandler.enable(file=stacks)
    faulthandler.unregister(DUMP_SIGNAL)
    faulthandler.register(DUMP_SIGNAL, file=stacks, all_threads=True)


def capture_logging(writer: Writer) -> None:
    """Make log records part of the output. Called after the user's code was imported, so that a set-up of logging in that
    code takes precedence. Its stream is its own: nothing that a task does to ``sys.stderr`` reaches it."""
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler(open_stream(writer, STDERR))
        handler.setFormatter(logging.Formatter(LOG_FORMAT))
        root.addHandler(handler)
        if root.level == logging.WARNING:  # the default: the user's code has not set it
            root.setLevel(logging.INFO)
