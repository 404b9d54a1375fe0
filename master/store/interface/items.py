"""The store's verbs for plain values in named queues. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class ItemQueueRow(NamedTuple):
    queue: int
    name: str
    kind: str
    maxsize: int
    unfinished: int
    shut: int
    owner: bytes | None
    waiting: int  # items that no get holds


class HeldItemRow(NamedTuple):
    token: bytes
    node: bytes
    queue: int


class NewItem(NamedTuple):
    seq: int
    queue: int
    rank: bytes | int
    token: bytes | None  # of the get() that waits for it already
    node: bytes | None
    payload: bytes


class PeekedItem(NamedTuple):
    size: int  # bytes
    payload: bytes | None  # None: it is too large


@dataclass(kw_only=True, slots=True)
class ItemPicture:
    """What the engine keeps of items in memory, as the store has it."""

    queues: list[ItemQueueRow] = field(default_factory=list)
    held: list[HeldItemRow] = field(default_factory=list)
    putters: list[tuple[int, bytes, int]] = field(default_factory=list)  # queue, putter, number
    last_seq: int = 0


class ItemStore(Protocol):
    def load(self) -> ItemPicture: ...
    def add_queue(self, name: str, kind: str, maxsize: int, owner: bytes | None) -> int: ...
    def drop_queue(self, queue: int) -> None:
        """The queue and everything in it."""

    def drop_waiting(self, queue: int) -> None:
        """The items that no get holds."""

    def set_queue(self, queue: int, unfinished: int, shut: int) -> None: ...
    def put(self, items: Sequence[NewItem]) -> None: ...
    def put_putters(self, rows: Sequence[tuple[int, bytes, int, int]]) -> None:
        """``queue, putter, number, seen``: the last put of each there."""

    def forget_putters(self, seen_before: int, limit: int) -> list[tuple[int, bytes]]:
        """Some of those not seen since: ``queue, putter`` of each."""

    def take(self, queue: int, token: bytes, node: bytes) -> bytes:
        """The payload of the first item that no get holds, now held by the token."""

    def take_first(self, queue: int, limit: int) -> list[bytes]:
        """Take the first items that no get holds out of the queue; their payloads, in order."""

    def first(self, queue: int, limit: int, bytes_max: int) -> list[PeekedItem]:
        """The first items that no get holds, in order; the payloads of those that have at most so many bytes."""

    def held(self, token: bytes) -> bytes: ...
    def seq_of(self, token: bytes) -> int:
        """Of the item that it holds."""

    def take_waiting(self, seq: int) -> bool:
        """Delete an item if it is there and no get holds it; whether that was so."""

    def delete(self, tokens: Sequence[bytes]) -> None: ...
    def release(self, tokens: Sequence[bytes]) -> None:
        """These are held no more, and are in their old places in the queue."""

    def neighbours(self, queue: int, rank: bytes) -> list[bytes]:
        """The ranks of the waiting items that would stand before and behind one of this rank."""
