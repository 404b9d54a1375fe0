"""Events and barriers. ``claims.py`` has what they share with locks.

An event counts how often it was set, and a wait carries the count it started from. So a wait that was disconnected while the event was
set and cleared again still returns. A barrier remembers its answer to each party, for the same reason.
"""

from __future__ import annotations

from typing import Final

from ..engine.part import Part
from ..engine.released import Released
from ..engine.session import LATER, Call, Session
from .claims import DONE
from .primitive import Primitive, Waiter, park
from .primitives import Primitives

BROKEN: Final = -1  # the answer to a wait at a broken barrier


class Events(Part):
    """The operations of events."""

    def __init__(self, primitives: Primitives, released: Released) -> None:
        self._primitives, self._released = primitives, released

    def put(self, session: Session, primitive: Primitive, token: bytes, flag: bool) -> None:
        """Set or clear the event, once for each token."""
        if token in primitive.remembered:  # a repeated call: the event may have changed again since
            return
        if bool(primitive.value) != flag:
            self._primitives.claims.remember(primitive, token, session.node, DONE)
            primitive.value = int(flag)
            primitive.counter += flag
            self._primitives.changed(primitive)
        if flag:
            self._released.answer_all([waiter.call for waiter in primitive.queue.values()], True)
            primitive.queue.clear()

    def wait(self, call: Call, primitive: Primitive, token: bytes, since: int) -> object:
        """True once the event is set, or if it has been set more than ``since`` times."""
        if primitive.value or primitive.counter > since:
            return True
        park(primitive.queue, Waiter(token, call))
        return LATER

    def give_up(self, primitive: Primitive, token: bytes, since: int) -> bool:
        """End a parked wait; whether the event was set after all."""
        waiter = primitive.queue.pop(token, None)
        if waiter is not None:
            waiter.call.abandon = None
            waiter.call.answer(False)
        return bool(primitive.value) or primitive.counter > since


class Barriers(Part):
    """The operations of barriers."""

    def __init__(self, primitives: Primitives, released: Released) -> None:
        self._primitives, self._released = primitives, released

    def wait(self, call: Call, primitive: Primitive, token: bytes) -> object:
        """The place of this party among those that passed together, or BROKEN."""
        if token in primitive.remembered:
            return primitive.remembered[token]
        if primitive.value:
            return BROKEN
        park(primitive.queue, Waiter(token, call))
        if len(primitive.queue) >= primitive.size:
            primitive.counter += 1
            self._end(primitive, passed=True)
        return LATER

    def give_up(self, session: Session, primitive: Primitive, token: bytes) -> int:
        """A wait that times out breaks the barrier, once, unless the barrier has passed."""
        if token not in primitive.remembered:  # else the barrier has passed, or this call is repeated
            self.abort(primitive)
            self._primitives.claims.remember(primitive, token, session.node, BROKEN)
        return primitive.remembered.get(token, BROKEN)

    def abort(self, primitive: Primitive) -> None:
        """Break the barrier until it is reset."""
        primitive.value = 1
        self._end(primitive, passed=False)

    def reset(self, session: Session, primitive: Primitive, token: bytes) -> None:
        """Reset the barrier, once for each token; parked waits are answered that it is broken."""
        if token in primitive.remembered:
            return
        self._primitives.claims.remember(primitive, token, session.node, DONE)
        primitive.value = 0
        self._end(primitive, passed=False)

    def _end(self, primitive: Primitive, *, passed: bool) -> None:
        waiters = list(primitive.queue.values())
        primitive.queue.clear()
        answers = range(len(waiters)) if passed else [BROKEN] * len(waiters)
        # At once: a party whose connection is lost before it is answered asks again with its token.
        answered = list(zip(waiters, answers, strict=True))
        self._primitives.claims.remember_all(
            primitive, [(one.token, one.call.session.node, answer) for one, answer in answered]
        )
        self._released.answer_each((one.call, answer) for one, answer in answered)
        self._primitives.changed(primitive)
