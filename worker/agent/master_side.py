"""What an agent has with its master, or with the masters of all shards: what it asks for and reports, and which of them are there. Pure."""

from __future__ import annotations

from collections.abc import Callable

from ...common.domain.shards import shard_of_id
from .backlog import Backlog
from .children import Children
from .effects import MasterEffects, ShardEffects
from .gathering import ReportGathering
from .leasing import Leasing, SharedLeasing
from .outbox import Outbox
from .outboxes import Outboxes, SharedGathering
from .returns import Returns
from .task_durations import TaskDurations


class MasterSide:
    """Of one master until ``divide`` is called. ``outboxes``: by shard. ``here``: the shards to whose masters there is a connection.
    ``changed``: does what there is to do now, the agent's ``work``."""

    def __init__(
        self,
        master: MasterEffects,
        durations: TaskDurations,
        children: Children,
        backlog: Backlog,
        returns: Returns,
        changed: Callable[[float], None],
    ) -> None:
        self._master, self._durations, self._children = master, durations, children
        self._backlog, self._returns, self._changed = backlog, returns, changed
        self.here: set[int] = set()
        self.leasing: Leasing | SharedLeasing = Leasing(master, durations, backlog)
        self.outbox: Outbox | Outboxes = Outbox()
        self.outboxes = [self.outbox]
        self.gathering = ReportGathering(self.outbox, durations, children, master, changed)
        self._shard_of: Callable[[bytes], int] = lambda _: 0

    def divide(self, shards: int, masters: ShardEffects) -> None:
        """The cluster has several shards. Before the first connection: nothing was leased yet."""
        outboxes, durations = Outboxes(shards, self.here), self._durations
        self.outbox, self.outboxes = outboxes, outboxes.of_shard
        self.leasing = SharedLeasing(masters, durations, self._backlog, shards, self._changed)
        self.gathering = SharedGathering(outboxes, durations, self._children, self._master, self._changed)
        self._shard_of = shard_of_id
        # One master gives no more than the worker has of a resource; several do, each by its own count.
        self._backlog.gives_back_parked = True

    def is_here(self, task: bytes) -> bool:
        """Whether there is a connection to the master of this task."""
        return self._shard_of(task) in self.here

    def connected(self, shard: int) -> None:
        # First of all: what is taken back below may be released at once.
        self.here.add(shard)
        self._returns.is_connected = True
        self._backlog.connected(lambda task: self._shard_of(task) == shard)
        self.leasing.connected(shard)
        self.outboxes[shard].connected()

    def disconnected(self, shard: int) -> None:
        self.here.discard(shard)
        self._returns.is_connected = bool(self.here)
        self.leasing.lost(shard)

    def exchange(self, now: float, *, ahead: int, drains: bool) -> None:
        """Report what is over, lease more. ``ahead``: for so many places besides those that there are. ``drains``: everything is reported
        at once, and nothing is leased."""
        startable = self._backlog.startable
        self.gathering.send(now, at_once=drains, is_busy=startable > 0)
        places = 0 if drains else self.gathering.places_to_fill(startable)
        if places and self.leasing.more(places + ahead, self._children.jobs_count, now):
            self.gathering.asked(now, is_busy=startable > 0)
