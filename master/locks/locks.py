"""Locks, semaphores and conditions: who has a permit, in the order they asked. See ``claims.py`` for what they stand on.

A condition is a list of its lock's waiters::

    wait(held, token):  held is given back, the call is parked ─► notify ─► queues for the lock ─► answered
                                                                     its token then is what is held

A waiter that is not known any more, because its connection or the master was gone, is taken for notified: it may
wake for nothing, as conditions may, and never misses anything.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from ...common.errors import InvalidArgument
from ..engine.accounts import What
from ..engine.part import Part
from ..engine.session import LATER, Call, Session
from .claims import DONE, SEMAPHORE, Sync, Syncs, Waiter, park

LOCK_KINDS: Final = ("lock", "rlock", SEMAPHORE, "bounded")
VALUE_MAX: Final = 2**31 - 1
NONE: Final = None  # no permit; or, of a condition: the lock was lost


class Locks(Part):
    """What is done with the locks among the syncs."""

    def __init__(self, syncs: Syncs) -> None:
        self._syncs = syncs

    def acquire(
        self, call: Call, sync: Sync, token: bytes, wait: bool, laid_down: bytes | None = None
    ) -> object:
        """The fencing token; None when there is no free permit and ``wait`` is false; else waits for one."""
        if token in sync.held:  # asked again
            return self._held_by(call.session, sync, token)
        if sync.ended(token):
            return NONE
        call.session.account.check(What.CLAIMS, 1)
        if sync.value > 0:
            self._syncs.picked_up(sync, laid_down)
            return self._syncs.grant(sync, token, call.session)
        if not wait:
            return NONE
        park(sync.queue, Waiter(token, call, laid_down))
        return LATER

    def give_up(self, session: Session, sync: Sync, token: bytes) -> int | None:
        """An acquire waits no longer; its fencing token if it was given a permit after all."""
        self._end_acquire(sync, token)
        return self._held_by(session, sync, token)

    def release(self, session: Session, sync: Sync, token: bytes) -> bool:
        """Whether the permit was given back, now or before; False: it had been lost. Who still waits with this token, for
        the lock or for a condition, does so no more."""
        waiter = sync.leave_condition(token)
        if waiter is not None:
            park(sync.queue, waiter)
        self._end_acquire(sync, token)
        if self._held_by(session, sync, token) is None:
            return sync.ended(token)
        self._syncs.give_back(sync, token)
        return True

    def _end_acquire(self, sync: Sync, token: bytes) -> None:
        waiter = sync.queue.pop(token, None)
        if waiter is not None:
            waiter.call.abandon = None
            waiter.call.answer(NONE)
            self._syncs.picked_up(sync, waiter.laid_down)

    def add(self, session: Session, sync: Sync, token: bytes, count: int) -> None:
        """Permits from one who holds none: a semaphore may be used as a signal."""
        if sync.kind != SEMAPHORE:
            raise InvalidArgument(f"a {sync.kind} is released by who holds it")
        if sync.knows(token):
            return
        if sync.value + count > VALUE_MAX:
            raise InvalidArgument(f"a semaphore's value is at most {VALUE_MAX:,}")
        self._syncs.remember(sync, token, session.node, DONE)
        sync.value += count
        self._syncs.changed(sync)
        self._syncs.serve(sync)

    def is_held(self, session: Session, sync: Sync, token: bytes) -> bool:
        return self._held_by(session, sync, token) is not None

    # conditions

    def wait(self, call: Call, sync: Sync, condition: str, held: bytes, token: bytes) -> object:
        """Give the lock back and wait; the new fencing token once it is held again. None: it was lost before."""
        again = sync.condition_of.get(token) == condition
        if token in sync.condition_of and not again:
            raise InvalidArgument("this token waits for another condition: each wait has one of its own")
        if not again and (token in sync.held or token in sync.queue or sync.ended(held)):
            return self.acquire(call, sync, token, True, held)
        if not again and (held == token or self._held_by(call.session, sync, held) is None):
            return NONE
        sync.wait_for_condition(condition, Waiter(token, call, held))
        if not again:
            self._syncs.lay_down(sync, held)
        return LATER

    def notify(self, session: Session, sync: Sync, condition: str, held: bytes, count: int) -> bool:
        """So many waiters queue for the lock. False: whoever calls has lost it."""
        if self._held_by(session, sync, held) is None:
            return False
        self._wake(sync, condition, count)
        return True

    def give_up_wait(self, sync: Sync, condition: str, token: bytes) -> bool:
        """Wait for the lock only, from now on. Whether there was a notification before."""
        waiter = sync.leave_condition(token) if sync.condition_of.get(token) == condition else None
        if waiter is None:
            return True
        park(sync.queue, waiter)
        self._syncs.serve(sync)
        return False

    def _wake(self, sync: Sync, condition: str, count: int) -> None:
        for token in list(islice(sync.conditions.get(condition, ()), count)):
            waiter = sync.leave_condition(token)
            if waiter is not None:
                park(sync.queue, waiter)
                self._pass_on(sync, condition, waiter)

    def _pass_on(self, sync: Sync, condition: str, waiter: Waiter) -> None:
        """If it goes before it has the lock, its notification is the next one's."""
        call, leave = waiter.call, waiter.call.abandon

        def abandon() -> None:
            if leave is not None:
                leave()
            current = self._syncs.by_name.get((sync.family, sync.name))
            if waiter.call is call and current is not None:
                self._wake(current, condition, 1)

        call.abandon = abandon

    def _held_by(self, session: Session, sync: Sync, token: bytes) -> int | None:
        claim = sync.held.get(token)
        return claim.fence if claim is not None and claim.node == session.node else None
