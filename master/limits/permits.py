"""How many tasks may start now under limits: units that run, and tokens of rates, for each key of each limit. Pure.

::

    room: how many may start ──► take: they do ──► give_back: they have ended, or were handed back
                 ▲                    │ units that run + · tokens −
                 └── ready_at ◄───────┘ tokens come back with time, up to the burst

A rate is a bucket of tokens, counted in whole numbers, so that none is lost or made by rounding: a token has ``ms`` parts, and each
millisecond brings ``tasks`` of them. So in any t milliseconds at most burst + tasks × t / ms units start. Time is the steady clock's.

A task that counts for more units than its limit has now (an operator has lowered it) starts when nothing else runs and the bucket is
full, and leaves a debt of tokens: it waits, but not without end, and the rate holds.

A shard that has a part of a limit (``common/domain/limit_parts.py``) starts no such task: each shard might start one, more than there are in all.

Invariants: 1. ``running`` is the sum of what was taken and not given back; 2. a key that is not here has nothing that runs and a full
bucket; 3. the units that run exceed ``max_running`` only by a task alone, or after that was lowered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, NamedTuple

from ...common.domain.limit_parts import LimitHere, LimitPart
from ..engine.accounts import Account, Resource, give_back
from ..store.interface.limits import BucketRow

# Keys that are looked at for each that is added, whether they have nothing to remember: more than that
LOOKED_AT: Final = 2
ANY_NUMBER: Final = 1 << 40

LimitKey = tuple[str, str]
"""The name of a limit, and a key in it."""
Terms = Iterable[tuple[str, str, int]]
"""Limits with the key of a task in each, and the units that it counts for."""


class _Use:
    """Of one key of one limit. ``level``: parts of tokens, below zero after a task of more units than the burst."""

    __slots__ = ("account", "at", "level", "limit", "running")

    def __init__(self, limit: LimitHere | None, now: int) -> None:
        self.limit, self.running, self.at = limit, 0, now
        self.account: Account | None = None  # that it is charged to since the lane that was is forgotten
        self.level = self.full

    @property
    def full(self) -> int:
        limit = self.limit
        if limit is None or limit.tokens is None or limit.most_together is None:
            return 0
        return limit.most_together * limit.tokens.ms

    def follow(self, limit: LimitHere | None, now: int) -> None:
        """Let time pass, and take what holds from now on. The tokens are kept in number when their rate changes."""
        if now == self.at and limit is self.limit:
            return  # mostly: a transaction looks at a key several times in one moment
        before = None if self.limit is None else self.limit.tokens
        if before is not None:
            self.level = min(self.full, self.level + (now - self.at) * before.tasks)
        self.at = now
        if limit is self.limit:
            return
        self.limit, after = limit, None if limit is None else limit.tokens
        if after is None:
            self.level = 0
        elif before is None:
            self.level = self.full
        else:
            self.level = min(self.full, self.level * after.ms // before.ms)

    def room(self, units: int) -> int:
        """How many tasks of so many units may start."""
        room, limit = ANY_NUMBER, self.limit
        if limit is None:
            return room
        if limit.max_running is not None:
            # A task of more units than there ever are would wait without end: it starts alone.
            alone = int(units > limit.max_running and not self.running and not isinstance(limit, LimitPart))
            room = max((limit.max_running - self.running) // units, alone)
        tokens = limit.tokens
        if tokens is not None:
            parts, full = units * tokens.ms, self.full
            alone = int(parts > full and self.level >= full and not isinstance(limit, LimitPart))
            room = min(room, max(self.level // parts, alone))
        return max(0, room)

    def take(self, units: int) -> None:
        self.running += units
        if self.limit is not None and self.limit.tokens is not None:
            self.level -= units * self.limit.tokens.ms

    def wait_ms(self, units: int) -> int | None:
        """How long until its rate lets a task of so many units start; None: not before another one has ended."""
        limit = self.limit
        if limit is None:
            return 0
        others = self.running or isinstance(
            limit, LimitPart
        )  # without any it starts alone, unless it is a part
        if limit.max_running is not None and others and self.running + units > limit.max_running:
            return None
        if limit.tokens is None:
            return 0
        if isinstance(limit, LimitPart) and units * limit.tokens.ms > self.full:
            return None
        # One of more units than the burst waits for a full bucket, not for more than that.
        missing = min(units * limit.tokens.ms, self.full) - self.level
        return max(0, -(-missing // limit.tokens.tasks))

    @property
    def is_idle(self) -> bool:
        return not self.running and self.level >= self.full


class KeyState(NamedTuple):
    """For people. ``tokens``: whole ones; None: it has no rate."""

    running: int
    tokens: int | None


class Permits:
    def __init__(self, in_force: Callable[[str], LimitHere | None]) -> None:
        """``in_force``: what holds under a name."""
        self.in_force = in_force
        self._uses: dict[LimitKey, _Use] = {}  # what was looked at least lately first
        self._unwritten: dict[LimitKey, None] = {}  # buckets that are not in the store as they are

    def load(self, rows: Iterable[BucketRow], now: int) -> None:
        """Take the store's buckets. What runs is taken next, without tokens: see ``runs``."""
        for use in self._uses.values():
            give_back(use.account, Resource.LIMIT_KEYS)
        self._uses.clear()
        self._unwritten.clear()
        for row in rows:
            limit = self.in_force(row.name)
            use = self._uses[(row.name, row.key)] = _Use(limit, row.at)
            rate = None if limit is None else limit.tokens
            if rate is not None:
                # A token has as many parts as its rate has ms, and the rate may be another one since.
                use.level = min(use.full, row.level * rate.ms // row.ms)
            use.follow(limit, now)

    def runs(self, terms: Terms, tasks: int, now: int) -> None:
        """So many tasks run already: they were leased before this process began."""
        for name, key, units in terms:
            self._use((name, key), now).running += units * tasks

    def room(self, terms: Terms, now: int) -> int:
        """How many tasks with these keys may start now."""
        return min((self.room_of((name, key), units, now) for name, key, units in terms), default=ANY_NUMBER)

    def room_of(self, key: LimitKey, units: int, now: int) -> int:
        """The same of one key alone, for tasks that count for so many units."""
        return self._looked(key, now).room(units)

    def take(self, terms: Terms, tasks: int, now: int) -> None:
        """So many start: no more than there is room for."""
        for name, key, units in terms:
            before = len(self._uses)
            use = self._use((name, key), now)
            use.take(units * tasks)
            if use.limit is not None and use.limit.tokens is not None:
                self._unwritten[(name, key)] = None
            if len(self._uses) > before:
                self.forget_idle(now, LOOKED_AT)

    def give_back(self, terms: Terms, tasks: int) -> None:
        """So many run no more. The tokens of what was handed back before it began are spent all the same: a start that was
        tried may have reached what the rate is there for."""
        for name, key, units in terms:
            self._uses[(name, key)].running -= units * tasks

    def bound_what_runs(self, terms: Terms) -> bool:
        """Whether one of these limits bounds how many run."""
        for name, _, _ in terms:
            limit = self.in_force(name)
            if limit is not None and limit.max_running is not None:
                return True
        return False

    def ready_at(self, terms: Terms, now: int) -> int | None:
        """The moment at which their rates let one of these tasks start; None: it is not known, since another one must end first."""
        waits = [self._looked((name, key), now).wait_ms(units) for name, key, units in terms]
        known = [wait for wait in waits if wait is not None]
        return now + max(known, default=0) if len(known) == len(waits) else None

    def holding(self, terms: Terms, now: int) -> list[LimitKey]:
        """Those of the limits that let none of these tasks start now."""
        return [(name, key) for name, key, units in terms if not self._looked((name, key), now).room(units)]

    def state(self, name: str, key: str, now: int) -> KeyState:
        use = self._looked((name, key), now)
        rate = None if use.limit is None else use.limit.tokens
        return KeyState(use.running, None if rate is None else max(0, use.level // rate.ms))

    def unwritten(self) -> list[BucketRow]:
        """The buckets that tokens were taken from since the last time."""
        names, self._unwritten = self._unwritten, {}
        rows = []
        for name, key in names:
            use = self._uses.get((name, key))
            rate = None if use is None or use.limit is None else use.limit.tokens
            if use is not None and rate is not None:
                full_at = use.at + max(0, -(-(use.full - use.level) // rate.tasks))
                rows.append(BucketRow(name, key, use.level, rate.ms, use.at, full_at))
        return rows

    def _looked(self, key: LimitKey, now: int) -> _Use:
        """As it is now, without being remembered if there is nothing to remember."""
        limit, use = self.in_force(key[0]), self._uses.get(key)
        if use is None:
            return _Use(limit, now)
        use.follow(limit, now)
        return use

    def _use(self, key: LimitKey, now: int) -> _Use:
        use = self._uses.pop(key, None)
        if use is None:
            use = _Use(self.in_force(key[0]), now)
        else:
            use.follow(self.in_force(key[0]), now)
        self._uses[key] = use  # at the end
        return use

    def left(self, terms: Terms, account: Account) -> None:
        """A lane with these keys is forgotten, which was charged for each of them: what is remembered of a key is charged from now on."""
        for name, key, _ in terms:
            use = self._uses.get((name, key))
            if use is None or use.account is not None:
                account.give(Resource.LIMIT_KEYS)
            else:
                use.account = account

    def forget_idle(self, now: int, looks: int) -> None:
        """Look at so many keys, whether there is anything to remember of them."""
        # Each goes to the end if it stays, so that all have their turn.
        for key in list(islice(self._uses, looks)):
            use = self._uses.pop(key)
            use.follow(self.in_force(key[0]), now)
            if use.is_idle:
                give_back(use.account, Resource.LIMIT_KEYS)
            else:
                self._uses[key] = use

    @property
    def keys(self) -> int:
        """How many are remembered."""
        return len(self._uses)
