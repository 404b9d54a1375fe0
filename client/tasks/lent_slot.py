"""A wait inside a task lends the slot that the task has, so that what it waits for can run there.

::

    a wait ─(UNLENT_SECONDS)─► the worker is asked to lend the slot ─► the wait goes on ─► it is over: the slot is used again
                                                                  └─► no slot is left: WouldDeadlock

Outside of a task it costs a wait one look.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from ...common.domain.context import LentSlot, is_of_task, lend_slot

if TYPE_CHECKING:
    import asyncio

    from ...common.domain.id_runs import IdRun

UNLENT_SECONDS: Final = 0.01  # a result that comes sooner needs no slot of this worker
CHECK_SECONDS: Final = 0.2  # between two looks whether the wait was refused

Runs = Callable[[], "Sequence[IdRun]"]


class Loan:
    """Of the slot of a task, for one wait. ``runs``: what is waited for, as of now. ``is_growing``: more tasks may join them."""

    def __init__(self, runs: Runs, *, is_growing: bool = False) -> None:
        self._runs, self._is_growing = runs, is_growing
        self._slot: LentSlot | None = None
        self._named: Sequence[IdRun] = ()
        self.moment = time.monotonic() + UNLENT_SECONDS  # when ``act`` is due

    def act(self) -> None:
        """Have the slot lent, or see whether that was refused. Raises WouldDeadlock."""
        now = time.monotonic()
        if now < self.moment:
            return
        self.moment = now + CHECK_SECONDS
        if self._slot is not None:
            self._slot.check()
        if self._slot is None or self._is_growing:
            runs = self._runs()
            # Nothing is said again that the worker knows.
            if runs and runs != self._named:
                before, self._named = self._slot, runs
                # The new one before the old one ends: in between the slot is never claimed back.
                self._slot = lend_slot(runs)
                if before is not None:
                    before.end()

    def end(self) -> None:
        if self._slot is not None:
            self._slot.end()
            self._slot = None


def loan(runs: Runs | None, *, is_growing: bool = False) -> Loan | None:
    """None where no task can wait, or what is waited for is not a task."""
    return Loan(runs, is_growing=is_growing) if runs is not None and is_of_task() else None


def wait_lending(wait: Callable[[float | None], bool], runs: Runs, timeout: float | None = None) -> bool:
    """Call ``wait``, which waits for so many seconds and says whether what it waits for has come, until it has, or the timeout
    has passed."""
    lent = loan(runs, is_growing=True)
    if lent is None:
        return wait(timeout)
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        while True:
            moment = lent.moment if deadline is None else min(lent.moment, deadline)
            if wait(max(0.0, moment - time.monotonic())):
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False
            lent.act()
    finally:
        lent.end()


async def await_lending(waiting: asyncio.Future[object], runs: Runs) -> None:
    """``wait_lending`` for an event loop. ``runs`` may block: it is called in a thread."""
    import asyncio

    lent = loan(runs, is_growing=True)
    try:
        while not waiting.done() and lent is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(waiting), max(0.0, lent.moment - time.monotonic()))
            if not waiting.done():
                # It asks the worker's supervisor, and that blocks.
                await asyncio.to_thread(lent.act)
        # Raises what it ended with.
        await waiting
    finally:
        waiting.cancel()
        if lent is not None:
            lent.end()
