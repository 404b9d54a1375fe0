"""Claims on locks, semaphores and barriers: which token holds a permit, or how its call was answered.

::

    a call with a token ─► held (has a permit) ─► remembered (the permit was released)
            │                    │ its node is absent for longer than the grace
            └─► parked, FIFO     └─► forgotten: a later call with that token is answered that the claim was lost

Every call that changes something names itself by a random token. So a call that is repeated after a lost connection takes effect
once: while its claim is held or remembered, it gets the same answer. An unknown token means a lost claim; it is never
mistaken for a released one.

A condition wait releases the claim of its lock. That claim is *suspended*: remembered until the wait ends, however many other claims
end meanwhile, so that a repeated wait finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from ..engine.accounts import Resource, give_back
from ..store.interface.locks import ClaimRow, LockStore
from .primitive import BARRIER, Claim, Primitive

HELD_MAX: Final = 10_000  # of one semaphore; beyond it the oldest counts as used up: see ``grant``
REMEMBERED_MAX: Final = 128  # ended claims of each primitive, in case a call is repeated
REMEMBERED_MIN: Final = 8  # of each primitive, however many there are
REMEMBERED_ALL: Final = 100_000  # in all, shared equally where there are many primitives
REMEMBERED_PASSES: Final = 8  # of a barrier: each has one claim for every party
DONE: Final = 0  # the remembered answer of a claim that was released, and of a command that took effect
SUSPENDED: Final = -2  # the number of a claim that a condition wait has released, for as long as it waits
UNKNOWN: Final = Claim(b"", 0)

Key = tuple[Primitive, bytes]  # a primitive, and the token of a claim on it
T = TypeVar("T")


class Claims:
    """The claims on all primitives: written to the store, and indexed by node. ``count``: how many primitives there are."""

    def __init__(self, store: LockStore, count: Callable[[], int]) -> None:
        self._store, self._count = store, count
        self.held_by: dict[bytes, dict[Key, None]] = {}  # by node
        self.suspended_by: dict[bytes, dict[Key, None]] = {}  # by node

    def load(
        self, rows: Iterable[ClaimRow], by_number: dict[int, Primitive], before: dict[bytes, Claim]
    ) -> None:
        """Replace everything by these. ``before``: the held claims in memory until now, which know what the store does not."""
        for claim in before.values():
            give_back(claim.account, Resource.CLAIMS)
        self.held_by.clear()
        self.suspended_by.clear()
        for row in rows:
            primitive = by_number[row.primitive]
            if row.held:
                known = before.get(row.token, UNKNOWN)
                self._hold(primitive, row.token, Claim(row.node, row.number, known.since, known.account))
            elif row.number == SUSPENDED:
                self._suspend(primitive, row.token, row.node)
            else:
                primitive.remembered[row.token] = row.number

    @property
    def nodes(self) -> set[bytes]:
        return {*self.held_by, *self.suspended_by}

    def add(self, primitive: Primitive, token: bytes, claim: Claim) -> None:
        """The token holds a permit from now on."""
        self._store.add_claims([ClaimRow(primitive.number, token, claim.node, 1, claim.fence)])
        self._hold(primitive, token, claim)

    def end(self, primitive: Primitive, token: bytes) -> None:
        """Release a held claim and remember it."""
        self.withdraw(primitive, token)
        self._store.end_claim(primitive.number, token, DONE)
        primitive.remembered[token] = DONE
        self._trim(primitive)

    def suspend(self, primitive: Primitive, token: bytes) -> None:
        """Release a held claim for a condition wait, and remember it until ``end_suspension``."""
        node = primitive.held[token].node
        self.withdraw(primitive, token)
        self._store.end_claim(primitive.number, token, SUSPENDED)
        self._suspend(primitive, token, node)
        if len(primitive.suspended) > HELD_MAX:
            self.end_suspension(primitive, next(iter(primitive.suspended)))

    def end_suspension(self, primitive: Primitive, token: bytes | None) -> None:
        """The wait that released this claim is over: it is remembered as any other ended claim."""
        node = primitive.suspended.pop(token, None) if token is not None else None
        if node is None or token is None:
            return
        _discard(self.suspended_by, node, (primitive, token))
        # Deleted and added again as the newest, so that the store keeps the order in which memory forgets claims.
        self._store.delete_claim(primitive.number, token)
        self.remember(primitive, token, node, DONE)

    def remember(self, primitive: Primitive, token: bytes, node: bytes, number: int) -> None:
        """Remember the answer to the call of this token."""
        self.remember_all(primitive, [(token, node, number)])

    def remember_all(self, primitive: Primitive, answers: Iterable[tuple[bytes, bytes, int]]) -> None:
        """The same of many: the token, the node that called, and the answer of each."""
        new = [one for one in answers if not primitive.knows(one[0])]
        self._store.add_claims(
            [ClaimRow(primitive.number, token, node, 0, number) for token, node, number in new]
        )
        primitive.remembered.update((token, number) for token, _, number in new)
        if new:
            self._trim(primitive)

    def lose(self, primitive: Primitive, token: bytes) -> None:
        """Delete a held claim without remembering it: a later call with its token is answered that it was lost."""
        self.withdraw(primitive, token)
        self._store.delete_claim(primitive.number, token)

    def withdraw(self, primitive: Primitive, token: bytes) -> None:
        """Remove a held claim from memory; the caller changes its row."""
        claim = primitive.held.pop(token)
        give_back(claim.account, Resource.CLAIMS)
        _discard(self.held_by, claim.node, (primitive, token))

    def _hold(self, primitive: Primitive, token: bytes, claim: Claim) -> None:
        primitive.held[token] = claim
        if claim.account is not None:
            claim.account.note(Resource.CLAIMS, 1)
        self.held_by.setdefault(claim.node, {})[primitive, token] = None

    def _suspend(self, primitive: Primitive, token: bytes, node: bytes) -> None:
        primitive.suspended[token] = node
        self.suspended_by.setdefault(node, {})[primitive, token] = None

    def _trim(self, primitive: Primitive) -> None:
        """Forget the oldest ended claims beyond the limit."""
        each = max(REMEMBERED_MIN, min(REMEMBERED_MAX, REMEMBERED_ALL // self._count()))
        most = max(each, REMEMBERED_PASSES * primitive.size if primitive.family == BARRIER else 0)
        while len(primitive.remembered) > most:
            token = next(iter(primitive.remembered))
            del primitive.remembered[token]
            self._store.delete_claim(primitive.number, token)


def _discard(index: dict[bytes, dict[T, None]], key: bytes, thing: T) -> None:
    """Remove a thing from the set of its key, and the key with its last thing."""
    things = index[key]
    del things[thing]
    if not things:
        del index[key]
