"""Items put in a transaction: numbered as they arrive, and written to the store in one statement before anything is read from it."""

from __future__ import annotations

from typing import NamedTuple

from ..store.interface.items import ItemStore, NewItem
from .queue import LIFO, PRIORITY, ItemQueueState


class Taker(NamedTuple):
    """A get that receives a new item directly."""

    token: bytes
    node: bytes


class NewItems:
    """The new items of this transaction. A master never uses an item's number twice while it runs: see ``lost_items.py``."""

    def __init__(self, store: ItemStore) -> None:
        self._store = store
        self._last_seq = 0
        self._items: list[NewItem] = []

    def load(self, last_seq: int) -> None:
        self._last_seq = max(self._last_seq, last_seq)

    def add(self, queue: ItemQueueState, payload: bytes, rank: bytes | None, taker: Taker | None) -> None:
        """A new item of a queue, waiting or held by ``taker``."""
        self._last_seq += 1
        place: bytes | int = 0
        if queue.kind == PRIORITY and rank is not None:
            place = rank
        elif queue.kind == LIFO:
            place = -self._last_seq
        token, node = (None, None) if taker is None else taker
        self._items.append(NewItem(self._last_seq, queue.number, place, token, node, payload))

    def write(self) -> None:
        """Write new items to the store. Called before every read of items, so that the read sees them."""
        if self._items:
            self._store.put(self._items)
            self._items.clear()

    def void(self) -> None:
        self._items.clear()
