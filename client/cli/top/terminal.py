"""The terminal of ``tq top``: keys without echo, the other screen, and everything as it was at the end.

Owns what has to be undone: the terminal's mode, the signal handlers, the pipe that wakes the waiting. A
terminal that is left by an exception, by Ctrl-C or by SIGTERM is restored all the same.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from types import TracebackType
from typing import Any, Final, Self

LEAVE: Final = b"\x1b[?1049l\x1b[?25h\x1b[0m"  # the other screen; show the cursor; no colour
READ_BYTES: Final = 1_024
SEQUENCES: Final = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b[C": "right",
    b"\x1bOC": "right",
    b"\x1b[D": "left",
    b"\x1bOD": "left",
    b"\x1b": "escape",
    b"\r": "enter",
    b"\n": "enter",
    b"\t": "tab",
}


def keys(data: bytes) -> list[str]:
    """The pressed keys; unknown sequences are ignored."""
    found: list[str] = []
    while data:
        length = 1
        if data[:1] == b"\x1b" and data[1:2] in (b"[", b"O"):
            length = 3
            while length <= len(data) and not 0x40 <= data[length - 1] <= 0x7E:
                length += 1
        part, data = data[:length], data[length:]
        known = SEQUENCES.get(part)
        if known is not None:
            found.append(known)
        elif len(part) == 1 and part.isascii() and part.decode().isprintable():
            found.append(part.decode())
    return found


class Terminal:
    """Of this process; a context."""

    def __init__(self) -> None:
        self._input, self._output = sys.stdin.fileno(), sys.stdout.fileno()
        self.ended_by: int | None = None  # the signal that asked for the end
        self._before: list[Any] = []
        self._handlers: dict[int, Any] = {}
        self._waking, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._input)
        mode = termios.tcgetattr(self._input)
        mode[6][termios.VSUSP] = b"\x00"  # Ctrl-Z would leave a shell on the other screen
        termios.tcsetattr(self._input, termios.TCSADRAIN, mode)
        tty.setcbreak(self._input, termios.TCSADRAIN)
        self._handle(signal.SIGWINCH, lambda number, frame: self.wake())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._handle(number, self._end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # a terminal that is gone needs nothing
            os.write(self._output, LEAVE)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)

    def _handle(self, number: int, handler: Any) -> None:
        self._handlers[number] = signal.signal(number, handler)

    def _end(self, number: int, frame: object) -> None:
        """Noted, not raised: an exception in the middle of a frame would leave half of it."""
        self.ended_by = number
        self.wake()

    def wake(self) -> None:
        """End the wait; from any thread or signal handler."""
        try:
            os.write(self._wake, b".")
        except BlockingIOError:
            return  # the pipe is full: the waiting loop is awake already

    def wait(self, seconds: float) -> list[str]:
        """The keys that were pressed within so many seconds; less when it is woken."""
        ready, _, _ = select.select([self._input, self._waking], [], [], max(0.0, seconds))
        if self._waking in ready:
            os.read(self._waking, READ_BYTES)
        if self._input not in ready:
            return []
        data = os.read(self._input, READ_BYTES)
        if not data:
            raise EOFError
        return keys(data)
