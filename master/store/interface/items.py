"""What a store is asked to do with plain values in named queues. Part of ``interface.Store``; the same rules."""

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
    waiting: int  # items nobody holds


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
        """The items that nobody holds."""

    def set_queue(self, queue: int, unfinished: int, shut: int) -> None: ...
    def put(self, items: Sequence[NewItem]) -> None: ...
    def put_putters(self, rows: Sequence[tuple[int, bytes, int, int]]) -> None:
        """``queue, putter, number, seen``: the last put of each there."""

    def forget_putters(self, seen_before: int, limit: int) -> list[tuple[int, bytes]]:
        """Some of those not seen since: ``queue, putter`` of each."""

    def take(self, queue: int, token: bytes, node: bytes) -> bytes:
        """The payload of the first item nobody holds, now held by the token."""

    def take_first(self, queue: int, limit: int) -> list[bytes]:
        """The payloads of the first items nobody holds, in order; they are gone."""

    def held(self, token: bytes) -> bytes: ...
    def seq_of(self, token: bytes) -> int:
        """Of the item that it holds."""

    def take_waiting(self, seq: int) -> bool:
        """The item is gone, if it is there and nobody holds it; whether it was."""

    def delete(self, tokens: Sequence[bytes]) -> None: ...
    def release(self, tokens: Sequence[bytes]) -> None:
        """Nobody holds these any more; they stand where they stood before."""

    def neighbours(self, queue: int, rank: bytes) -> list[bytes]:
        """The ranks of the waiting items that would stand before and behind one of this rank."""
