"""The reports of a worker that has the masters of several shards: an outbox for each, and when they are sent. Pure.

::

    ended ─► the outbox of its shard ─┬─ its master is there, and no call is under way ─► finish
                                      └─ else it waits by itself, and those of the others go on

Invariant: a report is in the outbox of the shard that its task's id names.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence, Set
from typing import Any

from ...common.contract.workers import ReportRow
from ...common.domain.shards import shard_of_id
from .ended import Ended, EndedSlice
from .finish_call import FinishCall
from .gathering import ReportGathering
from .outbox import Outbox
from .runs import Key


class Outboxes:
    """As one ``Outbox``. ``of_shard``: each of them. ``here``: the shards to whose masters there is a connection."""

    def __init__(self, shards: int, here: Set[int]) -> None:
        self.of_shard = [Outbox() for _ in range(shards)]
        self._filled: dict[
            int, Outbox
        ] = {}  # with something in them, the one first that waits longest for its call
        self._here = here

    def __len__(self) -> int:
        return sum(map(len, self._filled.values()))

    def __iter__(self) -> Iterator[Ended]:
        return (one for outbox in self._filled.values() for one in outbox)

    @property
    def held(self) -> list[list[Any]]:
        return [row for outbox in self._filled.values() for row in outbox.held]

    @property
    def held_with_seconds(self) -> list[list[Any]]:
        return [row for outbox in self._filled.values() for row in outbox.held_with_seconds]

    def put(self, row: ReportRow, blobs: Sequence[bytes] = ()) -> None:
        self._of(row.id).put(row, blobs)

    def put_slice(self, slice: EndedSlice) -> None:
        self._of(slice.id).put_slice(slice)

    def drop(self, lost: Container[Key]) -> None:
        for outbox in self._filled.values():
            outbox.drop(lost)

    def take_rest(self) -> list[FinishCall]:
        return [call for outbox in self._filled.values() for call in outbox.take_rest()]

    # the next call, of those that can be made

    @property
    def has_call(self) -> bool:
        return next(self._ready(), None) is not None

    @property
    def has_call_under_way(self) -> bool:
        """To a master that is there."""
        return any(one.has_call_under_way for at, one in self._filled.items() if at in self._here)

    @property
    def is_full(self) -> bool:
        return any(outbox.is_full for _, outbox in self._ready())

    def take_call(self) -> FinishCall | None:
        shard, outbox = next(self._ready(), (0, None))
        if outbox is None:
            return None
        # In turn: its place is behind the others.
        self._filled[shard] = self._filled.pop(shard)
        return outbox.take_call()

    def _ready(self) -> Iterator[tuple[int, Outbox]]:
        empty = [shard for shard, outbox in self._filled.items() if not outbox]
        for shard in empty:
            del self._filled[shard]
        return ((at, one) for at, one in self._filled.items() if at in self._here and one.has_call)

    def _of(self, id: bytes) -> Outbox:
        shard = shard_of_id(id)
        outbox = self.of_shard[shard]
        self._filled.setdefault(shard, outbox)
        return outbox


class SharedGathering(ReportGathering):
    """What is gathered is sent to all of them together."""

    def send(self, now: float, *, at_once: bool, is_busy: bool) -> None:
        while self._outbox.has_call:
            super().send(now, at_once=at_once, is_busy=is_busy)
            if self.is_waiting:
                return
            at_once = True  # its time is over for those of the other shards, too
