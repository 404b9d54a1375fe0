"""Which pool of a worker runs which tasks. Pure.

::

    a pool with @QUEUE ─► the tasks of these queues            other pools get nothing of them
    others             ─► the tasks of all other queues
    of the pools for the same queues: coroutine functions ─► async:…, where there is one; all else ─► process:… or thread:…, where
    there is one
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ...common.domain.id_runs import ids_named
from ...common.runtime.pool_spec import ASYNC, PoolSpec


@dataclass(frozen=True, slots=True)
class Share:
    """What one pool runs. ``allow``: patterns of other callables. ``queues``: patterns; none: all. ``but``: patterns of queues
    that other pools have."""

    tasks: list[str]
    allow: list[str]
    queues: list[str]
    but: list[str]

    def to_wire(self) -> list[Any]:
        return [self.tasks, self.allow, self.queues, self.but]


def shares(
    pools: Sequence[PoolSpec],
    tasks: Iterable[tuple[str, bool]],
    allow: Sequence[str],
    queues: Sequence[str],
) -> list[Share]:
    """By pool. ``tasks``: names, and whether they are coroutine functions. ``queues``: those that the worker serves; none: all."""
    # In one order: workers that serve the same tasks are one capability for the master.
    named = sorted(set(tasks))
    found: list[Share] = []
    for pool in pools:
        rivals = [one for one in pools if one is not pool and one.queues == pool.queues]
        # What a callable is that is imported for its first task is not known yet: it goes where functions go.
        takes_functions = pool.kind != ASYNC or not rivals
        takes_coroutines = pool.kind == ASYNC or all(one.kind != ASYNC for one in rivals)
        found.append(
            Share(
                [
                    name
                    for name, is_coroutine in named
                    if (takes_coroutines if is_coroutine else takes_functions)
                ],
                list(allow) if takes_functions else [],
                list(pool.queues or queues),
                [] if pool.queues else [queue for one in pools for queue in one.queues],
            )
        )
    return found


def lost_of_each(held: Sequence[Sequence[Sequence[Any]]], dropped: Iterable[bytes]) -> list[list[bytes]]:
    """By pool, of the leases that it holds, those that the master calls lost. An id is in ``dropped`` once for each lease that is
    lost: of two attempts of one task, the older is lost first, in whatever pools they are."""
    lost = Counter(dropped)
    of_each: list[list[bytes]] = [[] for _ in held]
    if not lost:
        return of_each
    keys = [
        (attempt, id, place)
        for place, rows in enumerate(held)
        for named, attempt, _ in rows
        for id in ids_named([named])
    ]
    # By attempt, the older one first.
    for _, id, place in sorted(keys):
        if lost[id] > 0:
            lost[id] -= 1
            of_each[place].append(id)
    return of_each
