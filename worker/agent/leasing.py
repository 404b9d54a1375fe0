"""How many more tasks a worker asks for, of its master, or of the masters of all shards. Pure.

More is leased as long as less is in hand than the prefetch of ``task_durations.py``. With one master, calls wait there for work: one is
answered while the other is parked. With several shards each is asked in its turn: see ``credit.py``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sized
from typing import Final

from .backlog import Backlog
from .credit import SILENT_SECONDS, Credit
from .effects import MasterEffects, ShardEffects
from .task_durations import TaskDurations

LEASE_CALLS_MAX: Final = 2  # outstanding: one is answered while the other is parked at the master


class Leasing:
    """Of one pool, which has one master. ``durations``: the agent's own, which say how many tasks are worth holding."""

    def __init__(self, master: MasterEffects, durations: TaskDurations, backlog: Backlog) -> None:
        self._master, self._durations, self._backlog = master, durations, backlog
        self._calls: deque[int] = deque()  # how many tasks each outstanding call asked for

    def connected(self, shard: int) -> None:
        """Calls of the last connection are not answered any more."""
        self._calls.clear()

    def lost(self, shard: int) -> None:
        """What is under way is known to be lost when there is the next connection."""

    def answered(self, shard: int, found: Sized) -> None:
        """A call was answered with so much."""
        if self._calls:  # none: the answer belongs to the connection before this one
            self._calls.popleft()

    def more(self, children: int, jobs_of_children: int, now: float) -> bool:
        """Ask for as many tasks as are missing; whether it was asked for any. ``children``: how many are ready to run something."""
        target = self._durations.prefetch(children)
        missing = target - self._backlog.startable - jobs_of_children - sum(self._calls)
        # Of long tasks one call: what a second one is granted would wait here while another worker is free.
        calls = LEASE_CALLS_MAX if target > 4 * children else 1
        share = max(1, target // calls)
        before = len(self._calls)
        while missing > 0 and len(self._calls) < calls:
            want = min(missing, share)
            if want < share // 2 and self._calls:
                break  # not worth a call yet
            self._calls.append(want)
            self._master.lease(want)
            missing -= want
        return len(self._calls) > before


class SharedLeasing:
    """The same of a pool that has the masters of several shards. ``changed``: does what there is to do now, the agent's ``work``."""

    def __init__(
        self,
        masters: ShardEffects,
        durations: TaskDurations,
        backlog: Backlog,
        shards: int,
        changed: Callable[[float], None],
    ) -> None:
        self._masters, self._durations, self._backlog, self._changed = masters, durations, backlog, changed
        self._credit = Credit(shards)
        self._is_timed = False
        self._announced: set[bytes] = set()  # suspects that were announced when the time was last over

    def connected(self, shard: int) -> None:
        self._credit.connected(shard)

    def lost(self, shard: int) -> None:
        self._credit.lost(shard)

    def answered(self, shard: int, found: Sized) -> None:
        self._credit.answered(shard, len(found) > 0)

    def more(self, children: int, jobs_of_children: int, now: float) -> bool:
        in_hand = self._backlog.startable + jobs_of_children
        asks = list(self._credit.ask(self._durations.prefetch(children), in_hand, children, now))
        for ask in asks:
            self._masters.look(ask.shard, ask.want, waits=ask.waits)
        # Silence is an event of its own: nothing else may happen in a worker that waits for an answer.
        if not self._is_timed and (self._credit.is_counting or self._backlog.announced):
            self._is_timed = True
            self._masters.look_later(SILENT_SECONDS)
        return bool(asks)

    def over(self, now: float) -> None:
        """The time is over after which a shard that was asked for something at once counts as silent."""
        self._is_timed = False
        self._credit.silent(now)
        # What was announced before the last time was over has waited for one such time at least.
        self._announced = self._backlog.give_up_announced(self._announced)
        self._changed(now)
