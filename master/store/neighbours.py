"""What a process reads of a shard that another one hosts: rows for its own shards, and how far that shard has applied theirs.

Each kind of store has a reader of it. All are read-only, and see what is committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from .interface.edges import EdgeRow

ROWS_MAX: Final = 256  # of one shard for another, at a time
ROWS_BYTES_MAX: Final = 1024 * 1024  # the same; one row more, if that is larger


class EdgesWanted(NamedTuple):
    """A shard of this process, and what it is to know of another one: the rows for it behind a number."""

    shard: int
    of_shard: int
    after: int


class EdgesSeen(NamedTuple):
    """``applied``: the number of the last row of ``shard`` that the other one has applied."""

    shard: int
    of_shard: int
    rows: Sequence[EdgeRow]
    applied: int


class NeighboursSeen(NamedTuple):
    """``away``: the shards that could not be read, and why; None: it has no tables for it yet, because it is about to start."""

    seen: Sequence[EdgesSeen]
    away: dict[int, str | None]


class NeighbourReader(Protocol):
    """Used by one thread at a time, in which it may wait."""

    def read(self, wants: Sequence[EdgesWanted]) -> NeighboursSeen: ...

    def rest(self) -> None:
        """Nothing will be read for a while: connections are given back."""
