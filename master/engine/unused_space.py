"""Gives space that the store's file does not use back to the disk, a few pages at a time.

What is deleted leaves unused pages in the file, which are written over before it grows. A part of them is kept for that: a file
that shrinks and grows with each purge gains nothing. So it begins when much is unused, and ends when little is.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from ..store.interface.space import Space
from .clock import Now
from .core import Core
from .pace import Pace
from .part import Part

LOOK_EVERY_MS: Final = 10_000  # after something was written
BEGIN_BYTES: Final = 4 * 1024 * 1024  # unused, and
BEGIN_SHARE: Final = 0.2  # of the file
KEEP_BYTES: Final = 1024 * 1024
KEEP_SHARE: Final = 0.05
STEP_PAGES: Final = 16  # a third of a millisecond
SHARE: Final = 0.05  # of a core
NEXT: Final = "next"  # the key of the agenda for the next portion


class UnusedSpace(Part):
    name = "unused space of the store"

    def __init__(self, core: Core) -> None:
        self._store, self._agenda = core.store, core.agenda
        self._pace = Pace(core.seconds, SHARE)
        self._has_changed, self._look_at = True, 0  # since the last look; monotonic ms of the next one

    def settle(self, now: Now) -> None:
        """Looks in a transaction that there is anyway: an idle master is not woken for it."""
        self._has_changed |= self._store.changed
        if self._has_changed and now.mono >= self._look_at:
            self._has_changed, self._look_at = False, now.mono + LOOK_EVERY_MS
            if not self._agenda.has(self, NEXT) and is_worth(self._store.space()):
                self._agenda.set(self, NEXT, now.mono)

    def due(self, key: Hashable, now: Now) -> None:
        pause = self._pace.portion(self._step)
        if pause is not None:
            self._agenda.set(self, NEXT, now.mono + pause)

    def committed(self) -> None:
        self._pace.committed()

    def _step(self) -> bool:
        """Whether there is more to give back."""
        return self._store.give_back(STEP_PAGES) > 0 and not is_enough(self._store.space())


def is_worth(space: Space) -> bool:
    """Whether so much is unused that it is given back."""
    return space.shrinks and space.unused_bytes >= max(BEGIN_BYTES, BEGIN_SHARE * space.size_bytes)


def is_enough(space: Space) -> bool:
    """Whether so little is unused that it stays."""
    return space.unused_bytes <= max(KEEP_BYTES, KEEP_SHARE * space.size_bytes)
