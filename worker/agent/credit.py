"""Which shards of a cluster a worker asks for how many tasks, so that none of them starves while there is room. Pure.

::

    room ─► look: "so many, if you have them now" ─┬─► some: it is asked again in its turn
            counted as if it were in hand          ├─► none ─► ear: "one, as soon as you have one"; not counted
                                                   └─► silent for SILENT_SECONDS: not counted any more

A look is counted, so that no more is asked for than there is room for. A shard without work holds no room: what is parked there costs nothing until it
is answered, and then the worker may have one task more than it wanted, which it runs or gives back. Nor does a shard that does not
answer: its look is counted for a moment only.

Shards are asked in turn: what was asked last comes last. Long tasks are asked for one by one, as each may keep its slot for hours; short
ones in portions that are worth a call.

Invariants: 1. a shard is asked one thing at a time; 2. what is counted, and what is in hand, are never more than was to be held, but for
the answers of parked calls, one for each shard, and of looks that find nothing: the more of them in a row, the more shards are looked at
together; 3. a shard that was not asked is asked before any that was asked since.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

SILENT_SECONDS: Final = 0.25  # the most that a shard which does not answer keeps of the room of the others
PORTION: Final = 16  # short tasks in one look, if there is room for so many
AHEAD_PART: Final = 4  # of what is to be held of short tasks, so much is missing before more is asked for
SHORT_TIMES: Final = 4  # more than so many times its children, and a worker holds short tasks


class Ask(NamedTuple):
    """``waits``: until there is one; else it is answered at once."""

    shard: int
    want: int
    waits: bool


@dataclass(slots=True, eq=False)
class _Asked:
    counted: int
    at: float


class Credit:
    """Of one pool. ``shards``: how many there are."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._free: deque[int] = deque()  # of which nothing is asked, in their turn
        self._dry: list[int] = []  # of those, what has just said that it has nothing
        self._asked: dict[int, _Asked] = {}
        self._counted = 0
        self._empty = 0  # looks in a row that have found nothing

    @property
    def is_counting(self) -> bool:
        """Whether an answer is waited for that holds room."""
        return self._counted > 0

    def connected(self, shard: int) -> None:
        """What was asked of it before is not answered."""
        self.lost(shard)
        self._free.append(shard)

    def lost(self, shard: int) -> None:
        self._take(shard)
        if shard in self._free:
            self._free.remove(shard)
        if shard in self._dry:
            self._dry.remove(shard)

    def answered(self, shard: int, has_some: bool) -> None:
        if self._take(shard) is None:  # it belongs to the connection before this one
            return
        if has_some:
            self._empty = 0
            self._free.append(shard)
        else:
            self._empty = min(self._empty + 1, self._shards)
            self._dry.append(shard)

    def silent(self, now: float) -> None:
        """Looks that have waited for long hold no room any more."""
        for asked in self._asked.values():
            if asked.counted and now - asked.at >= SILENT_SECONDS:
                self._counted -= asked.counted
                asked.counted = 0

    def ask(self, target: int, in_hand: int, children: int, now: float) -> list[Ask]:
        """What is to be asked now. ``target``: how many tasks to hold for so many ``children``."""
        room, asks = target - in_hand - self._counted, list[Ask]()
        dry, self._dry = self._dry, []
        for shard in dry:
            if room > 0:
                asks.append(self._ask(shard, 1, now, waits=True))
            else:  # what is known of it would be old by the time that there is room
                self._free.append(shard)
        are_short = target > SHORT_TIMES * children
        if room <= 0 or not self._free or (are_short and room < target // AHEAD_PART):
            return asks
        count = min(len(self._free), max(1, room // PORTION if are_short else room, self._empty + 1))
        each, more = divmod(room, count)
        for place in range(count):
            want = max(1, each + (place < more))
            asks.append(self._ask(self._free.popleft(), want, now, waits=False))
        return asks

    def _ask(self, shard: int, want: int, now: float, *, waits: bool) -> Ask:
        counted = 0 if waits else want
        self._asked[shard] = _Asked(counted, now)
        self._counted += counted
        return Ask(shard, want, waits)

    def _take(self, shard: int) -> _Asked | None:
        asked = self._asked.pop(shard, None)
        if asked is not None:
            self._counted -= asked.counted
        return asked
