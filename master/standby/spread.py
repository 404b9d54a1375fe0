"""Which shards of a database a master takes, and which it releases: decided by each master for itself, from what all of them see. Pure.

::

    shards are free ─► dealt, one after the other, each to the master that has the fewest; each takes what is dealt to it
    none is free, and one master has at least two more than another ─► the one with the most lets one go, for the one with the fewest

A master that comes has none, so shards move to it one after the other, each when the one before is served; the shards of one that has
died are free when its leases are over. A step never makes the spread wider, and a shard that moves makes it narrower: so all ends, with
numbers that differ by at most one.

Masters may see states of different moments. Who takes a shard is the database's word (``shard.claim``): of two that try, one gets it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple


class Readiness(IntEnum):
    """What a master says of itself, beside that it is here. The number stands in the database."""

    CANNOT = 0  # it could not open a shard a moment ago
    OPENING = 1  # what it has taken is being loaded
    READY = 2
    ENDING = 3  # and about to release what it has

    @classmethod
    def of(cls, number: int) -> Readiness:
        """One that a newer version says may mean anything."""
        return cls(number) if number in list(cls) else cls.CANNOT


ABLE: Final = (Readiness.OPENING, Readiness.READY)  # to take one more


class Living(NamedTuple):
    """A master that is here. ``readiness``: None, it is of a version that takes all shards or none."""

    id: str
    readiness: Readiness | None


class Handing(NamedTuple):
    shard: int
    to: str  # the master that is to take it


class SpreadSteps(NamedTuple):
    take: tuple[int, ...] = ()
    let_go: Handing | None = None
    awaits: bool = False  # another one is about to let one go that this master may be to take


def next_steps(me: str, masters: Sequence[Living], owners: Sequence[str | None]) -> SpreadSteps:
    """What this master does now. ``masters``: those that live, this one among them. ``owners``: of each shard, by its number; None: it is
    free. One whose owner does not live is not free yet: its lease decides."""
    has = Counter(owner for owner in owners if owner is not None)
    able = {one.id: one.readiness for one in masters if one.readiness in ABLE}
    free = [shard for shard, owner in enumerate(owners) if owner is None]
    ends = any(has[one.id] for one in masters if one.readiness == Readiness.ENDING)
    if free or ends:
        # What the one that ends has is dealt when it is free: those that are to take it are awake by then.
        return SpreadSteps(tuple(_dealt_to(me, list(able), free, has)), awaits=ends and me in able)
    living = {one.id for one in masters}
    # The shards of one that has died are about to be free, and will make up for the difference.
    if not able or not living.issuperset(owner for owner in owners if owner is not None):
        return SpreadSteps()
    sharing = [one.id for one in masters if one.readiness is not None]
    fewest = min(able, key=lambda one: (has[one], one))
    most = max(sharing, key=lambda one: (has[one], one))
    if has[most] - has[fewest] < 2:
        return SpreadSteps()
    if me == most and able[fewest] == Readiness.READY:
        # The last one: what the cluster has once is in shard 0, and users' objects in its master's memory.
        last = max(shard for shard, owner in enumerate(owners) if owner == me)
        return SpreadSteps(let_go=Handing(last, fewest))
    return SpreadSteps(awaits=me == fewest)


def _dealt_to(me: str, able: Sequence[str], free: Sequence[int], has: Counter[str]) -> list[int]:
    mine = []
    for shard in free if able else ():
        taker = min(able, key=lambda one: (has[one], one))
        has[taker] += 1
        if taker == me:
            mine.append(shard)
    return mine
