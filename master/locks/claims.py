"""What locks, events and barriers have in common: names, claims, who waits, and what happens when a node vanishes.

::

    a call with a token ─► held (a permit is out) ─► remembered (it was given back)
            │                    │ its node is gone for longer than the grace
            └─► parked, FIFO     └─► forgotten: whoever comes with that token has lost it

Every call that changes something names itself by a random token, so that one repeated after a lost connection
does nothing twice: while its claim is held or remembered it gets the same answer. A token that nobody knows
was lost, never silently taken for given back.

Invariants: 1. free permits plus held claims are what the semaphore has; 2. nobody is parked at a lock that has
a free permit; 3. a fencing token is greater than all before it at that lock, across restarts; 4. memory is
the store's picture at every commit, but for the parked calls, which their callers repeat.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from ...common.domain.model import check_new
from ...common.errors import InvalidArgument
from ..engine.accounts import Account, What, give_back
from ..engine.agenda import Agenda
from ..engine.clock import Now, Timeline
from ..engine.part import Part
from ..engine.presence import Presence
from ..engine.session import Call, Session
from ..store.interface.locks import ClaimRow
from ..store.interface.store import Picture, Store

SYNCS_MAX: Final = 100_000
ENDED_AT_ONCE: Final = 1_000  # of what the absent held or owned, in one transaction
HELD_MAX: Final = 10_000  # of one semaphore; beyond, the oldest is taken for used up
REMEMBERED_MAX: Final = 128  # ended claims of each, in case a call is repeated
REMEMBERED_MIN: Final = 8  # of each, however many there are
REMEMBERED_ALL: Final = 100_000  # shared by all where there are many
DROPPED_MAX: Final = 10_000  # whose counters go on, should their owners come back after all
REMEMBERED_PASSES: Final = 8  # of a barrier
LOCK, EVENT, BARRIER = "lock", "event", "barrier"
SEMAPHORE: Final = "semaphore"
DONE: Final = 0  # what is remembered of a claim that was given back, and of an order that was carried out
SERVE: Final = "serve"
LAID_DOWN: Final = -2  # of one that was given back by a wait, as long as that waits


class Claim(NamedTuple):
    node: bytes
    fence: int
    since: int | None = None  # steady ms; None: since before this master started
    account: Account | None = None  # of the key that holds it; None: likewise


UNKNOWN: Final = Claim(b"", 0)


@dataclass(slots=True, eq=False)
class Waiter:
    """A parked call."""

    token: bytes
    call: Call
    laid_down: bytes | None = None  # the claim it gave back to wait


T = TypeVar("T")
Parked = OrderedDict[bytes, Waiter]
"""By token, in order. A dict that is emptied from the front would look at all the places that were freed."""


@dataclass(slots=True, eq=False)
class Sync:
    """One lock, semaphore, event or barrier."""

    number: int
    family: str
    name: str
    kind: str
    size: int
    owner: bytes | None
    value: int
    counter: int = 0
    account: Account | None = None  # of the key that made it; None: it was there when the master started
    queue: Parked = field(default_factory=OrderedDict)
    conditions: dict[str, Parked] = field(default_factory=dict)
    condition_of: dict[bytes, str] = field(default_factory=dict)  # by the token that waits for it
    held: dict[bytes, Claim] = field(default_factory=dict)
    past: dict[bytes, int] = field(default_factory=dict)
    laid_down: dict[bytes, bytes] = field(default_factory=dict)  # their nodes; by waits that still wait

    def knows(self, token: bytes) -> bool:
        return token in self.held or self.ended(token)

    def ended(self, token: bytes) -> bool:
        return token in self.past or token in self.laid_down

    def wait_for_condition(self, condition: str, waiter: Waiter) -> None:
        """One that is repeated keeps its place."""
        conditions, condition_of = (
            self.conditions,
            self.condition_of,
        )  # which stay when the store is read again
        park(conditions.setdefault(condition, OrderedDict()), waiter)
        condition_of[waiter.token] = condition
        leave = waiter.call.abandon

        def abandon() -> None:
            if leave is not None:
                leave()
            if waiter.token not in conditions.get(condition, ()):
                _left(conditions, condition_of, waiter.token)

        waiter.call.abandon = abandon

    def leave_condition(self, token: bytes) -> Waiter | None:
        """Who waits for a condition with this token does so no more; None: nobody does."""
        parked = self.conditions.get(self.condition_of.get(token, ""))
        waiter = None if parked is None else parked.pop(token, None)
        _left(self.conditions, self.condition_of, token)
        return waiter

    @property
    def waiting(self) -> int:
        """How many wait, for it or for its conditions."""
        return len(self.queue) + len(self.condition_of)

    def waiters(self) -> Iterator[Waiter]:
        return (waiter for parked in (self.queue, *self.conditions.values()) for waiter in parked.values())


def _left(conditions: dict[str, Parked], condition_of: dict[bytes, str], token: bytes) -> None:
    """Nobody waits with this token: nothing of it remains, nor of a condition that was its last one's."""
    condition = condition_of.pop(token, None)
    if condition is not None and not conditions.get(condition):
        conditions.pop(condition, None)


