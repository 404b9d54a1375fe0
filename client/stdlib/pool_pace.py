"""How large the chunks of a Pool's map or imap are when the program does not say: from the pace at which its items end. Pure.

::

    feeder: size ─► chunk ─► sent          at most CHUNKS_PER_SLOT for each slot under way: what is sent cannot be cut again
    submissions thread: ended ─► pace ─► the next size

The first chunks are single items. A chunk has at most GROWTH times the items of the largest one that has ended, at most
CHUNK_SECONDS of work for one slot, and at most its share of what is left, so that the last chunks end at about the same time.
"""

from __future__ import annotations

from typing import Final

CHUNKS_PER_SLOT: Final = 4  # under way, and of what is left, as in the standard library
# Long enough to make the costs of a task negligible, short enough for a cancel or a retry
CHUNK_SECONDS: Final = 0.05
CHUNK_ITEMS_MAX: Final = 20_000
CHUNK_BYTES_MAX: Final = 256 * 1024  # expected of the items of a chunk: large ones travel in small chunks
WINDOW_SECONDS: Final = 0.02  # over which the pace is measured: outcomes arrive many at once
GROWTH: Final = 4  # from one chunk to the next larger one: the first items may not be like the others


class ChunkPace:
    """Of one map of ``length`` items; None: it is not known how many there are. ``items_max``: of a chunk. Not thread-safe."""

    def __init__(self, length: int | None, slots: int, items_max: int = CHUNK_ITEMS_MAX) -> None:
        self.left, self.slots, self._items_max = length, slots, items_max
        self._under_way = 0  # chunks
        self._largest = 0  # items of a chunk that has ended
        self._items_per_second: float | None = None
        self._window_began: float | None = None  # with the end of a chunk, which is not counted
        self._ended = 0  # items, in this window
        self.item_bytes = 0.0  # encoded, of the last chunk

    @property
    def has_room(self) -> bool:
        return self._under_way < self.slots * CHUNKS_PER_SLOT

    @property
    def occupies_all(self) -> bool:
        """Whether there is a chunk for each slot, so that items may gather for a larger one."""
        return self._under_way >= self.slots

    @property
    def size(self) -> int:
        """How many items the next chunk should have."""
        size = min(GROWTH * self._largest, self._items_max)
        if self.left is not None:
            size = min(size, -(-self.left // (self.slots * CHUNKS_PER_SLOT)))
        pace = self._items_per_second
        if pace is None:
            return 1
        size = min(size, int(pace * CHUNK_SECONDS / self.slots))
        if self.item_bytes:
            size = min(size, int(CHUNK_BYTES_MAX / self.item_bytes))
        return max(1, size)

    def sent(self, items: int) -> None:
        """A chunk is sent now."""
        if self.left is not None:
            self.left = max(0, self.left - items)
        self._under_way += 1

    def ended(self, items: int, now: float) -> None:
        """A chunk has ended, successfully or not. ``now``: seconds that only grow."""
        self._under_way -= 1
        self._largest = max(self._largest, items)
        if self._window_began is None:
            self._window_began = now
            return
        self._ended += items
        seconds = now - self._window_began
        if seconds >= WINDOW_SECONDS:
            pace = self._ended / seconds
            known = self._items_per_second
            self._items_per_second = pace if known is None else (known + pace) / 2
            self._window_began, self._ended = now, 0
