"""The bounded set of items between input and output: decides what may be sent and what may be printed. Pure.

::

    room ─► add ─► (a task runs) ─► end ─► take: what may be shown now
                                 └► drop: cancelled, without a result; another run prints it

Invariants: 1. at most ``items_max`` items are inside, and their size stays near ``bytes_max`` for results of any size;
2. every item is taken once or dropped once; 3. with ``ordered``, items are taken in the order in which they were added,
and none after one that was dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from .items import Item

# Of what is inside: so large a part comes in together, and not one item for each that has ended
REFILL_SHARE: Final = 16


@dataclass(slots=True, eq=False)
class WindowEntry:
    """An item inside. ``state`` and ``body``: its outcome, once it has one."""

    item: Item
    id: bytes
    weight: int  # bytes
    retry: bool = False  # it failed in an earlier run and is to be tried again
    retried: bool = False
    state: int | None = None
    body: bytes | None = None
    error: str = ""  # why there is no task


class Window:
    def __init__(self, *, items_max: int, bytes_max: int, ordered: bool) -> None:
        self._items_max, self._bytes_max, self._ordered = items_max, bytes_max, ordered
        self._open: dict[bytes, WindowEntry] = {}
        self._line: deque[WindowEntry] = deque()  # in order: everything inside; else what has ended
        self._weight = 0  # of everything inside
        self._ended = 0
        self._result_bytes = 0.0  # what a result weighs lately: what is still to come will, too

    def __len__(self) -> int:
        """How many are inside."""
        return len(self._line) if self._ordered else len(self._open) + len(self._line)

    @property
    def open_ids(self) -> list[bytes]:
        return list(self._open)

    def oldest_open(self, most: int) -> list[bytes]:
        return list(islice(self._open, most))

    @property
    def ended(self) -> int:
        """How many have ended and are not taken yet."""
        return self._ended

    @property
    def room(self) -> int:
        """How many more may come in. One may always, if there is nothing inside."""
        inside = len(self)
        if not inside:
            return self._items_max
        expected = self._weight + len(self._open) * self._result_bytes
        left = self._bytes_max - expected
        if left <= 0:
            return 0
        by_weight = int(left / self._result_bytes) if self._result_bytes else self._items_max
        return max(0, min(self._items_max - inside, by_weight))

    @property
    def takes_more(self) -> bool:
        """Whether it is time for more to come in."""
        return self.room > len(self) // REFILL_SHARE

    @property
    def is_overweight(self) -> bool:
        """Whether it holds too many bytes and more would come: results were larger than expected."""
        return self._weight > self._bytes_max and bool(self._open)

    def watch_room(self, watched: int) -> int:
        """How many more results may be asked for, one by one, beside those that were; one always may."""
        size = max(1.0, self._result_bytes)
        return max(0 if watched else 1, int((self._bytes_max - self._weight) / size) - watched)

    def add(self, entry: WindowEntry) -> None:
        self._open[entry.id] = entry
        self._weight += entry.weight
        if self._ordered:
            self._line.append(entry)

    def find(self, id: bytes) -> WindowEntry | None:
        """An item that has not ended."""
        return self._open.get(id)

    def end(self, id: bytes, state: int, body: bytes | None, error: str = "") -> None:
        """Set an item's outcome; a second outcome is ignored."""
        entry = self._open.pop(id, None)
        if entry is None:
            return
        size = 0 if body is None else len(body)
        entry.state, entry.body, entry.error = state, body, error
        entry.weight += size
        self._weight += size
        self._ended += 1
        self._result_bytes += (size - self._result_bytes) / 16 if self._result_bytes else size
        if not self._ordered:
            self._line.append(entry)

    def drop(self, ids: Iterable[bytes]) -> int:
        """These have no end that counts; how many were inside."""
        dropped = 0
        for id in ids:
            entry = self._open.pop(id, None)
            if entry is not None:
                dropped += 1
                self._weight -= entry.weight
        return dropped

    def take(self, most: int) -> list[WindowEntry]:
        """The next that may be shown."""
        taken: list[WindowEntry] = []
        while self._line and len(taken) < most and self._line[0].state is not None:
            entry = self._line.popleft()
            self._weight -= entry.weight
            self._ended -= 1
            taken.append(entry)
        return taken

    @property
    def is_done(self) -> bool:
        """Whether nothing is left that could be taken."""
        return not self._open and not (self._line and self._line[0].state is not None)
