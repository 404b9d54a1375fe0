"""The locks, events and barriers that every master exposes. ``master/tasks/calls.py`` has the rules of exposed objects, ``claims.py``
the behaviour.

``mine`` in a target: the primitive is deleted when the program that made it is gone. A token is 16 random bytes that identify a call.
"""

from __future__ import annotations

from typing import Any, Final

from ...common.contract.exposed import exposed
from ...common.contract.locks import BarrierState, EventState, LockState
from ...common.contract.rows import to_wire
from ...common.domain.model import Role, check_name
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..api.validation import EngineObject, allow_queue, validate_flag, validate_token, validate_whole
from ..engine.engine import Engine
from ..engine.session import Call
from .events_and_barriers import Barriers, Events
from .locks import LOCK_KINDS, VALUE_MAX, Locks
from .primitive import BARRIER, EVENT, LOCK, Primitive
from .primitives import Primitives

PARTIES_MAX: Final = 10_000
COUNTER_MAX: Final = 2**62


class PrimitiveObject(EngineObject):
    """What locks, events and barriers have in common."""

    family: str

    def __init__(self, engine: Engine, name: str, kind: str, size: int, value: int, mine: object) -> None:
        super().__init__(engine)
        self.name, self.kind, self.size, self.value = check_name(self.family, name), kind, size, value
        self.mine = validate_flag("mine", mine)

    def _primitive(self, call: Call) -> Primitive:
        # Names of locks are covered by a key's patterns as names of queues are.
        allow_queue(call, self.name)
        owner = call.session.node if self.mine else None
        what = (self.family, self.name, self.kind, self.size, self.value)
        return self.engine.part(Primitives).get(*what, owner, call.session.account)


class LockObject(PrimitiveObject):
    """``get_lock(name, kind, value)``: a lock, rlock, semaphore or bounded semaphore, and its conditions."""

    family = LOCK

    def __init__(
        self, engine: Engine, name: str, kind: str = "lock", value: int = 1, mine: bool = False
    ) -> None:
        if kind not in LOCK_KINDS:
            raise InvalidArgument(f"kind must be one of {', '.join(LOCK_KINDS)}, not {brief(kind)}")
        value = validate_whole("value", value, 0, VALUE_MAX)
        if kind in ("lock", "rlock") and value != 1:
            raise InvalidArgument(f"a {kind} has the value 1, not {value}")
        super().__init__(engine, name, kind, value, value, mine)

    @exposed(Role.CLIENT)
    def acquire(self, call: Call, token: bytes, wait: bool = True) -> object:
        """The fencing token; parked until a permit is free; nil if none is and ``wait`` is false."""
        return self.engine.part(Locks).acquire(
            call, self._primitive(call), validate_token("token", token), validate_flag("wait", wait)
        )

    @exposed(Role.CLIENT)
    def give_up_acquire(self, call: Call, token: bytes) -> object:
        """Stop waiting for an acquire; its fencing token if it was given a permit after all."""
        return self.engine.part(Locks).give_up(
            call.session, self._primitive(call), validate_token("token", token)
        )

    @exposed(Role.CLIENT)
    def release(self, call: Call, token: bytes) -> bool:
        """Release the permit of this acquire; false: it had been lost."""
        return self.engine.part(Locks).release(
            call.session, self._primitive(call), validate_token("token", token)
        )

    @exposed(Role.CLIENT)
    def add(self, call: Call, token: bytes, count: int = 1) -> None:
        """Release permits of a semaphore without holding one."""
        count = validate_whole("count", count, 1, VALUE_MAX)
        self.engine.part(Locks).add(
            call.session, self._primitive(call), validate_token("token", token), count
        )

    @exposed(Role.CLIENT)
    def held(self, call: Call, token: bytes) -> bool:
        return self.engine.part(Locks).is_held(
            call.session, self._primitive(call), validate_token("token", token)
        )

    @exposed(Role.CLIENT)
    def wait(self, call: Call, condition: str, held: bytes, token: bytes) -> object:
        """Release ``held``, wait for a notification, acquire as ``token``; nil: ``held`` had been lost."""
        condition = check_name("condition", condition)
        held, token = validate_token("token", held), validate_token("token", token)
        return self.engine.part(Locks).wait(call, self._primitive(call), condition, held, token)

    @exposed(Role.CLIENT)
    def give_up_wait(self, call: Call, condition: str, token: bytes) -> bool:
        """End the wait for the condition and wait for the lock only; whether it was notified before."""
        condition = check_name("condition", condition)
        return self.engine.part(Locks).give_up_wait(
            self._primitive(call), condition, validate_token("token", token)
        )

    @exposed(Role.CLIENT)
    def notify(self, call: Call, condition: str, held: bytes, count: int = 1) -> object:
        """Wake ``count`` waiters; false: the lock had been lost."""
        condition, count = check_name("condition", condition), validate_whole("count", count, 0, VALUE_MAX)
        held = validate_token("token", held)
        return self.engine.part(Locks).notify(call, self._primitive(call), condition, held, count)

    @exposed(Role.CLIENT)
    def state(self, call: Call) -> list[Any]:
        """Free permits, how many wait for one, the last fencing token."""
        primitive = self._primitive(call)
        return to_wire(LockState(primitive.value, len(primitive.queue), primitive.counter))


