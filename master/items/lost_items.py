"""Items that returned to their queue because the node that held them was lost: it may come back and confirm them.

If such an item still waits in its queue, a late confirm deletes it: otherwise another program would process an item that was not
lost. Kept in memory: a confirm of an item that was returned before a restart comes too late.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..store.interface.items import ItemStore
from .holders import Holder

LOST_MAX: Final = 10_000  # remembered


class LostItems:
    """Indexed by the token that held the item. A master never uses an item's number twice while it runs, so a number cannot name
    another item."""

    def __init__(self, store: ItemStore) -> None:
        self._store = store
        self._lost: dict[bytes, tuple[int, Holder]] = {}

    def remember(self, held: Mapping[bytes, Holder]) -> None:
        """These items are being returned to their queues."""
        self._lost.update({token: (self._store.seq_of(token), holder) for token, holder in held.items()})
        while len(self._lost) > LOST_MAX:
            del self._lost[next(iter(self._lost))]

    def arrived(self, node: bytes, tokens: list[bytes]) -> list[int]:
        """A node confirms these after all: delete those that still wait; returns the queue of each."""
        found = [self._lost[token] for token in dict.fromkeys(tokens) if token in self._lost]
        return [
            holder.queue for seq, holder in found if holder.node == node and self._store.take_waiting(seq)
        ]
