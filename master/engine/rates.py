"""How fast work is done of late, for people to look at. Pure; time is handed in.

A ``Rate`` forgets exponentially: what happened ``memory_ms`` ago counts a third of what happens now. One is
two numbers and costs one ``exp`` for a whole batch. Nothing here decides about a task, and nothing survives a
restart of the master.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

INSTANT_MS: Final = 500  # what a pace has become since other tasks run than before
RECENT_MS: Final = 10_000  # what a person calls "now"
STEADY_MS: Final = 120_000  # long enough to foresee with
YOUNG_MS: Final = 1_000  # a first batch says nothing about time: it is taken to have been a second's work
FORGOTTEN: Final = 0.01  # events; with less than that left, a rate starts afresh instead of rising slowly
TRUSTED: Final = 2.0  # events that have to be remembered before anything is foreseen
TRUSTED_OF_INSTANT: Final = 5.0  # fewer within half a second may have come together by chance
RISING: Final = 2.0  # times: half a second after a pace has changed, two thirds of the new one are seen
IDLE_MS: Final = 5_000
IDLE_TIMES: Final = 10  # as long as usual


class Rate:
    """Events per second of late."""

    __slots__ = ("_at", "_begun", "_memory_ms", "_weight")

    def __init__(self, memory_ms: int, now: int) -> None:
        self._memory_ms = memory_ms
        self._begun = self._at = now  # monotonic ms
        self._weight = 0.0

    def add(self, events: int, now: int) -> None:
        self._weight = self.weight(now)
        if self._weight < FORGOTTEN and now - self._begun > self._memory_ms:
            self._begun = now
        self._weight += events
        self._at = now

    def weight(self, now: int) -> float:
        """How many events are still remembered."""
        return self._weight * math.exp((self._at - now) / self._memory_ms) if now > self._at else self._weight

    def per_second(self, now: int) -> float:
        age = max(now - self._begun, YOUNG_MS)
        full = self._memory_ms / 1000 * -math.expm1(-age / self._memory_ms)  # what one per second would weigh
        return self.weight(now) / full


class BusyRate(Rate):
    """Events per second while there is work: to foresee with. Its time begins with the first batch, which only
    shows that there is work, and a gap far longer than usual was a time without: neither counts."""

    __slots__ = ("_usual_ms",)

    def __init__(self, memory_ms: int, now: int) -> None:
        super().__init__(memory_ms, now)
        self._usual_ms: float | None = None  # between batches

    def add(self, events: int, now: int) -> None:
        gap = now - self._at
        if self._usual_ms is None:
            self._begun = self._at = now
            self._usual_ms = 0.0
        elif self._usual_ms and gap > max(IDLE_MS, IDLE_TIMES * self._usual_ms):
            self._begun += gap
            self._at = now
        else:
            self._usual_ms = 0.9 * self._usual_ms + 0.1 * gap if self._usual_ms else gap
            super().add(events, now)


class WorkerRates:
    """A worker's rates: one to show, one to foresee with, and how fast it may have become."""

    __slots__ = ("instant", "recent", "steady")

    def __init__(self, now: int) -> None:
        self.instant, self.recent = Rate(INSTANT_MS, now), Rate(RECENT_MS, now)
        self.steady = BusyRate(STEADY_MS, now)

    def add(self, events: int, now: int) -> None:
        self.instant.add(events, now)
        self.recent.add(events, now)
        self.steady.add(events, now)


def foreseen_seconds(
    ahead: int, rates: Sequence[WorkerRates], now: int, *, slots: int = 1, running_ms: int = 0
) -> float | None:
    """When a task starts that has so many ahead of it, all served by the workers whose rates these are; None when too little
    was seen of them to say.

    What ran a minute ago may have been short tasks of another name: a forecast is never faster than what has ended of
    late, nor than what runs now allows. ``slots``: of these workers; ``running_ms``: how long their tasks have run by now, all
    together. A slot's task is half over on average, so each takes twice that.
    """
    paces = _paces(rates, now, slots, running_ms)
    return (ahead + 1) / min(paces) if paces else None


class Foreseen(NamedTuple):
    """Between which moments from now a task starts, in seconds, and what that rests on: how many tasks a second start before it."""

    earliest: float
    latest: float
    per_second: float


def foreseen_range(
    ahead: int, rates: Sequence[WorkerRates], now: int, *, slots: int = 1, running_ms: int = 0
) -> Foreseen | None:
    """The same as a range: from the fastest of what was measured to the slowest, and as wide besides as the numbers of tasks differ by
    chance, which is twice their root."""
    paces = _paces(rates, now, slots, running_ms)
    if not paces:
        return None
    fastest = max(paces)
    # Quick tasks behind slow ones: for the first seconds all longer measures are of these.
    if sum(rate.instant.weight(now) for rate in rates) >= TRUSTED_OF_INSTANT:
        fastest = max(fastest, RISING * sum(rate.instant.per_second(now) for rate in rates))
    spread = 2 * math.sqrt(ahead + 1)
    earliest = max(0.0, ahead - spread) / fastest
    return Foreseen(earliest, (ahead + 1 + spread) / min(paces), min(paces))


def _paces(rates: Sequence[WorkerRates], now: int, slots: int, running_ms: int) -> list[float]:
    """Tasks per second, by each measure that there is."""
    if sum(rate.steady.weight(now) for rate in rates) < TRUSTED:
        return []
    paces = [sum(rate.steady.per_second(now) for rate in rates)]
    recent = sum(rate.recent.weight(now) for rate in rates)
    if recent >= FORGOTTEN:
        paces.append(sum(rate.recent.per_second(now) for rate in rates))
    if running_ms >= YOUNG_MS:
        # Slots / seconds of one task; these are twice the mean age of what runs, which is running_ms / slots.
        paces.append(slots * slots / (2 * running_ms / 1000))
    return paces
