"""Has the rows read that shards of other processes have for those of this one, in a thread: the loop waits for no file and no network.

::

    another process rings ────────────┐
    a look of the database ───────────┼─► what is to be read ─► thread: NeighbourReader.read ─┬─► rows, to their shard
    a timer, while something is open ─┘                                                  └─► how far its own rows were applied there

One read is under way at a time, and what is asked for meanwhile comes with the next. While nothing is open there is no timer, and after a while
no connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from ...common.runtime.callbacks import report_bug
from ..store.neighbours import (
    ROWS_BYTES_MAX,
    ROWS_MAX,
    EdgesSeen,
    EdgesWanted,
    NeighbourReader,
    NeighboursSeen,
)
from .linked import LinkedShard

PAIRS_MAX: Final = 256  # of one read
SLOWER: Final = 1.5  # each pause than the one before it, while nothing comes
REST_SECONDS: Final = 5.0  # with nothing open: then connections are given back
SAID_AFTER_SECONDS: Final = 5.0  # a neighbour that starts, or whose file is locked for a moment, is no news


class LookPauses(NamedTuple):
    """Seconds between two looks while something is open: the first, when something has come, and the longest."""

    first: float
    longest: float


class LinksElsewhere:
    """On the loop. ``shards``: of this process, by number. ``ring``: tells the process that hosts the second shard that there is something of the first one; None: who hosts it
    looks by itself."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        shards: Mapping[int, LinkedShard],
        neighbours: NeighbourReader,
        pauses: LookPauses,
        report: Callable[..., None],
        ring: Callable[[int, int], None] | None = None,
    ) -> None:
        self._loop, self._shards, self._neighbours, self._pauses = loop, shards, neighbours, pauses
        self._report, self._ring = report, ring
        self._thread = ThreadPoolExecutor(1, "tq-links")
        self._asked: dict[tuple[int, int], None] = {}  # a shard of this process, and the other one; in order
        self._came: set[int] = set()  # shards of this process, since the read began
        self._has_more: set[tuple[int, int]] = set()  # those of which rows were left
        self._is_reading = self._is_closed = self._rests = False
        self._pause = pauses.first
        self._timer: asyncio.TimerHandle | None = None
        self._away = AwayNeighbours(report)

    def came(self, number: int) -> None:
        """It is a shard of this process from now on: what was read of it, or for it, may be less than what it knows."""
        self._came.add(number)

    def committed(self, shard: LinkedShard, other: int) -> None:
        """This shard has rows for the other one, or has applied some of its rows."""
        if self._ring is not None:
            self._ring(shard.number, other)
        if (shard.number, other) in self._has_more:
            self.look([(shard.number, other)])
        self._hurry()

    def look(self, pairs: Iterable[tuple[int, int]]) -> None:
        """A shard of this process, and another one that has something for it."""
        self._asked.update(dict.fromkeys(pairs))
        self._begin()

    def close(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._thread.submit(self._neighbours.rest)
        self._thread.shutdown(wait=False)  # a disk that hangs keeps it

    # a read

    def _begin(self) -> None:
        if self._is_reading or self._is_closed:
            return
        wants: list[EdgesWanted] = []
        while self._asked and len(wants) < PAIRS_MAX:
            number, other = pair = next(iter(self._asked))
            del self._asked[pair]
            self._has_more.discard(pair)
            shard = self._shards.get(number)
            if shard is not None and other not in self._shards:  # else it has gone, or the other one has come
                wants.append(EdgesWanted(number, other, shard.edges.taken(other)))
        if not wants:
            return
        self._is_reading, self._rests = True, False
        self._came.clear()
        reading = self._loop.run_in_executor(self._thread, self._neighbours.read, wants)
        reading.add_done_callback(self._done)

    def _done(self, done: asyncio.Future[NeighboursSeen]) -> None:
        self._is_reading = False
        if self._is_closed or done.cancelled():
            return
        try:
            looked = done.result()
            self._away.looked(looked, self._loop.time())
            has_come = False
            for seen in looked.seen:
                shard = self._shards.get(seen.shard)
                if shard is not None and not self._came & {seen.shard, seen.of_shard}:
                    has_come |= self._take(shard, seen)
            self._pause = self._pauses.first if has_come else min(self._pauses.longest, SLOWER * self._pause)
        except Exception as error:
            report_bug(self._report, error)
        self._begin()
        if self._timer is None:
            self._set_timer(self._pause)

    def _take(self, shard: LinkedShard, seen: EdgesSeen) -> bool:
        """Whether there was something."""
        edges, other = shard.edges, seen.of_shard
        edges.acknowledged(other, seen.applied)
        if not seen.rows:
            return False
        edges.received(other, seen.rows)
        is_part = len(seen.rows) >= ROWS_MAX or sum(len(row.body) for row in seen.rows) >= ROWS_BYTES_MAX
        if is_part or edges.taken(other) < seen.rows[-1].number:
            self._has_more.add((shard.number, other))
        return True

    # the timer

    def _hurry(self) -> None:
        """Something is open, and its answer may come soon."""
        self._pause = first = self._pauses.first
        if self._timer is None or self._timer.when() > self._loop.time() + first:
            self._set_timer(first)

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if self._is_closed else self._loop.call_later(seconds, self._fire)

    def _fire(self) -> None:
        self._timer = None
        try:
            pairs = self._open()
            if self._ring is not None:
                # The other process may not have noticed it, because it was away.
                for number, other in pairs:
                    self._ring(number, other)
        except Exception as error:
            report_bug(self._report, error)
            pairs = []
        if pairs:
            self.look(pairs)
        elif self._rests:
            self._thread.submit(self._neighbours.rest)
        else:
            self._rests = True
            self._set_timer(REST_SECONDS)

    def _open(self) -> list[tuple[int, int]]:
        """A shard of this process, and another one with which it has something open."""
        return [
            (number, other)
            for number, shard in self._shards.items()
            for other in shard.edges.expects()
            if other not in self._shards
        ]


class AwayNeighbours:
    """Says once that a shard cannot be read, and once that it can again."""

    def __init__(self, report: Callable[..., None]) -> None:
        self._report = report
        self._since: dict[int, float] = {}
        self._said: set[int] = set()

    def looked(self, looked: NeighboursSeen, now: float) -> None:
        for seen in looked.seen:
            self._since.pop(seen.of_shard, None)
            if seen.of_shard in self._said:
                self._said.discard(seen.of_shard)
                self._report("neighbour.back", shard=seen.of_shard)
        for shard, reason in looked.away.items():
            since = self._since.setdefault(shard, now)
            if reason is not None and shard not in self._said and now - since >= SAID_AFTER_SECONDS:
                self._said.add(shard)
                self._report("neighbour.away", level="warning", shard=shard, reason=reason)
