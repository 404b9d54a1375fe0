"""Timers of the parts: for each clock one heap of (when, part, key). Nothing is polled. Pure.

A part sets when its ``due`` is to be called with a key; setting it again replaces the moment. What was due in a transaction
that failed is due again.
"""

from __future__ import annotations

import enum
import heapq
import itertools
from collections.abc import Hashable
from typing import Final, NamedTuple

from .clock import Now
from .part import Part

# Entries that were set again, besides as many as there are others, before a heap is made new
SPARE_MAX: Final = 64


class Clock(enum.Enum):
    """What a moment is read from, see clock.py: a jump of the wall's moves what waits for it, and nothing else."""

    MONO = "mono"
    STEADY = "steady"
    WALL = "wall"


class Entry(NamedTuple):
    when: int
    number: int  # orders what is due at once
    part: Part
    key: Hashable


class Agenda:
    def __init__(self) -> None:
        self._heaps: dict[Clock, list[Entry]] = {clock: [] for clock in Clock}
        self._entries: dict[tuple[Part, Hashable], tuple[Clock, Entry]] = {}  # those that count
        self._taken: list[tuple[Clock, Entry]] = []  # in the transaction under way
        self._numbers = itertools.count()

    def set(self, part: Part, key: Hashable, when: int | None, clock: Clock = Clock.MONO) -> None:
        """``when``: ms of that clock; None: never."""
        if when is None:
            self._entries.pop((part, key), None)
            return
        entry = Entry(when, next(self._numbers), part, key)
        self._entries[part, key] = clock, entry
        heap = self._heaps[clock]
        heapq.heappush(heap, entry)
        # What is set again leaves its former entry in the heap, which nothing would take out before its time.
        if len(heap) > 2 * len(self._entries) + SPARE_MAX:
            heap[:] = [one for one in heap if self._counts(clock, one)]
            heapq.heapify(heap)

    def has(self, part: Part, key: Hashable) -> bool:
        return (part, key) in self._entries

    def next_wakeup(self, now: Now) -> int | None:
        """Monotonic ms at which something is due; None: nothing waits."""
        wakeup: int | None = None
        for clock, heap in self._heaps.items():
            first = self._first(clock, heap)
            if first is not None:
                moment = now.mono + max(0, first - _read(now, clock))
                wakeup = moment if wakeup is None else min(wakeup, moment)
        return wakeup

    def take(self, now: Now, part: Part | None = None) -> list[tuple[Part, Hashable]]:
        """What is due, in order, of one part or of all; it is out of the agenda."""
        # All of it before any is done: what a part sets for now, because it has more to do, is for the next transaction. Calls come between.
        found: list[tuple[Part, Hashable]] = []
        for clock, heap in self._heaps.items():
            if not heap:
                continue
            moment, others = _read(now, clock), []
            while (first := self._first(clock, heap)) is not None and first <= moment:
                entry = heapq.heappop(heap)
                if part is None or entry.part is part:
                    del self._entries[entry.part, entry.key]
                    self._taken.append((clock, entry))
                    found.append((entry.part, entry.key))
                else:
                    # Back after the loop, or it would be the first again.
                    others.append(entry)
            for entry in others:
                heapq.heappush(heap, entry)
        return found

    def committed(self) -> None:
        self._taken.clear()

    def void(self) -> None:
        """The transaction failed: what was due in it is due again, unless its part has set an earlier moment since."""
        for clock, (when, _, part, key) in self._taken:
            # A later moment that it has set rests on what is void now, an earlier one does no harm.
            if (part, key) not in self._entries or self._entries[part, key][1].when > when:
                self.set(part, key, when, clock)
        self._taken.clear()

    def _first(self, clock: Clock, heap: list[Entry]) -> int | None:
        while heap and not self._counts(clock, heap[0]):
            heapq.heappop(heap)
        return heap[0].when if heap else None

    def _counts(self, clock: Clock, entry: Entry) -> bool:
        return self._entries.get((entry.part, entry.key)) == (clock, entry)


def _read(now: Now, clock: Clock) -> int:
    return now.mono if clock is Clock.MONO else now.steady if clock is Clock.STEADY else now.wall