class Syncs(Part):
    """All of one master."""

    name = "free locks that somebody waits for"

    def __init__(self, store: Store, presence: Presence, timeline: Timeline, agenda: Agenda) -> None:
        self._store, self._presence, self._timeline, self._agenda = store, presence, timeline, agenda
        self.by_name: dict[tuple[str, str], Sync] = {}
        self._of_node: dict[bytes, dict[tuple[Sync, bytes], None]] = {}  # what each holds
        self._laid_down: dict[bytes, dict[tuple[Sync, bytes], None]] = {}
        self._owned: dict[bytes, dict[Sync, None]] = {}
        self._room = ENDED_AT_ONCE  # what is left of it
        self._dropped: dict[tuple[str, str], int] = {}  # counters of what went with its owner
        self._changed: dict[Sync, None] = {}  # in the transaction under way

    def load(self, _: Picture, now: Now) -> None:
        """Parked calls stay: their sessions are as open as before. A permit may be free again for which one waits: see ``due``."""
        rows, claims = self._store.syncs.load()
        before, self.by_name = self.by_name, {}
        by_number: dict[int, Sync] = {}
        held = {token: claim for sync in before.values() for token, claim in sync.held.items()}
        for before_claim in held.values():
            give_back(before_claim.account, What.CLAIMS)
        self._of_node, self._laid_down, self._owned = {}, {}, {}
        for row in rows:
            sync = Sync(*row)
            if (known := before.pop((row.family, row.name), None)) is not None:
                sync.account = known.account
                sync.queue, sync.conditions = known.queue, known.conditions
                sync.condition_of = known.condition_of
                known.queue, known.conditions, known.condition_of = OrderedDict(), {}, {}
            self._add(sync)
            by_number[row.sync] = sync
        for known in before.values():  # made in the transaction that failed
            give_back(known.account, What.SYNCS)
        for claim in claims:
            sync = by_number[claim.sync]
            if claim.held:
                was = held.get(claim.token, UNKNOWN)
                self._hold(sync, claim.token, Claim(claim.node, claim.number, was.since, was.account))
            elif claim.number == LAID_DOWN:
                self._lay(sync, claim.token, claim.node)
            else:
                sync.past[claim.token] = claim.number
        waited_for = any(sync.family == LOCK and sync.queue for sync in by_number.values())
        self._agenda.set(self, SERVE, now.mono if waited_for else None)
        for node in {*self._of_node, *self._laid_down, *self._owned}:
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
    ) -> Sync:
        """The one of this name, made on first use: for ``account``, which may raise QuotaExceeded. InvalidArgument when it is
        there as something else."""
        sync = self.by_name.get((family, name))
        if sync is None:
            check_new(family, name, owner is not None)
            if len(self.by_name) >= SYNCS_MAX:
                raise InvalidArgument(f"there are {SYNCS_MAX:,} locks, events and barriers already")
            if account is not None:
                account.take(What.SYNCS)
            number = self._store.syncs.add_sync(family, name, kind, size, owner, value)
            sync = Sync(number, family, name, kind, size, owner, value, self._dropped.get((family, name), 0))
            sync.account = account
            self._add(sync)
            if sync.counter:
                self.changed(sync)
        elif (sync.kind, sync.size) != (kind, size):
            raise InvalidArgument(
                f"{name!r} is {_a(sync.kind, sync.size)} already, not {_a(kind, size)}; use another name"
            )
        return sync

    def _add(self, sync: Sync) -> None:
        self.by_name[(sync.family, sync.name)] = sync
        if sync.owner is not None:
            self._owned.setdefault(sync.owner, {})[sync] = None

    # claims

    def grant(self, sync: Sync, token: bytes, session: Session) -> int:
        """One of its free permits; the fencing token."""
        sync.value -= 1
        sync.counter += 1
        self.changed(sync)
        self._store.syncs.add_claim(ClaimRow(sync.number, token, session.node, 1, sync.counter))
        self._hold(sync, token, Claim(session.node, sync.counter, self._timeline.now.steady, session.account))
        if sync.kind == SEMAPHORE and len(sync.held) > HELD_MAX:  # permits used as signals: never given back
            self._lose(sync, next(iter(sync.held)))
        return sync.counter

    def give_back(self, sync: Sync, token: bytes) -> None:
        """The holder does so: its permit is the next one's."""
        self._let_go(sync, token)
        self._store.syncs.end_claim(sync.number, token, DONE)
        sync.past[token] = DONE
        self._trim(sync)
        sync.value += 1
        self.changed(sync)
        self.serve(sync)

    def lay_down(self, sync: Sync, token: bytes) -> None:
        """Its holder waits: as ``give_back``, but remembered until the wait is over, however many turns others take."""
        node = sync.held[token].node
        self._let_go(sync, token)
        self._store.syncs.end_claim(sync.number, token, LAID_DOWN)
        self._lay(sync, token, node)
        if len(sync.laid_down) > HELD_MAX:
            self.picked_up(sync, next(iter(sync.laid_down)))
        sync.value += 1
        self.changed(sync)
        self.serve(sync)

    def picked_up(self, sync: Sync, token: bytes | None) -> None:
        """The wait that laid it down is over: it is remembered as any other."""
        node = sync.laid_down.pop(token, None) if token is not None else None
        if node is None or token is None:
            return
        of_node = self._laid_down[node]
        del of_node[(sync, token)]
        if not of_node:
            del self._laid_down[node]
        self._store.syncs.delete_claim(sync.number, token)
        self.remember(
            sync, token, node, DONE
        )  # as the newest: anew, so that the store has it in the same order

    def remember(self, sync: Sync, token: bytes, node: bytes, number: int) -> None:
        """What the call of this token was answered."""
        if sync.knows(token):
            return
        self._store.syncs.add_claim(ClaimRow(sync.number, token, node, 0, number))
        sync.past[token] = number
        self._trim(sync)

    def serve(self, sync: Sync) -> None:
        """Free permits to those who wait, in order."""
        while sync.value > 0 and sync.queue:
            _, waiter = sync.queue.popitem(last=False)
            waiter.call.abandon = None
            if sync.knows(waiter.token):  # one token for two calls: a peer that is not honest
                waiter.call.answer(None)
            else:
                waiter.call.answer(self.grant(sync, waiter.token, waiter.call.session))
            self.picked_up(sync, waiter.laid_down)

    def changed(self, sync: Sync) -> None:
        """Its value or counter is to be written."""
        self._changed[sync] = None

    def _hold(self, sync: Sync, token: bytes, claim: Claim) -> None:
        sync.held[token] = claim
        if claim.account is not None:
            claim.account.note(What.CLAIMS, 1)
        self._of_node.setdefault(claim.node, {})[(sync, token)] = None

    def _lay(self, sync: Sync, token: bytes, node: bytes) -> None:
        sync.laid_down[token] = node
        self._laid_down.setdefault(node, {})[(sync, token)] = None

    def _let_go(self, sync: Sync, token: bytes) -> None:
        claim = sync.held.pop(token)
        give_back(claim.account, What.CLAIMS)
        node = claim.node
        of_node = self._of_node[node]
        del of_node[(sync, token)]
        if not of_node:
            del self._of_node[node]

    def _lose(self, sync: Sync, token: bytes) -> None:
        self._let_go(sync, token)
        self._store.syncs.delete_claim(sync.number, token)

    def _trim(self, sync: Sync) -> None:
        each = max(REMEMBERED_MIN, min(REMEMBERED_MAX, REMEMBERED_ALL // len(self.by_name)))
        most = max(each, REMEMBERED_PASSES * sync.size if sync.family == BARRIER else 0)
        while len(sync.past) > most:
            token = next(iter(sync.past))
            del sync.past[token]
            self._store.syncs.delete_claim(sync.number, token)

    # nodes are lost

    def begin(self) -> None:
        self._room = ENDED_AT_ONCE

    def holds(self, node: bytes) -> bool:
        return any(node in one for one in (self._of_node, self._laid_down, self._owned))

    def node_lost(self, node: bytes, now: Now) -> bool:
        """What it held is free, and what it owned is gone: so much at once that nobody waits long."""
        if self._room <= 0:
            return True
        for sync in self._some(self._owned.get(node, ())):
            self.drop(sync, "is gone with the program that made it")
        for sync, token in self._some(self._of_node.get(node, ())):
            self.take_away(sync, token)
        for sync, token in self._some(self._laid_down.get(node, ())):
            self.picked_up(sync, token)
        self._room -= 1
        return self._room <= 0 or self.holds(node)

    def _some(self, things: Iterable[T]) -> list[T]:
        """As many as there is room for in this transaction."""
        some = list(things)[: max(0, self._room)]
        self._room -= len(some)
        return some

    def due(self, key: Hashable, now: Now) -> None:
        """After ``load``: those that wait for a permit that is free."""
        for sync in self.by_name.values():
            if sync.family == LOCK:
                self.serve(sync)

    def take_away(self, sync: Sync, token: bytes) -> None:
        """The holder has lost it, and is told when it asks; its permit is the next one's."""
        self._lose(sync, token)
        sync.value += 1
        self.changed(sync)
        self.serve(sync)

    def drop(self, sync: Sync, why: str) -> None:
        """``why`` is told to those who still wait."""
        gone = InvalidArgument(f"{sync.kind} {sync.name!r} {why}")
        for waiter in list(sync.waiters()):
            waiter.call.abandon = None
            waiter.call.refuse(gone)
        for token in list(sync.held):
            self._let_go(sync, token)
        for token in list(sync.laid_down):
            self.picked_up(sync, token)
        self._changed.pop(sync, None)
        give_back(sync.account, What.SYNCS)
        self._store.syncs.drop_sync(sync.number)
        if sync.owner is not None:
            del self._owned[sync.owner][sync]
            if not self._owned[sync.owner]:
                del self._owned[sync.owner]
        del self.by_name[(sync.family, sync.name)]
        self._dropped[(sync.family, sync.name)] = sync.counter
        if len(self._dropped) > DROPPED_MAX:
            del self._dropped[next(iter(self._dropped))]

    # one transaction

    def settle(self, now: Now) -> None:
        for sync in self._changed:
            self._store.syncs.set_sync(sync.number, sync.value, sync.counter)
        self._changed.clear()

    def void(self) -> Iterable[Session]:
        self._changed.clear()
        return ()


def park(parked: Parked, waiter: Waiter) -> None:
    """Let a call wait; one that is repeated keeps its place."""
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
    """Nobody waits any more."""
    for waiter in parked.values():
        waiter.call.abandon = None
        waiter.call.answer(value)
    parked.clear()


def _a(kind: str, size: int) -> str:
    """As it is said: a semaphore of 3, an rlock."""
    article = "an" if kind in ("event", "rlock") else "a"
    return f"{article} {kind}" + ("" if kind in ("lock", "rlock", "event") else f" of {size}")
