"""Items that were given back because their taker was gone for too long: it may come and say that they have arrived.

If such an item still waits it is taken, as it was: else somebody would get it a second time though nobody lost it. Kept
in memory: the taker of an item that was given back before a restart comes too late.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..store.interface.items import ItemStore
from .holders import Holder

LOST_MAX: Final = 10_000  # remembered


class LostItems:
    """By the token that held each. Numbers of items are never used twice in one life of a master."""

    def __init__(self, store: ItemStore) -> None:
        self._store = store
        self._lost: dict[bytes, tuple[int, Holder]] = {}

    def remember(self, held: Mapping[bytes, Holder]) -> None:
        """These are given back now."""
        self._lost.update({token: (self._store.seq_of(token), holder) for token, holder in held.items()})
        while len(self._lost) > LOST_MAX:
            del self._lost[next(iter(self._lost))]

    def arrived(self, node: bytes, tokens: list[bytes]) -> list[int]:
        """These have arrived after all: the queues in which they waited until now."""
        found = [self._lost[token] for token in dict.fromkeys(tokens) if token in self._lost]
        return [
            holder.queue for seq, holder in found if holder.node == node and self._store.take_waiting(seq)
        ]
