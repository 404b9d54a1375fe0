"""All locks, semaphores, events and barriers of a master: their names and permits, and what happens when a node is lost.

``claims.py`` has who holds what; ``locks.py`` and ``events_and_barriers.py`` have the operations of each family.

Invariants: 1. free permits plus held claims equal the size of the semaphore; 2. no call is parked at a lock that has
a free permit, unless the next transaction serves it; 3. a fencing token is greater than all earlier ones of that lock,
across restarts; 4. memory equals the store at every commit, except for the parked calls, which their callers repeat.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Final, TypeVar

from ...common.domain.model import check_new
from ...common.errors import InvalidArgument
from ..engine.accounts import Account, Resource, charged, give_back
from ..engine.agenda import Agenda
from ..engine.clock import Now, Timeline
from ..engine.part import Part
from ..engine.portions import Portions
from ..engine.presence import Presence
from ..engine.released import Released
from ..engine.session import Session
from ..store.interface.locks import DeletedRow
from ..store.interface.store import Picture, Store
from .claims import HELD_MAX, Claims
from .primitive import LOCK, SEMAPHORE, Claim, Primitive

PRIMITIVES_MAX: Final = 100_000
ENDED_AT_ONCE: Final = 1_000  # claims and primitives of lost nodes that end in one transaction
DELETED_MAX: Final = 10_000  # whose counters are kept: who makes one again must not see a fencing token again
SERVE: Final = "serve"

T = TypeVar("T")


class Primitives(Part):
    """All locks, events and barriers of one master."""

    name = "waiters for free locks"

    def __init__(
        self, store: Store, presence: Presence, timeline: Timeline, agenda: Agenda, released: Released
    ) -> None:
        self._store, self._presence, self._timeline, self._released = store, presence, timeline, released
        self.by_name: dict[tuple[str, str], Primitive] = {}
        self.claims = Claims(store.locks, lambda: len(self.by_name))
        self._owned: dict[bytes, dict[Primitive, None]] = {}
        self._room = ENDED_AT_ONCE  # what is left of it in this transaction
        self._deleted: dict[
            tuple[str, str], int
        ] = {}  # their counters, by family and name, as the store has them
        self._changed: dict[Primitive, None] = {}  # value or counter changed in this transaction
        self.wake: Callable[[Primitive], object]  # go on with its notifies; set by their part
        self.portions = Portions[Primitive](lambda is_left: agenda.set(self, SERVE, 0 if is_left else None))

    def load(self, _: Picture, now: Now) -> None:
        """Parked calls stay: their sessions are still open. A reload may show a free permit that a parked call waits for: see ``due``."""
        rows, claims = self._store.locks.load()
        self._deleted = {(row.family, row.name): row.counter for row in self._store.locks.deleted()}
        before, self.by_name = self.by_name, {}
        by_number: dict[int, Primitive] = {}
        held = {token: claim for primitive in before.values() for token, claim in primitive.held.items()}
        self._owned = {}
        for row in rows:
            primitive = Primitive(*row)
            if (known := before.pop((row.family, row.name), None)) is not None:
                primitive.account = known.account
                primitive.queue, primitive.conditions = known.queue, known.conditions
                primitive.condition_of, primitive.wakings = known.condition_of, known.wakings
                known.queue, known.conditions, known.condition_of = OrderedDict(), {}, {}
            self._add(primitive)
            by_number[row.primitive] = primitive
        for known in before.values():  # made in the transaction that failed
            give_back(known.account, Resource.SYNCS)
        self.claims.load(claims, by_number, held)
        self.portions.load(
            [one for one in by_number.values() if one.family == LOCK and (one.queue or one.wakings)]
        )
        for node in {*self.claims.nodes, *self._owned}:
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
            with charged(account, Resource.SYNCS):
                number = self._store.locks.add_primitive(family, name, kind, size, owner, value)
                counter = self._forget((family, name)) if (family, name) in self._deleted else 0
            primitive = Primitive(number, family, name, kind, size, owner, value, counter)
            primitive.account = account
            self._add(primitive)
            if counter:
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

    # permits

    def grant(self, primitive: Primitive, token: bytes, session: Session) -> int:
        """Give a free permit to this token; returns the fencing token."""
        primitive.value -= 1
        primitive.counter += 1
        self.changed(primitive)
        now = self._timeline.now.steady
        self.claims.add(primitive, token, Claim(session.node, primitive.counter, now, session.account))
        if primitive.kind == SEMAPHORE and len(primitive.held) > HELD_MAX:
            # Its permits are used as signals: acquired by one program, added by others, and never released.
            self.claims.lose(primitive, next(iter(primitive.held)))
        return primitive.counter

    def give_back(self, primitive: Primitive, token: bytes) -> None:
        """Release a claim; its permit goes to the next waiter."""
        self.claims.end(primitive, token)
        self._free(primitive)

    def suspend(self, primitive: Primitive, token: bytes) -> None:
        """As ``give_back``, for a condition wait: the claim is suspended until the wait ends."""
        self.claims.suspend(primitive, token)
        self._free(primitive)

    def _free(self, primitive: Primitive) -> None:
        """One more permit is free."""
        primitive.value += 1
        self.changed(primitive)
        self.serve(primitive)

    def serve(self, primitive: Primitive) -> None:
        """Give free permits to parked calls, in order, as many as one transaction gives: see ``engine/portions.py``."""
        while primitive.value > 0 and primitive.queue:
            if not self.portions.is_left:
                self.portions.later(primitive)
                return
            self.portions.gave()
            _, waiter = primitive.queue.popitem(last=False)
            waiter.call.abandon = None
            if primitive.knows(waiter.token):  # two calls with one token: a dishonest peer
                waiter.call.answer(None)
            else:
                waiter.call.answer(self.grant(primitive, waiter.token, waiter.call.session))
            self.claims.end_suspension(primitive, waiter.suspended)

    def changed(self, primitive: Primitive) -> None:
        """Have its value and counter written in ``settle``."""
        self._changed[primitive] = None

    # lost nodes

    def begin(self) -> None:
        self._room = ENDED_AT_ONCE
        self.portions.begin()

    def holds(self, node: bytes) -> bool:
        return node in self._owned or node in self.claims.held_by or node in self.claims.suspended_by

    def node_lost(self, node: bytes, now: Now) -> bool:
        """Free what the node held and delete what it owned, a bounded number in one transaction."""
        if self._room <= 0:
            return True
        for primitive in self._portion(self._owned.get(node, ())):
            self.drop(primitive, "is gone with the program that made it")
        for primitive, token in self._portion(self.claims.held_by.get(node, ())):
            self.take_away(primitive, token)
        for primitive, token in self._portion(self.claims.suspended_by.get(node, ())):
            self.claims.end_suspension(primitive, token)
        self._room -= 1  # a node counts, too: many may be lost at once
        return self._room <= 0 or self.holds(node)

    def _portion(self, things: Iterable[T]) -> list[T]:
        """As many of these as this transaction has room for."""
        some = list(things)[: max(0, self._room)]
        self._room -= len(some)
        return some

    def due(self, key: Hashable, now: Now) -> None:
        """Serve the calls that wait for a permit that is free: after ``load``, or because the last transaction had no room."""
        self.portions.serve(self._serve_turn)

    def _serve_turn(self, primitive: Primitive) -> None:
        if (
            self.by_name.get((primitive.family, primitive.name)) is primitive
        ):  # it may have been deleted since
            self.wake(primitive)
            self.serve(primitive)

    def take_away(self, primitive: Primitive, token: bytes) -> None:
        """The holder loses its claim, and learns it at its next call; the permit goes to the next waiter."""
        self.claims.lose(primitive, token)
        self._free(primitive)

    def drop(self, primitive: Primitive, why: str) -> None:
        """Delete a primitive; calls that still wait are refused with ``why``."""
        gone = InvalidArgument(f"{primitive.kind} {primitive.name!r} {why}")
        parked = [waiter.call for waiter in primitive.waiters()]
        self._released.answer_all([*parked, *(one.call for one in primitive.wakings)], gone)
        for token in list(primitive.held):
            self.claims.withdraw(primitive, token)
        for token in list(primitive.suspended):
            self.claims.end_suspension(primitive, token)
        self._changed.pop(primitive, None)
        give_back(primitive.account, Resource.SYNCS)
        self._store.locks.drop_primitive(primitive.number)
        if primitive.owner is not None:
            del self._owned[primitive.owner][primitive]
            if not self._owned[primitive.owner]:
                del self._owned[primitive.owner]
        del self.by_name[(primitive.family, primitive.name)]
        # A fencing token must not come twice for one name, even if the name is used again after a restart.
        if primitive.counter:
            self._store.locks.remember(DeletedRow(primitive.family, primitive.name, primitive.counter))
            self._deleted[(primitive.family, primitive.name)] = primitive.counter
            if len(self._deleted) > DELETED_MAX:
                self._forget(next(iter(self._deleted)))

    def _forget(self, name: tuple[str, str]) -> int:
        """The counter of a deleted one, which is kept with what has its name now, or not at all, beyond so many."""
        self._store.locks.forget(*name)
        return self._deleted.pop(name)

    # one transaction

    def settle(self, now: Now) -> None:
        for primitive in self._changed:
            self._store.locks.set_primitive(primitive.number, primitive.value, primitive.counter)
        self._changed.clear()

    def void(self) -> Iterable[Session]:
        self._changed.clear()
        return ()


def _a(kind: str, size: int) -> str:
    """With its article and size: a semaphore of 3, an rlock."""
    article = "an" if kind in ("event", "rlock") else "a"
    return f"{article} {kind}" + ("" if kind in ("lock", "rlock", "event") else f" of {size}")
