"""What links ask of a shard, see ``master/edges``: numbered rows one way, and the number that was applied the other way. Pure.

::

    shard A  pending(B, behind 7) ─► rows 8, 9, 10 ─► received(A, …)  shard B
             acknowledged(B, 10) ◄─ applied(A) = 10 ◄─ committed ◄──┘

Rows are handed on at least once, in order. The numbers make it once: B passes over what it has taken. So links keep nothing: what is lost on the
way, when a process dies, is handed on again from behind the last row that B has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple, Protocol

from ..store.interface.edges import EdgeRow

HANDED_MAX: Final = 256  # rows at a time; more come when these are applied


class LinkedEdges(Protocol):
    """On the loop."""

    listener: Callable[[set[int]], None]
    wake: Callable[[], None]

    def received(self, of_shard: int, rows: Sequence[EdgeRow]) -> None: ...
    def acknowledged(self, by_shard: int, number: int) -> None: ...
    def pending(self, to_shard: int, after: int, most: int) -> Sequence[EdgeRow]: ...
    def applied(self, of_shard: int) -> int: ...
    def taken(self, of_shard: int) -> int: ...
    def expects(self) -> AbstractSet[int]: ...


class LinkedShard(NamedTuple):
    """A shard of this process. ``wake``: has it make a transaction."""

    number: int
    edges: LinkedEdges
    wake: Callable[[], None]


def hand(giver: LinkedShard, taker: LinkedShard) -> None:
    """Rows of one to the other, and how far that one has applied them."""
    giver.edges.acknowledged(taker.number, taker.edges.applied(giver.number))
    rows = giver.edges.pending(taker.number, taker.edges.taken(giver.number), HANDED_MAX)
    if rows:
        taker.edges.received(giver.number, rows)
