"""What the supervisor asks of the jobs of a child that runs many: read from a pipe, done a few in each turn of the loop.

::

    pipe ─► readable ─► ■ ■ ■ ■ ■ ─► do, a few ─► the loop turns: others on it go on ─► do, a few ─► …
      └─► take, in a signal's handler: what is urgent is done there, the others are put into the line
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from ...common.runtime.callbacks import contained
from .loop import NOTICE, NOTICES_BYTES

NOTICES_A_TURN: Final = 8
"""A coroutine that is cancelled takes a millisecond to end, with its traceback, and all that are asked in one turn end in the next."""

Notice = tuple[int, int]
"""The ordinal of a job, and what is asked of it."""


class Notices:
    """``read``: of the process, as it is unpatched. ``do``: what one asks for. ``on_bug``: with what a callback raises."""

    def __init__(
        self,
        pipe: int,
        read: Callable[[int, int], bytes],
        do: Callable[[int, int], None],
        on_bug: Callable[[Exception], object],
    ) -> None:
        self._pipe, self._read, self._do, self._on_bug = pipe, read, do, on_bug
        self._loop: asyncio.AbstractEventLoop
        self._line = deque[Notice]()
        self._is_due = False

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        loop.add_reader(self._pipe, self._readable)

    def take(self) -> list[Notice]:
        """All that are in the pipe: the one that a signal came for may stand behind thousands."""
        taken: list[Notice] = []
        with contextlib.suppress(BlockingIOError):
            while data := self._read(self._pipe, NOTICES_BYTES):
                taken += NOTICE.iter_unpack(data)
        return taken

    def put_off(self, notices: Iterable[Notice]) -> None:
        """Called by a signal's handler: they are done when the loop turns."""
        self._line += notices
        # Called otherwise, it would not wake a loop that waits.
        self._loop.call_soon_threadsafe(self._go_on)

    def broke(self, error: Exception) -> None:
        self._on_bug(error)

    @contained
    def _readable(self) -> None:
        self._line += self.take()
        self._go_on()

    @contained
    def _go_on(self) -> None:
        # Else some are done in this turn already.
        if not self._is_due:
            self._do_some()

    @contained
    def _do_some(self) -> None:
        for _ in range(min(NOTICES_A_TURN, len(self._line))):
            self._do(*self._line.popleft())
        self._is_due = bool(self._line)
        if self._is_due:
            self._loop.call_soon(self._do_some)
