"""Numbers for calls that are done once each, however often they are asked again.

A caller makes one call at a time, the next when it is known what became of the last: so whatever the master has from
it beyond a number, the call of that number was done. One whose last call's end is not known is used no more.
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
    """As many as calls are made at a time. Threads may share it."""

    def __init__(self) -> None:
        self.idle: list[NumberedCaller] = []  # their last calls have ended

    def take(self) -> NumberedCaller:
        """One that nobody uses; a forked process has none of its parent's."""
        while True:
            try:
                caller = self.idle.pop()
            except IndexError:
                return NumberedCaller(os.urandom(CALLER_BYTES), itertools.count(1), os.getpid())
            if caller.pid == os.getpid():
                return caller

    def give_back(self, caller: NumberedCaller) -> None:
        """It is known what became of its call."""
        self.idle.append(caller)
