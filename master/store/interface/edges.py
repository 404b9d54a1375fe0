"""The store's verbs for needs between the shards of a cluster. Part of ``interface.Store``; the same rules.

Each shard has numbered rows for each other one, which that applies once. Each start of a master begins another epoch, in which numbers
are consecutive from 1 on: so a master whose store was restored from an older copy gives no number again that the one before it gave.

Tables that other processes read: ``edges_out(to_shard, number, kind, body)`` and ``edges_in(of_shard, number)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from ....common.domain.id_runs import IdRun

COUNT_BITS: Final = 31  # of a number, which count the rows of an epoch; those above are the epoch


class EdgeRow(NamedTuple):
    """What one shard says to another. ``body``: msgpack, see ``master/edges/bodies.py``."""

    number: int
    kind: int
    body: bytes


class ElsewhereRow(NamedTuple):
    """Tasks that are needed across shards, by whose rights. ``queues``: the packed patterns of the queues that the key may use; empty:
    all."""

    queues: bytes
    run: IdRun


class PromiseRow(NamedTuple):
    """Tasks of this shard that another one needs. ``answered``: so many of the first ones were looked at since it was asked; -1: it was
    not asked again since the other shard began to say again what it needs."""

    to_shard: int
    queues: bytes
    run: IdRun
    answered: int


class MirrorRow(NamedTuple):
    """A task of another shard that has ended. ``task``: what it calls; empty: it is not there, and ``state`` -1. ``again``: 1, it runs again:
    only who was unblocked before gets this end."""

    queues: bytes
    id: bytes
    state: int
    task: str
    body: bytes | None
    again: int = 0


class MirrorSpan(NamedTuple):
    """Tasks with consecutive ids that have ended in one state."""

    first: bytes
    length: int
    state: int


def epoch_of(number: int) -> int:
    return number >> COUNT_BITS


def before_epoch(epoch: int) -> int:
    """The number before the first one of an epoch."""
    return epoch << COUNT_BITS


class EdgeStore(Protocol):
    # rows for other shards

    def add_outgoing(self, to_shard: int, rows: Sequence[EdgeRow]) -> None:
        """Behind those that are there."""

    def forget_outgoing(self, to_shard: int, upto: int) -> None:
        """It has applied them."""

    def outgoing(self, to_shard: int, after: int, limit: int) -> list[EdgeRow]:
        """The first ones behind a number, in order."""

    def spans_outgoing(self) -> list[tuple[int, int, int]]:
        """Shard, first and last number of those that are there, of each epoch, in order."""

    def made(self) -> Mapping[int, int]:
        """The last number that was given, by shard."""

    def set_made(self, to_shard: int, number: int) -> None: ...

    # rows of other shards

    def applied(self) -> Mapping[int, int]:
        """The last number of each that was applied here."""

    def set_applied(self, of_shard: int, number: int) -> None: ...

    # what is needed of other shards

    def add_needs(self, rows: Iterable[ElsewhereRow]) -> None:
        """Those that are there stay."""

    def forget_needs(self, rows: Iterable[ElsewhereRow]) -> None: ...
    def needs(self) -> list[ElsewhereRow]: ...
    def mirror(self, rows: Sequence[MirrorRow]) -> None:
        """In the place of what there is of these tasks."""

    def mirrored(self, queues: bytes, run: IdRun) -> list[MirrorRow]:
        """What is there of a run, in order."""

    def mirrored_states(self, queues: bytes, run: IdRun) -> list[MirrorSpan]:
        """The same, of those that do not run again."""

    def forget_mirrored(self, queues: bytes, run: IdRun, limit: int) -> int:
        """Delete so many of a run at most; how many that were."""

    # what other shards need of this one

    def promise(self, rows: Sequence[PromiseRow]) -> None:
        """In the place of those of the same runs."""

    def promises(self) -> list[PromiseRow]: ...
    def forget_promises(self, rows: Iterable[PromiseRow]) -> None:
        """Whatever was answered."""
