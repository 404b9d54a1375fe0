"""Locks, semaphores and conditions: permits are given in the order of the requests. ``claims.py`` has what they share with events.

A condition is a list of its lock's waiters::

    wait(held, token):  ``held`` is released, the call is parked ─► notify ─► queues for the lock ─► answered
                                                                     ``token`` then holds the lock

A waiter that is unknown, because its connection was lost or the master restarted, counts as notified: it may wake
spuriously, as condition waits may, but it never misses a notification.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from ...common.errors import InvalidArgument
from ..engine.accounts import Resource
from ..engine.part import Part
from ..engine.session import LATER, Call, Session
from .claims import DONE
from .primitive import SEMAPHORE, Primitive, Waiter, Waking, park
from .primitives import Primitives

LOCK_KINDS: Final = ("lock", "rlock", SEMAPHORE, "bounded")
VALUE_MAX: Final = 2**31 - 1
NONE: Final = None  # no permit; or, for a condition, the lock was lost


class Locks(Part):
    """The operations of locks, semaphores and conditions."""

    def __init__(self, primitives: Primitives) -> None:
        self._primitives = primitives
        primitives.wake = self._go_on_waking

    def acquire(
        self, call: Call, primitive: Primitive, token: bytes, wait: bool, suspended: bytes | None = None
    ) -> object:
        """The fencing token; None when no permit is free and ``wait`` is false; else the call waits for one."""
        if token in primitive.held:  # a repeated call
            return self._held_by(call.session, primitive, token)
        if primitive.ended(token):
            return NONE
        # Behind the looks for a repeated call: what is held already is not refused.
        call.session.account.check(Resource.CLAIMS, 1)
        # Those that wait go first: their permits are theirs in the next transaction.
        if primitive.value > len(primitive.queue):
            self._primitives.claims.end_suspension(primitive, suspended)
            return self._primitives.grant(primitive, token, call.session)
        if not wait:
            return NONE
        park(primitive.queue, Waiter(token, call, suspended))
        return LATER

    def give_up(self, session: Session, primitive: Primitive, token: bytes) -> int | None:
        """End a parked acquire; its fencing token if it was given a permit after all."""
        self._end_acquire(primitive, token)
        return self._held_by(session, primitive, token)

    def release(self, session: Session, primitive: Primitive, token: bytes) -> bool:
        """Whether the permit was released, now or before; False: it had been lost. A call that still waits with this token, for
        the lock or for a condition, ends."""
        waiter = primitive.leave_condition(token)
        if waiter is not None:
            park(primitive.queue, waiter)
        self._end_acquire(primitive, token)
        if self._held_by(session, primitive, token) is None:
            return primitive.ended(token)
        self._primitives.give_back(primitive, token)
        return True

    def _end_acquire(self, primitive: Primitive, token: bytes) -> None:
        waiter = primitive.queue.pop(token, None)
        if waiter is not None:
            waiter.call.abandon = None
            waiter.call.answer(NONE)
            self._primitives.claims.end_suspension(primitive, waiter.suspended)

    def add(self, session: Session, primitive: Primitive, token: bytes, count: int) -> None:
        """Release permits without holding one: a semaphore may be used as a signal."""
        if primitive.kind != SEMAPHORE:
            raise InvalidArgument(f"a {primitive.kind} can be released only by its holder")
        if primitive.knows(token):
            return
        if primitive.value + count > VALUE_MAX:
            raise InvalidArgument(f"a semaphore's value is at most {VALUE_MAX:,}")
        self._primitives.claims.remember(primitive, token, session.node, DONE)
        primitive.value += count
        self._primitives.changed(primitive)
        self._primitives.serve(primitive)

    def is_held(self, session: Session, primitive: Primitive, token: bytes) -> bool:
        return self._held_by(session, primitive, token) is not None

    # conditions

    def wait(self, call: Call, primitive: Primitive, condition: str, held: bytes, token: bytes) -> object:
        """Release the lock and wait; the new fencing token once the lock is held again. None: it had been lost."""
        again = primitive.condition_of.get(token) == condition
        if token in primitive.condition_of and not again:
            raise InvalidArgument("this token waits for another condition: each wait has one of its own")
        # A repeated wait that was notified before, or whose waiter is unknown and so counts as notified: it needs only the lock.
        if not again and (token in primitive.held or token in primitive.queue or primitive.ended(held)):
            return self.acquire(call, primitive, token, True, held)
        if not again and (held == token or self._held_by(call.session, primitive, held) is None):
            return NONE
        primitive.wait_for_condition(condition, Waiter(token, call, held))
        if not again:
            self._primitives.suspend(primitive, held)
        return LATER

    def notify(self, call: Call, primitive: Primitive, condition: str, held: bytes, count: int) -> object:
        """Move ``count`` waiters to the queue of the lock, of very many some in each transaction. False: the caller has lost the lock."""
        if self._held_by(call.session, primitive, held) is None:
            return False
        there = len(primitive.conditions.get(condition, ()))
        primitive.wakings.append(Waking(condition, min(count, there), call))
        self._go_on_waking(primitive)
        return LATER

    def _go_on_waking(self, primitive: Primitive) -> None:
        portions = self._primitives.portions
        while primitive.wakings:
            one = primitive.wakings[0]
            while one.left > 0:
                if not portions.is_left:
                    portions.later(primitive)
                    return
                portions.gave()
                self._wake(primitive, one.condition, 1)
                one.left -= 1
            primitive.wakings.popleft()
            one.call.answer(True)

    def give_up_wait(self, primitive: Primitive, condition: str, token: bytes) -> bool:
        """End the wait for the condition and queue for the lock. Whether it was notified before."""
        waiter = primitive.leave_condition(token) if primitive.condition_of.get(token) == condition else None
        if waiter is None:  # not known: it counts as notified
            return True
        park(primitive.queue, waiter)
        self._primitives.serve(primitive)
        return False

    def _wake(self, primitive: Primitive, condition: str, count: int) -> None:
        for token in list(islice(primitive.conditions.get(condition, ()), count)):
            waiter = primitive.leave_condition(token)
            if waiter is not None:
                park(primitive.queue, waiter)
                self._pass_on(primitive, condition, waiter)

    def _pass_on(self, primitive: Primitive, condition: str, waiter: Waiter) -> None:
        """If this waiter disconnects before it has the lock, its notification goes to the next waiter."""
        call, leave = waiter.call, waiter.call.abandon

        def abandon() -> None:
            if leave is not None:
                leave()
            current = self._primitives.by_name.get((primitive.family, primitive.name))
            if waiter.call is call and current is not None:
                self._wake(current, condition, 1)

        call.abandon = abandon

    def _held_by(self, session: Session, primitive: Primitive, token: bytes) -> int | None:
        claim = primitive.held.get(token)
        return claim.fence if claim is not None and claim.node == session.node else None
