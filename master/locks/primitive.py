"""One lock, semaphore, event or barrier in memory: its claims and its parked calls. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..engine.accounts import Account
from ..engine.session import Call

LOCK, EVENT, BARRIER = "lock", "event", "barrier"
SEMAPHORE: Final = "semaphore"


class Claim(NamedTuple):
    node: bytes
    fence: int
    since: int | None = None  # steady ms; None: since before this master started
    account: Account | None = None  # of the holder's key; None: likewise


@dataclass(slots=True, eq=False)
class Waiter:
    """A parked call."""

    token: bytes
    call: Call
    suspended: bytes | None = None  # the token of the claim that this wait released


Parked = OrderedDict[bytes, Waiter]
"""By token, in order. Not a plain dict: popping the first entry of a dict scans all entries that were removed before it."""


@dataclass(slots=True, eq=False)
class Waking:
    """A notify that is under way: so many more waiters of the condition are to queue for the lock. Until it is answered its caller has the
    lock, so that no one begins to wait meanwhile."""

    condition: str
    left: int
    call: Call


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
    wakings: deque[Waking] = field(default_factory=deque)
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
