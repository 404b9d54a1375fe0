"""Events and barriers: those who wait for others. See ``claims.py`` for what they stand on.

An event counts how often it was set, and a wait says how often that was when it began: so one that was away while
the event was set and cleared again is told. A barrier remembers what it told to whom, for the same reason.
"""

from __future__ import annotations

from typing import Final

from ..engine.part import Part
from ..engine.session import LATER, Call, Session
from .claims import DONE, Primitive, Primitives, Waiter, answer_all, park

BROKEN: Final = -1  # the answer to a wait at a broken barrier


class Events(Part):
    """What is done with the events among the primitives."""

    def __init__(self, primitives: Primitives) -> None:
        self._primitives = primitives

    def put(self, session: Session, primitive: Primitive, token: bytes, flag: bool) -> None:
        """Set or clear it, once for each token."""
        if token in primitive.remembered:
            return
        if bool(primitive.value) != flag:
            self._primitives.remember(primitive, token, session.node, DONE)
            primitive.value = int(flag)
            primitive.counter += flag
            self._primitives.changed(primitive)
        if flag:
            answer_all(primitive.queue, True)

    def wait(self, call: Call, primitive: Primitive, token: bytes, since: int) -> object:
        """True once it is set, or was since it had been set ``since`` times."""
        if primitive.value or primitive.counter > since:
            return True
        park(primitive.queue, Waiter(token, call))
        return LATER

    def give_up(self, primitive: Primitive, token: bytes, since: int) -> bool:
        """Wait no longer; whether it was set after all."""
        waiter = primitive.queue.pop(token, None)
        if waiter is not None:
            waiter.call.abandon = None
            waiter.call.answer(False)
        return bool(primitive.value) or primitive.counter > since


class Barriers(Part):
    """What is done with the barriers among the primitives."""

    def __init__(self, primitives: Primitives) -> None:
        self._primitives = primitives

    def wait(self, call: Call, primitive: Primitive, token: bytes) -> object:
        """The place of this one among those who passed together, or BROKEN."""
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
        """A wait whose time is over breaks the barrier, once, unless it has passed."""
        if token not in primitive.remembered:
            self.abort(primitive)
            self._primitives.remember(primitive, token, session.node, BROKEN)
        return primitive.remembered.get(token, BROKEN)

    def abort(self, primitive: Primitive) -> None:
        """Broken until it is reset."""
        primitive.value = 1
        self._end(primitive, passed=False)

    def reset(self, session: Session, primitive: Primitive, token: bytes) -> None:
        """As new, once for each token; those who wait are told that it broke."""
        if token in primitive.remembered:
            return
        self._primitives.remember(primitive, token, session.node, DONE)
        primitive.value = 0
        self._end(primitive, passed=False)

    def _end(self, primitive: Primitive, *, passed: bool) -> None:
        waiters = list(primitive.queue.values())
        primitive.queue.clear()
        for place, waiter in enumerate(waiters):
            told = place if passed else BROKEN
            self._primitives.remember(primitive, waiter.token, waiter.call.session.node, told)
            waiter.call.abandon = None
            waiter.call.answer(told)
        self._primitives.changed(primitive)
