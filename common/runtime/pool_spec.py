"""A pool of a worker, as it is written: ``process:2``, ``thread:50``, ``async:500``, ``async:500x2@fetch,crawl.*``. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ..values.brief import brief

PROCESS, THREAD, ASYNC = "process", "thread", "async"
KINDS: Final = (PROCESS, THREAD, ASYNC)
PLACES_MAX: Final = (
    10_000  # tasks at a time in one process: each is an object here and there, and may have a thread
)
CHILDREN_MAX: Final = 65_536
POOLS_MAX: Final = 16
HOW: Final = (
    "write process:2, thread:50, async:500 or async:500x2, and @QUEUE behind it for the tasks of one queue"
)
_SPEC: Final = re.compile(r"([a-z]+):(\d+)(?:x(\d+))?(?:@(.+))?")


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """``places``: how many tasks one of its processes runs at a time. ``queues``: patterns; none: what no other pool has."""

    kind: str
    places: int
    children: int
    queues: tuple[str, ...] = ()

    @property
    def slots(self) -> int:
        """How many tasks it runs at a time."""
        return self.places * self.children

    @property
    def is_concurrent(self) -> bool:
        """Whether one of its processes runs many tasks at a time."""
        return self.kind != PROCESS

    def __str__(self) -> str:
        if self.is_concurrent:
            size = f"{self.places}x{self.children}" if self.children > 1 else f"{self.places}"
        else:
            size = f"{self.children}"
        return f"{self.kind}:{size}" + (f"@{','.join(self.queues)}" if self.queues else "")


def parse_pool(text: str) -> PoolSpec:
    """Raises ValueError, whose text says what would be right."""
    match = _SPEC.fullmatch(text.strip())
    if match is None or match[1] not in KINDS:
        raise ValueError(f"{brief(text, 80)} is not a pool: {HOW}")
    kind, size, times = match[1], int(match[2]), int(match[3] or 1)
    queues = tuple(one.strip() for one in (match[4] or "").split(",") if one.strip())
    if kind == PROCESS and match[3] is not None:
        raise ValueError(f"{text}: each process of this pool runs one task; write process:{size * times}")
    places, children = (1, size) if kind == PROCESS else (size, times)
    if not 1 <= places <= PLACES_MAX or not 1 <= children <= CHILDREN_MAX:
        raise ValueError(
            f"{text}: from 1 to {PLACES_MAX:,} tasks in a process, and from 1 to {CHILDREN_MAX:,} processes; {HOW}"
        )
    if match[4] is not None and not queues:
        raise ValueError(f"{text}: which queue? {HOW}")
    return PoolSpec(kind, places, children, queues)


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
