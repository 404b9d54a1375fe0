"""What locks, events and barriers have in common: names, claims, waiters, and what happens when a node is lost.

::

    a call with a token ─► held (has a permit) ─► remembered (the permit was released)
            │                    │ its node is absent for longer than the grace
            └─► parked, FIFO     └─► forgotten: a later call with that token is answered that the claim was lost

Every call that changes something names itself by a random token. So a call that is repeated after a lost connection takes effect
once: while its claim is held or remembered, it gets the same answer. An unknown token means a lost claim; it is never
mistaken for a released one.

Invariants: 1. free permits plus held claims equal the size of the semaphore; 2. no call is parked at a lock that has
a free permit; 3. a fencing token is greater than all earlier ones of that lock, across restarts; 4. memory equals
the store at every commit, except for the parked calls, which their callers repeat.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from ...common.domain.model import check_new
from ...common.errors import InvalidArgument
from ..engine.accounts import Account, Resource, give_back
from ..engine.agenda import Agenda
from ..engine.clock import Now, Timeline
from ..engine.part import Part
from ..engine.presence import Presence
from ..engine.session import Call, Session
from ..store.interface.locks import ClaimRow
from ..store.interface.store import Picture, Store

PRIMITIVES_MAX: Final = 100_000
ENDED_AT_ONCE: Final = 1_000  # claims and primitives of lost nodes that end in one transaction
HELD_MAX: Final = 10_000  # of one semaphore; beyond it the oldest counts as used up: see ``grant``
REMEMBERED_MAX: Final = 128  # ended claims of each primitive, in case a call is repeated
REMEMBERED_MIN: Final = 8  # of each primitive, however many there are
REMEMBERED_ALL: Final = 100_000  # in all, shared equally where there are many primitives
DROPPED_MAX: Final = 10_000  # deleted primitives whose counters are kept: an owner that returns must not see a fencing token again
REMEMBERED_PASSES: Final = 8  # of a barrier: each has one claim for every party
LOCK, EVENT, BARRIER = "lock", "event", "barrier"
SEMAPHORE: Final = "semaphore"
DONE: Final = 0  # the remembered answer of a claim that was released, and of a command that took effect
SERVE: Final = "serve"
SUSPENDED: Final = -2  # the number of a claim that a condition wait has released, for as long as it waits


class Claim(NamedTuple):
    node: bytes
    fence: int
    since: int | None = None  # steady ms; None: since before this master started
    account: Account | None = None  # of the holder's key; None: likewise


UNKNOWN: Final = Claim(b"", 0)


@dataclass(slots=True, eq=False)
class Waiter:
    """A parked call."""

    token: bytes
    call: Call
    suspended: bytes | None = None  # the token of the claim that this wait released


T = TypeVar("T")
Parked = OrderedDict[bytes, Waiter]
"""By token, in order. Not a plain dict: popping the first entry of a dict scans all entries that were removed before it."""


@dataclass(slots=True, eq=False)
class Primitive:
    """One lock, semaphore, event or barrier."""

    number: int
    family: str
    name: str
    kind: str
    size: int
    owner: bytes | None
    value: int
    counter: int = 0
    account: Account | None = None  # of the key that made it; None: made before the master started
    queue: Parked = field(default_factory=OrderedDict)
    conditions: dict[str, Parked] = field(default_factory=dict)
    condition_of: dict[bytes, str] = field(default_factory=dict)  # by the token that waits for it
    held: dict[bytes, Claim] = field(default_factory=dict)
    remembered: dict[bytes, int] = field(default_factory=dict)
    suspended: dict[bytes, bytes] = field(
        default_factory=dict
    )  # the node of each claim that a condition wait has released

    def knows(self, token: bytes) -> bool:
        return token in self.held or self.ended(token)

    def ended(self, token: bytes) -> bool:
        return token in self.remembered or token in self.suspended

    def wait_for_condition(self, condition: str, waiter: Waiter) -> None:
        """Park a condition wait; a repeated one keeps its place."""
        conditions, condition_of = (
            self.conditions,
            self.condition_of,
        )  # not looked up in ``abandon``: a reload moves them to another object
        park(conditions.setdefault(condition, OrderedDict()), waiter)
        condition_of[waiter.token] = condition
        leave = waiter.call.abandon

        def abandon() -> None:
            if leave is not None:
                leave()
            if waiter.token not in conditions.get(condition, ()):
                _forget_condition(conditions, condition_of, waiter.token)

        waiter.call.abandon = abandon

    def leave_condition(self, token: bytes) -> Waiter | None:
        """Remove and return the condition wait of this token; None: there is none."""
        parked = self.conditions.get(self.condition_of.get(token, ""))
        waiter = None if parked is None else parked.pop(token, None)
        _forget_condition(self.conditions, self.condition_of, token)
        return waiter

    @property
    def waiting(self) -> int:
        """How many calls wait for it or for one of its conditions."""
        return len(self.queue) + len(self.condition_of)

    def waiters(self) -> Iterator[Waiter]:
        return (waiter for parked in (self.queue, *self.conditions.values()) for waiter in parked.values())


def _forget_condition(conditions: dict[str, Parked], condition_of: dict[bytes, str], token: bytes) -> None:
    """No call waits with this token any more: remove it, and its condition if that has no other waiter."""
    condition = condition_of.pop(token, None)
    if condition is not None and not conditions.get(condition):
        conditions.pop(condition, None)


class Primitives(Part):
    """All locks, events and barriers of one master."""

    name = "waiters for free locks"

    def __init__(self, store: Store, presence: Presence, timeline: Timeline, agenda: Agenda) -> None:
        self._store, self._presence, self._timeline, self._agenda = store, presence, timeline, agenda
        self.by_name: dict[tuple[str, str], Primitive] = {}
        self._of_node: dict[
            bytes, dict[tuple[Primitive, bytes], None]
        ] = {}  # the claims that each node holds
        self._suspended: dict[bytes, dict[tuple[Primitive, bytes], None]] = {}
        self._owned: dict[bytes, dict[Primitive, None]] = {}
        self._room = ENDED_AT_ONCE  # what is left of it in this transaction
        self._dropped: dict[tuple[str, str], int] = {}  # counters of deleted primitives, by family and name
        self._changed: dict[Primitive, None] = {}  # value or counter changed in this transaction

    def load(self, _: Picture, now: Now) -> None:
        """Parked calls stay: their sessions are still open. A reload may show a free permit that a parked call waits for: see ``due``."""
        rows, claims = self._store.syncs.load()
        before, self.by_name = self.by_name, {}
        by_number: dict[int, Primitive] = {}
        held = {token: claim for primitive in before.values() for token, claim in primitive.held.items()}
        for before_claim in held.values():
            give_back(before_claim.account, Resource.CLAIMS)
        self._of_node, self._suspended, self._owned = {}, {}, {}
        for row in rows:
            primitive = Primitive(*row)
            if (known := before.pop((row.family, row.name), None)) is not None:
                primitive.account = known.account
                primitive.queue, primitive.conditions = known.queue, known.conditions
                primitive.condition_of = known.condition_of
                known.queue, known.conditions, known.condition_of = OrderedDict(), {}, {}
            self._add(primitive)
            by_number[row.sync] = primitive
        for known in before.values():  # made in the transaction that failed
            give_back(known.account, Resource.SYNCS)
        for claim in claims:
            primitive = by_number[claim.sync]
            if claim.held:
                was = held.get(claim.token, UNKNOWN)
                self._hold(primitive, claim.token, Claim(claim.node, claim.number, was.since, was.account))
            elif claim.number == SUSPENDED:
                self._add_suspended(primitive, claim.token, claim.node)
            else:
                primitive.remembered[claim.token] = claim.number
        waited_for = any(primitive.family == LOCK and primitive.queue for primitive in by_number.values())
        self._agenda.set(self, SERVE, now.mono if waited_for else None)
        for node in {*self._of_node, *self._suspended, *self._owned}:
            self._presence.expect(node, now)

    def get(
        self,
        family: str,
        name: str,
        kind: str,
        size: int,
        value: int,
        owner: bytes | None = None,
        account: Account | None = None,
    ) -> Primitive:
        """The primitive of this name, made on first use and charged to ``account``, which may raise QuotaExceeded. InvalidArgument
        when it exists with another kind or size."""
        primitive = self.by_name.get((family, name))
        if primitive is None:
            check_new(family, name, owner is not None)
            if len(self.by_name) >= PRIMITIVES_MAX:
                raise InvalidArgument(f"there are {PRIMITIVES_MAX:,} locks, events and barriers already")
            if account is not None:
                account.take(Resource.SYNCS)
            number = self._store.syncs.add_sync(family, name, kind, size, owner, value)
            primitive = Primitive(
                number, family, name, kind, size, owner, value, self._dropped.get((family, name), 0)
            )
            primitive.account = account
            self._add(primitive)
            if primitive.counter:
                self.changed(primitive)
        elif (primitive.kind, primitive.size) != (kind, size):
            raise InvalidArgument(
                f"{name!r} is {_a(primitive.kind, primitive.size)} already, not {_a(kind, size)}; use another name"
            )
        return primitive

    def _add(self, primitive: Primitive) -> None:
        self.by_name[(primitive.family, primitive.name)] = primitive
        if primitive.owner is not None:
            self._owned.setdefault(primitive.owner, {})[primitive] = None

    # claims

    def grant(self, primitive: Primitive, token: bytes, session: Session) -> int:
        """Give a free permit to this token; returns the fencing token."""
        primitive.value -= 1
        primitive.counter += 1
        self.changed(primitive)
        self._store.syncs.add_claim(ClaimRow(primitive.number, token, session.node, 1, primitive.counter))
        self._hold(
            primitive,
            token,
            Claim(session.node, primitive.counter, self._timeline.now.steady, session.account),
        )
        if (
            primitive.kind == SEMAPHORE and len(primitive.held) > HELD_MAX
        ):  # its permits are used as signals and never released
            self._lose_claim(primitive, next(iter(primitive.held)))
        return primitive.counter

    def give_back(self, primitive: Primitive, token: bytes) -> None:
        """Release a claim; its permit goes to the next waiter."""
        self._remove_claim(primitive, token)
        self._store.syncs.end_claim(primitive.number, token, DONE)
        primitive.remembered[token] = DONE
        self._trim(primitive)
        primitive.value += 1
        self.changed(primitive)
        self.serve(primitive)

    def suspend(self, primitive: Primitive, token: bytes) -> None:
        """Release a claim for a condition wait: as ``give_back``, but remembered until the wait ends, however many claims end meanwhile."""
        node = primitive.held[token].node
        self._remove_claim(primitive, token)
        self._store.syncs.end_claim(primitive.number, token, SUSPENDED)
        self._add_suspended(primitive, token, node)
        if len(primitive.suspended) > HELD_MAX:
            self.end_suspension(primitive, next(iter(primitive.suspended)))
        primitive.value += 1
        self.changed(primitive)
        self.serve(primitive)

    def end_suspension(self, primitive: Primitive, token: bytes | None) -> None:
        """The wait that released this claim is over: it is remembered as any other ended claim."""
        node = primitive.suspended.pop(token, None) if token is not None else None
        if node is None or token is None:
            return
        of_node = self._suspended[node]
        del of_node[(primitive, token)]
        if not of_node:
            del self._suspended[node]
        self._store.syncs.delete_claim(primitive.number, token)
        self.remember(
            primitive, token, node, DONE
        )  # deleted and added again as the newest, so that the store keeps the same order

    def remember(self, primitive: Primitive, token: bytes, node: bytes, number: int) -> None:
        """Remember the answer to the call of this token."""
        if primitive.knows(token):
            return
        self._store.syncs.add_claim(ClaimRow(primitive.number, token, node, 0, number))
        primitive.remembered[token] = number
        self._trim(primitive)

    def serve(self, primitive: Primitive) -> None:
        """Give free permits to parked calls, in order."""
        while primitive.value > 0 and primitive.queue:
            _, waiter = primitive.queue.popitem(last=False)
            waiter.call.abandon = None
            if primitive.knows(waiter.token):  # two calls with one token: a dishonest peer
                waiter.call.answer(None)
            else:
                waiter.call.answer(self.grant(primitive, waiter.token, waiter.call.session))
            self.end_suspension(primitive, waiter.suspended)

    def changed(self, primitive: Primitive) -> None:
        """Have its value and counter written in ``settle``."""
        self._changed[primitive] = None

    def _hold(self, primitive: Primitive, token: bytes, claim: Claim) -> None:
        primitive.held[token] = claim
        if claim.account is not None:
            claim.account.note(Resource.CLAIMS, 1)
        self._of_node.setdefault(claim.node, {})[(primitive, token)] = None

    def _add_suspended(self, primitive: Primitive, token: bytes, node: bytes) -> None:
        primitive.suspended[token] = node
        self._suspended.setdefault(node, {})[(primitive, token)] = None

    def _remove_claim(self, primitive: Primitive, token: bytes) -> None:
        claim = primitive.held.pop(token)
        give_back(claim.account, Resource.CLAIMS)
        node = claim.node
        of_node = self._of_node[node]
        del of_node[(primitive, token)]
        if not of_node:
            del self._of_node[node]

    def _lose_claim(self, primitive: Primitive, token: bytes) -> None:
        self._remove_claim(primitive, token)
        self._store.syncs.delete_claim(primitive.number, token)

    def _trim(self, primitive: Primitive) -> None:
        each = max(REMEMBERED_MIN, min(REMEMBERED_MAX, REMEMBERED_ALL // len(self.by_name)))
        most = max(each, REMEMBERED_PASSES * primitive.size if primitive.family == BARRIER else 0)
        while len(primitive.remembered) > most:
            token = next(iter(primitive.remembered))
            del primitive.remembered[token]
            self._store.syncs.delete_claim(primitive.number, token)

    # lost nodes

    def begin(self) -> None:
        self._room = ENDED_AT_ONCE

    def holds(self, node: bytes) -> bool:
        return any(node in one for one in (self._of_node, self._suspended, self._owned))

    def node_lost(self, node: bytes, now: Now) -> bool:
        """Free what the node held and delete what it owned, a bounded number in one transaction."""
        if self._room <= 0:
            return True
        for primitive in self._portion(self._owned.get(node, ())):
            self.drop(primitive, "is gone with the program that made it")
        for primitive, token in self._portion(self._of_node.get(node, ())):
            self.take_away(primitive, token)
        for primitive, token in self._portion(self._suspended.get(node, ())):
            self.end_suspension(primitive, token)
        self._room -= 1
        return self._room <= 0 or self.holds(node)

    def _portion(self, things: Iterable[T]) -> list[T]:
        """As many of these as this transaction has room for."""
        some = list(things)[: max(0, self._room)]
        self._room -= len(some)
        return some

    def due(self, key: Hashable, now: Now) -> None:
        """After ``load``: serve the calls that wait for a permit that is free."""
        for primitive in self.by_name.values():
            if primitive.family == LOCK:
                self.serve(primitive)

    def take_away(self, primitive: Primitive, token: bytes) -> None:
        """The holder loses its claim, and learns it at its next call; the permit goes to the next waiter."""
        self._lose_claim(primitive, token)
        primitive.value += 1
        self.changed(primitive)
        self.serve(primitive)

    def drop(self, primitive: Primitive, why: str) -> None:
        """Delete a primitive; calls that still wait are refused with ``why``."""
        gone = InvalidArgument(f"{primitive.kind} {primitive.name!r} {why}")
        for waiter in list(primitive.waiters()):
            waiter.call.abandon = None
            waiter.call.refuse(gone)
        for token in list(primitive.held):
            self._remove_claim(primitive, token)
        for token in list(primitive.suspended):
            self.end_suspension(primitive, token)
        self._changed.pop(primitive, None)
        give_back(primitive.account, Resource.SYNCS)
        self._store.syncs.drop_sync(primitive.number)
        if primitive.owner is not None:
            del self._owned[primitive.owner][primitive]
            if not self._owned[primitive.owner]:
                del self._owned[primitive.owner]
        del self.by_name[(primitive.family, primitive.name)]
        self._dropped[(primitive.family, primitive.name)] = primitive.counter
        if len(self._dropped) > DROPPED_MAX:
            del self._dropped[next(iter(self._dropped))]

    # one transaction

    def settle(self, now: Now) -> None:
        for primitive in self._changed:
            self._store.syncs.set_sync(primitive.number, primitive.value, primitive.counter)
        self._changed.clear()

    def void(self) -> Iterable[Session]:
        self._changed.clear()
        return ()


def park(parked: Parked, waiter: Waiter) -> None:
    """Park a call; a repeated one keeps its place and replaces the earlier call."""
    known = parked.setdefault(waiter.token, waiter)
    if known is not waiter:
        known.call.abandon = None
        known.call.answer(None)
        known.call = waiter.call
    call = waiter.call

    def abandon() -> None:
        if parked.get(known.token) is known and known.call is call:
            del parked[known.token]

    call.abandon = abandon


def answer_all(parked: Parked, value: object) -> None:
    """Answer all parked calls."""
    for waiter in parked.values():
        waiter.call.abandon = None
        waiter.call.answer(value)
    parked.clear()


def _a(kind: str, size: int) -> str:
    """With its article and size: a semaphore of 3, an rlock."""
    article = "an" if kind in ("event", "rlock") else "a"
    return f"{article} {kind}" + ("" if kind in ("lock", "rlock", "event") else f" of {size}")
