"""Time, chance and processes. Everything that happens is an event in one heap; one seed decides them all.

A process can be paused (what is due waits until it is resumed) and killed (what is due never happens).
Each event is written by ``log``; the lines are the story, and their hash the trace.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fibers import Fiber

SECOND = 1_000_000  # the unit of time is the microsecond: whole numbers, the same on every machine
MS = 1_000
WALL_OFFSET = 1_700_000_000 * SECOND


class Handle:
    """An event that is due; as asyncio's, it can be cancelled."""

    __slots__ = ("action", "at", "process")

    def __init__(self, at: int, process: Process, action: Callable[[], None] | None) -> None:
        self.at, self.process, self.action = at, process, action

    def cancel(self) -> None:
        self.action = None


class Process:
    """Something that runs, stands still, or is dead for good. A restart is a new process. ``clock_rate``: of its host's clock, which may be
    faster or slower than that of others."""

    def __init__(self, world: World, name: str, host: str = "", clock_rate: float = 1.0) -> None:
        self.world, self.name, self.host, self.clock_rate = world, name, host, clock_rate
        self.alive, self.paused = True, False
        self._backlog: list[Handle] = []

    def later(self, delay: int, action: Callable[[], None]) -> Handle:
        """Do something in so many microseconds, if this process lives then."""
        return self.world.schedule(delay, self, action)

    def take(self, handle: Handle) -> None:
        if handle.action is None or not self.alive:
            return
        if self.paused:
            self._backlog.append(handle)
            return
        self.world.process = self
        handle.action()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        backlog, self._backlog = self._backlog, []
        for handle in backlog:
            self.world.requeue(handle)

    def kill(self) -> None:
        self.alive = False
        self._backlog.clear()

    def log(self, text: str, id: bytes | None = None) -> None:
        self.world.log(self.name, text, id)


class World:
    """One run of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 0
        self.wall_offset = WALL_OFFSET  # the wall clock is this far ahead, until it jumps
        self.latest_wall_offset = self.wall_offset
        self.jumped_at = -1
        # What the monotonic clock begins with
        self.uptime = self.random.choice([0, 3600, 40 * 24 * 3600]) * SECOND
        self.lines: list[tuple[int, str, str, bytes | None]] = []
        self._hash = hashlib.sha256()
        self._heap: list[tuple[int, int, Handle]] = []
        self._sequence = 0
        self.taken = 0  # events that have happened
        self.process: Process | None = None  # whose event happens
        self.fiber: Fiber | None = None  # whose code runs, if it is code that waits
        self.fibers: list[Fiber] = []
        self.tokens = 0

    def schedule(self, delay: int, process: Process, action: Callable[[], None]) -> Handle:
        """Events that are due at the same moment happen in the order they were made."""
        handle = Handle(self.now + delay, process, action)
        self._push(handle)
        return handle

    def requeue(self, handle: Handle) -> None:
        """What was due while its process stood still is due now."""
        handle.at = self.now
        self._push(handle)

    def _push(self, handle: Handle) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (handle.at, self._sequence, handle))

    def run(self, until: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass; True as soon as ``done`` says so."""
        while self._heap and self._heap[0][0] <= until:
            at, _, handle = heapq.heappop(self._heap)
            self.now = max(self.now, at)
            self.taken += 1
            handle.process.take(handle)
            if done():
                return True
        self.now = max(self.now, until)
        return done()

    def log(self, who: str, text: str, id: bytes | None = None) -> None:
        self.lines.append((self.now, who, text, id))
        self._hash.update(f"{self.now} {who} {text} {id.hex() if id else ''}\n".encode())

    @property
    def trace(self) -> str:
        """The same for the same seed and the same code, on every machine."""
        return self._hash.hexdigest()

    @property
    def latest_wall(self) -> int:
        """What the wall clock would show had it never been set back."""
        return self.now + self.latest_wall_offset

    def jump(self, amount: int) -> None:
        self.wall_offset += amount
        self.jumped_at = self.now
        self.latest_wall_offset = max(self.latest_wall_offset, self.wall_offset)

    def between(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def random_bytes(self, size: int) -> bytes:
        return self.random.randbytes(size)

    def story(self, id: bytes | None) -> str:
        """What happened to one task, among what happened to all."""
        lines = [
            f"{at / SECOND:10.6f}  {who:12} {text}{f'  task {of.hex()[-6:]}' if of else ''}"
            for at, who, text, of in self.lines
            if id is None or of is None or of == id
        ]
        return "\n".join(lines)
