"""A pool of a worker, as it is written: ``process:2``, ``thread:50``, ``async:500``, ``async:500x2@fetch,crawl.*``; with a range of
processes ``process:2-8``, ``async:500x1-4``. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ..values.brief import brief

PROCESS, THREAD, ASYNC, GEVENT = "process", "thread", "async", "gevent"
KINDS: Final = (PROCESS, THREAD, ASYNC, GEVENT)
# Tasks at a time in one process: each is an object here and there, and may have a thread
PLACES_MAX: Final = 10_000
CHILDREN_MAX: Final = 65_536
POOLS_MAX: Final = 16
HOW: Final = (
    "write process:2, thread:50, async:500, async:500x2 or gevent:200, and @QUEUE behind it for the tasks of one queue; process:2-8 or "
    "async:500x1-4 for as many processes as there is work for"
)
_COUNT: Final = r"(\d+(?:-\d+)?)"
_SPEC: Final = re.compile(rf"([a-z]+):{_COUNT}(?:x{_COUNT})?(?:@(.+))?")


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """``places``: how many tasks one of its processes runs at a time. ``queues``: patterns; none: what no other pool has.
    ``children``: how many processes it starts with, and never has fewer; ``most``: up to how many it has by what waits, if more."""

    kind: str
    places: int
    children: int
    queues: tuple[str, ...] = ()
    most: int = 0

    @property
    def slots(self) -> int:
        """How many tasks it runs at a time when it starts."""
        return self.places * self.children

    @property
    def slots_most(self) -> int:
        """How many it may come to run at a time."""
        return self.places * max(self.children, self.most)

    @property
    def is_scaled(self) -> bool:
        """Whether it has as many processes as there is work for."""
        return self.most > self.children

    @property
    def is_concurrent(self) -> bool:
        """Whether one of its processes runs many tasks at a time."""
        return self.kind != PROCESS

    def __str__(self) -> str:
        size = f"{self.children}-{self.most}" if self.is_scaled else f"{self.children}"
        if self.is_concurrent:
            size = f"{self.places}" if size == "1" else f"{self.places}x{size}"
        return f"{self.kind}:{size}" + (f"@{','.join(self.queues)}" if self.queues else "")


def parse_pool(text: str) -> PoolSpec:
    """Raises ValueError, whose text says what would be right."""
    match = _SPEC.fullmatch(text.strip())
    if match is None or match[1] not in KINDS:
        raise ValueError(f"{brief(text, 80)} is not a pool: {HOW}")
    kind, size, times = match[1], match[2], match[3] or "1"
    queues = tuple(one.strip() for one in (match[4] or "").split(",") if one.strip())
    if kind == PROCESS and match[3] is not None:
        raise ValueError(
            f"{text}: each process of this pool runs one task, of which there are as many as one number says; write process:2"
        )
    if kind != PROCESS and "-" in size:
        raise ValueError(
            f"{text}: how many tasks one process runs is one number; write {kind}:{size.partition('-')[2]}x1-4"
        )
    places, (children, most) = (1, parse_range(size)) if kind == PROCESS else (int(size), parse_range(times))
    if not 1 <= places <= PLACES_MAX or not max(children, most) <= CHILDREN_MAX or children < 1:
        raise ValueError(
            f"{text}: from 1 to {PLACES_MAX:,} tasks in a process, and from 1 to {CHILDREN_MAX:,} processes; {HOW}"
        )
    if match[4] is not None and not queues:
        raise ValueError(f"{text}: which queue? {HOW}")
    return PoolSpec(kind, places, children, queues, most if most > children else 0)


def parse_range(text: str, between: str = "-") -> tuple[int, int]:
    """``2-8``, or one number for both. Raises ValueError, whose text says what would be right."""
    low, _, high = text.partition(between)
    least, most = int(low), int(high or low)
    if most < least:
        raise ValueError(f"{text}: the smaller number stands first; write {most}{between}{least}")
    return least, most


def parse_pools(texts: list[str]) -> tuple[PoolSpec, ...]:
    """Several; a list in one text is separated by spaces."""
    pools = tuple(parse_pool(one) for text in texts for one in text.split())
    if len(pools) > POOLS_MAX:
        raise ValueError(f"{len(pools)} pools; at most {POOLS_MAX}")
    alike = [(pool.kind, pool.queues) for pool in pools]
    for pool in pools:
        if alike.count((pool.kind, pool.queues)) > 1:
            raise ValueError(f"two pools of one kind for the same tasks: {pool}; write one, larger")
    general = [pool for pool in pools if not pool.queues]
    if len([pool for pool in general if pool.kind != ASYNC]) > 1:
        raise ValueError(
            "process and thread for the same tasks: say with @QUEUE which of them are for threads"
        )
    return pools
