"""What a master does while its disk is full: nothing new is accepted, so that what is under way can end.

::

    the store says that the disk is full ─► the reserve is released ─► new tasks, items, content and named values are refused
                                                                       reports, cancels and purges go on, on the reserve
    there is room for the reserve again ─► everything is accepted

Pure: the reserve is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Protocol

from ...common.errors import StoreError, StoreFull
from .agenda import Agenda
from .clock import Now
from .part import Part

LOOK_EVERY_MS: Final = 1_000  # while it is full
LOOK: Final = "look"  # the key of the agenda
FULL: Final = (
    "the master's disk is full: nothing new is accepted; what was accepted goes on. Free some space on its disk, or delete what is "
    "no longer needed (tq purge --finished --queue '*'); the master goes on by itself"
)


class Reserve(Protocol):
    """Space that is kept for this time, see ``master/store/reserve.py``."""

    def release(self) -> bool: ...
    def restore(self) -> bool: ...


class Room(Part):
    """``reserve`` None: there is none, as of a store in memory; then nothing is refused before the store refuses it."""

    name = "room on the disk"

    def __init__(self, agenda: Agenda, report: Callable[..., None], reserve: Reserve | None) -> None:
        self._agenda, self._report, self._reserve = agenda, report, reserve
        self.disk_is_full = False

    def check(self) -> None:
        """Called by what would store something new. Raises StoreFull."""
        if self.disk_is_full:
            error = StoreFull(FULL)
            error.maybe_done = False
            raise error

    def failed(self, error: StoreError, now: Now) -> bool:
        """A transaction failed; whether the log has the reason by this."""
        if self._reserve is None or not isinstance(error, StoreFull):
            return False
        self._reserve.release()  # before the store is opened again: that may take a write
        is_news, self.disk_is_full = not self.disk_is_full, True
        if is_news:
            self._report("store.full", level="error", error=str(error))
        self._agenda.set(self, LOOK, now.mono + LOOK_EVERY_MS)
        return is_news

    def due(self, key: Hashable, now: Now) -> None:
        if self.disk_is_full and self._reserve is not None and self._reserve.restore():
            self.disk_is_full = False
            self._report("store.has_room")
        elif self.disk_is_full:
            self._agenda.set(self, LOOK, now.mono + LOOK_EVERY_MS)
