"""Which node holds which items: indexed by token, by node and by queue, so that a query costs no more than its result. Pure.

A token holds one item and belongs to the node that made the get: a request of another node with that token finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from ..engine.accounts import Account, Resource, give_back

Key = TypeVar("Key")
Thing = TypeVar("Thing")


class Holder(NamedTuple):
    queue: int
    node: bytes


class Holders:
    """All held items. Each is charged to the account of the key that made the get; items held since before the master started are
    charged to none."""

    def __init__(self) -> None:
        self._of: dict[bytes, Holder] = {}
        self._accounts: dict[bytes, Account] = {}
        self._of_node: dict[bytes, dict[bytes, None]] = {}
        self._of_queue: dict[int, dict[bytes, None]] = {}

    def load(self, rows: Iterable[tuple[bytes, Holder]]) -> None:
        """Replace everything by these."""
        before, self._accounts = self._accounts, {}
        for account in before.values():
            account.give(Resource.HELD)
        self._of.clear()
        self._of_node.clear()
        self._of_queue.clear()
        for token, holder in rows:
            self.hold(token, holder, before.get(token))

    def __contains__(self, token: bytes) -> bool:
        return token in self._of

    def __getitem__(self, token: bytes) -> Holder:
        return self._of[token]

    @property
    def nodes(self) -> Iterable[bytes]:
        return self._of_node.keys()

    def holds(self, token: bytes, holder: Holder) -> bool:
        """Whether the token holds an item of this queue for this node."""
        return self._of.get(token) == holder

    def hold(self, token: bytes, holder: Holder, account: Account | None) -> None:
        """The token holds an item from now on. The caller has checked the account's limit."""
        if account is not None:
            account.note(Resource.HELD, 1)
            self._accounts[token] = account
        self._of[token] = holder
        self._of_node.setdefault(holder.node, {})[token] = None
        self._of_queue.setdefault(holder.queue, {})[token] = None

    def end(self, token: bytes) -> Holder:
        """The token holds nothing any more; returns what it held."""
        holder = self._of.pop(token)
        give_back(self._accounts.pop(token, None), Resource.HELD)
        discard(self._of_node, holder.node, token)
        discard(self._of_queue, holder.queue, token)
        return holder

    def of_node(self, node: bytes) -> list[bytes]:
        return [*self._of_node.get(node, ())]

    def of_queue(self, queue: int) -> list[bytes]:
        return [*self._of_queue.get(queue, ())]

    def count(self, queue: int) -> int:
        """How many items of a queue are held."""
        return len(self._of_queue.get(queue, ()))

    def among(self, tokens: Iterable[bytes], node: bytes) -> list[bytes]:
        """Those of these tokens that hold an item for this node, without duplicates."""
        found = dict.fromkeys(tokens)
        return [one for one in found if (holder := self._of.get(one)) is not None and holder.node == node]


def discard(index: dict[Key, dict[Thing, None]], key: Key, thing: Thing) -> None:
    """Remove a thing from the set of its key, and the key with its last thing."""
    things = index[key]
    del things[thing]
    if not things:
        del index[key]
