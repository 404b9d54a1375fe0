"""Where output goes on this host: to the worker's own stderr, and to files if the settings say so. A worker that belongs to one
program, of ``tq.local`` for example, writes it to stdout and stderr of that program instead, unchanged: there the program's own
functions print, as in processes that it had started itself.

A thread writes it: a terminal that is stopped (Ctrl-S), a pipe without a reader or a slow disk holds up this thread and
nothing else. The output that waits for it is bounded; beyond the bound, output is dropped and counted.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ...common.runtime.cleaning import clean

WAITING_BYTES_MAX: Final = 8 * 1024 * 1024
STDERR: Final = 2
VARIABLE: Final = "TQ_PROGRAM_OUTPUT"  # the two inherited descriptors of such a program: "5,6"

Report = Callable[..., None]


class OutputSink:
    """``folder``: one file per attempt, with all that it printed; None: only stderr."""

    def __init__(self, folder: Path | None, report: Report) -> None:
        self._folder, self._report = folder, report
        self._program = _inherited()
        self._queue: queue.SimpleQueue[tuple[str, bytes, bool] | None] = queue.SimpleQueue()
        self._waiting_bytes = 0
        self._dropped_bytes = 0
        self._has_complained = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None  # of the first output

    def put(self, name: str, text: bytes, is_error: bool = False) -> None:
        """``name``: of the attempt's file; empty: the output is of no attempt. ``is_error``: it was written to stderr."""
        with self._lock:
            # Dropped, not waited for: the loop of the worker must never stand still for a terminal.
            if self._waiting_bytes + len(text) > WAITING_BYTES_MAX:
                self._dropped_bytes += len(text)
                return
            self._waiting_bytes += len(text)
        # Most workers print nothing.
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="tq-output", daemon=True)
            self._thread.start()
        self._queue.put((name, text, is_error))

    def close(self, seconds: float) -> None:
        """Write what waits, for so long at most."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(seconds)

    def _write(self) -> None:
        while (entry := self._queue.get()) is not None:
            name, text, is_error = entry
            with contextlib.suppress(OSError):  # stderr is closed, or its reader is gone
                if self._program is None:
                    _write_all(STDERR, clean(text.decode("utf-8", "replace")).encode())  # read on terminals
                else:
                    _write_all(self._program[is_error], text)
            if self._folder is not None and name:
                self._append(self._folder / name, text)
            with self._lock:
                self._waiting_bytes -= len(text)
                dropped, self._dropped_bytes = self._dropped_bytes, 0
            if dropped:
                self._report("output.dropped", level="warning", bytes=dropped)

    def _append(self, path: Path, text: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Opened for each text: an attempt's file is not held open until its end, and log rotation may move it.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                _write_all(descriptor, text)
            finally:
                os.close(descriptor)
            self._has_complained = False
        except OSError as error:
            if not self._has_complained:  # once, until a write has succeeded again
                self._has_complained = True
                self._report("output.not_kept", level="warning", file=str(path), error=str(error))


def _inherited() -> tuple[int, int] | None:
    """Stdout and stderr of the program that this worker belongs to. Child processes inherit neither them nor the variable."""
    named = os.environ.pop(VARIABLE, None)
    if named is None:
        return None
    out, error = (int(one) for one in named.split(","))
    for descriptor in (out, error):
        os.set_inheritable(descriptor, False)
    return out, error


def _write_all(descriptor: int, text: bytes) -> None:
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