class EventObject(PrimitiveObject):
    """``get_event(name)``."""

    family = EVENT

    def __init__(self, engine: Engine, name: str, mine: bool = False) -> None:
        super().__init__(engine, name, EVENT, 0, 0, mine)

    @exposed(Role.CLIENT)
    def set(self, call: Call, token: bytes) -> None:
        self.engine.part(Events).put(
            call.session, self._primitive(call), validate_token("token", token), True
        )

    @exposed(Role.CLIENT)
    def clear(self, call: Call, token: bytes) -> None:
        self.engine.part(Events).put(
            call.session, self._primitive(call), validate_token("token", token), False
        )

    @exposed(Role.CLIENT)
    def wait(self, call: Call, token: bytes, since: int) -> object:
        """True; parked until the event is set, or has been set more than ``since`` times, a count that ``state`` answers."""
        since = validate_whole("since", since, 0, COUNTER_MAX)
        return self.engine.part(Events).wait(
            call, self._primitive(call), validate_token("token", token), since
        )

    @exposed(Role.CLIENT)
    def give_up_wait(self, call: Call, token: bytes, since: int) -> bool:
        """Answer a parked wait with false; whether the event was set after all."""
        since = validate_whole("since", since, 0, COUNTER_MAX)
        return self.engine.part(Events).give_up(self._primitive(call), validate_token("token", token), since)

    @exposed(Role.CLIENT)
    def state(self, call: Call) -> list[Any]:
        """Whether the event is set, and how often it has been set."""
        primitive = self._primitive(call)
        return to_wire(EventState(bool(primitive.value), primitive.counter))


class BarrierObject(PrimitiveObject):
    """``get_barrier(name, parties)``."""

    family = BARRIER

    def __init__(self, engine: Engine, name: str, parties: int, mine: bool = False) -> None:
        super().__init__(engine, name, BARRIER, validate_whole("parties", parties, 1, PARTIES_MAX), 0, mine)

    @exposed(Role.CLIENT)
    def wait(self, call: Call, token: bytes) -> object:
        """The place among the parties, from 0; parked until all have arrived; −1: the barrier is broken."""
        return self.engine.part(Barriers).wait(call, self._primitive(call), validate_token("token", token))

    @exposed(Role.CLIENT)
    def give_up_wait(self, call: Call, token: bytes) -> int:
        """The place if the barrier has passed; else −1, and the barrier is broken."""
        return self.engine.part(Barriers).give_up(
            call.session, self._primitive(call), validate_token("token", token)
        )

    @exposed(Role.CLIENT)
    def reset(self, call: Call, token: bytes) -> None:
        self.engine.part(Barriers).reset(call.session, self._primitive(call), validate_token("token", token))

    @exposed(Role.CLIENT)
    def abort(self, call: Call) -> None:
        self.engine.part(Barriers).abort(self._primitive(call))

    @exposed(Role.CLIENT)
    def state(self, call: Call) -> list[Any]:
        """How many parties wait, and whether the barrier is broken."""
        primitive = self._primitive(call)
        return to_wire(BarrierState(len(primitive.queue), bool(primitive.value)))
