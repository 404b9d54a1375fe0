"""Events and barriers: those who wait for others. See ``claims.py`` for what they stand on.

An event counts how often it was set, and a wait says how often that was when it began: so one that was away while
the event was set and cleared again is told. A barrier remembers what it told to whom, for the same reason.
"""

from __future__ import annotations

from typing import Final

from ..engine.part import Part
from ..engine.session import LATER, Call, Session
from .claims import DONE, Sync, Syncs, Waiter, answer_all, park

BROKEN: Final = -1  # the answer to a wait at a broken barrier


class Events(Part):
    """What is done with the events among the syncs."""

    def __init__(self, syncs: Syncs) -> None:
        self._syncs = syncs

    def put(self, session: Session, sync: Sync, token: bytes, flag: bool) -> None:
        """Set or clear it, once for each token."""
        if token in sync.past:
            return
        if bool(sync.value) != flag:
            self._syncs.remember(sync, token, session.node, DONE)
            sync.value = int(flag)
            sync.counter += flag
            self._syncs.changed(sync)
        if flag:
            answer_all(sync.queue, True)

    def wait(self, call: Call, sync: Sync, token: bytes, since: int) -> object:
        """True once it is set, or was since it had been set ``since`` times."""
        if sync.value or sync.counter > since:
            return True
        park(sync.queue, Waiter(token, call))
        return LATER

    def give_up(self, sync: Sync, token: bytes, since: int) -> bool:
        """Wait no longer; whether it was set after all."""
        waiter = sync.queue.pop(token, None)
        if waiter is not None:
            waiter.call.abandon = None
            waiter.call.answer(False)
        return bool(sync.value) or sync.counter > since


class Barriers(Part):
    """What is done with the barriers among the syncs."""

    def __init__(self, syncs: Syncs) -> None:
        self._syncs = syncs

    def wait(self, call: Call, sync: Sync, token: bytes) -> object:
        """The place of this one among those who passed together, or BROKEN."""
        if token in sync.past:
            return sync.past[token]
        if sync.value:
            return BROKEN
        park(sync.queue, Waiter(token, call))
        if len(sync.queue) >= sync.size:
            sync.counter += 1
            self._end(sync, passed=True)
        return LATER

    def give_up(self, session: Session, sync: Sync, token: bytes) -> int:
        """A wait whose time is over breaks the barrier, once, unless it has passed."""
        if token not in sync.past:
            self.abort(sync)
            self._syncs.remember(sync, token, session.node, BROKEN)
        return sync.past.get(token, BROKEN)

    def abort(self, sync: Sync) -> None:
        """Broken until it is reset."""
        sync.value = 1
        self._end(sync, passed=False)

    def reset(self, session: Session, sync: Sync, token: bytes) -> None:
        """As new, once for each token; those who wait are told that it broke."""
        if token in sync.past:
            return
        self._syncs.remember(sync, token, session.node, DONE)
        sync.value = 0
        self._end(sync, passed=False)

    def _end(self, sync: Sync, *, passed: bool) -> None:
        waiters = list(sync.queue.values())
        sync.queue.clear()
        for place, waiter in enumerate(waiters):
            told = place if passed else BROKEN
            self._syncs.remember(sync, waiter.token, waiter.call.session.node, told)
            waiter.call.abandon = None
            waiter.call.answer(told)
        self._syncs.changed(sync)
