"""Numbers for calls: the master performs each numbered call once, however often it is repeated.

A caller has at most one call under way. It makes the next one only when the outcome of the last is known. So once the
master has seen a later number from a caller, the call of every earlier number is finished. A caller whose last outcome
is unknown is never used again.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Final, NamedTuple

CALLER_BYTES: Final = 16


class NumberedCaller(NamedTuple):
    name: bytes
    numbers: Iterator[int]
    pid: int


class NumberedCallers:
    """A pool of callers: as many as there are simultaneous calls. Thread-safe."""

    def __init__(self) -> None:
        self.idle: list[NumberedCaller] = []  # their last calls have ended

    def take(self) -> NumberedCaller:
        """An idle caller, or a new one. A forked process never takes a caller of its parent: both would use its numbers."""
        while True:
            try:
                caller = self.idle.pop()
            except IndexError:
                return NumberedCaller(os.urandom(CALLER_BYTES), itertools.count(1), os.getpid())
            if caller.pid == os.getpid():
                return caller

    def give_back(self, caller: NumberedCaller) -> None:
        """Return a caller whose last call has a known outcome."""
        self.idle.append(caller)
