"""What wakes the loop, and how signals end it.

::

    RUNNING ─1st Ctrl-C─► ASKED ─GRACE_SECONDS─► CANCELLING ─all have ended, or END_SECONDS_MAX─► OVER
                            └─2nd Ctrl-C─► the command ends, and its tasks continue without it

A signal handler only counts and wakes the loop, so no step of the loop is interrupted half-way.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from typing import Any, Final

GRACE_SECONDS: Final = 1.5  # within it a second Ctrl-C leaves the tasks running
# For the word that everything cancelled has ended; a stuck task takes three graces
END_SECONDS_MAX: Final = 20.0
# For the master to acknowledge a cancel, when there is nothing else to wait for
ACKNOWLEDGE_SECONDS_MAX: Final = 5.0


class Wakeup:
    """A self-pipe: any thread or signal handler may wake the one loop that waits, which also waits for descriptors."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def wake(self) -> None:
        # A full pipe means that the loop is awake already, a closed one that it has ended.
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._write, b"!")

    def wait(self, interests: dict[int, int], seconds: float) -> dict[int, int]:
        """Wait until it is woken or a descriptor has one of its events; returns the events."""
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        for descriptor, events in interests.items():
            poll.register(descriptor, events)
        found = dict(poll.poll(seconds * 1000))
        if found.pop(self._read, None):
            with contextlib.suppress(BlockingIOError):
                os.read(self._read, 4_096)
        return found

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


class Interrupts:
    """The number of stop signals, and the first of them."""

    def __init__(self, wakeup: Wakeup) -> None:
        self._wakeup, self.count = wakeup, 0
        self.signal = 0  # the first

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        numbers = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) != signal.SIG_IGN]
        # A shell's nohup and & set signals to be ignored: those stay ignored.
        before = {one: signal.signal(one, self._on_signal) for one in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: Any) -> None:
        self.count += 1
        self.signal = self.signal or number
        self._wakeup.wake()
