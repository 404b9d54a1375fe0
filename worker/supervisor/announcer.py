"""What passes between a worker and each of its masters besides tasks: it announces itself, says what runs, and takes orders.

::

    connected ─► announcement ─► beats, orders, what its code declares   each with the master of every shard
    an order to drain, of any of them ─► the worker drains

Each master is sent what is of its own shard.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...common.contract.routes import shard_of_schedule
from ...common.contract.rows import to_wire
from ...common.domain.id_runs import ids_named
from ...common.domain.indexes import Indexes
from ...common.domain.shards import shard_of_name
from ...common.errors import ConfigError
from ...common.runtime.callbacks import WORKER, contained, report_bug
from ...common.runtime.config import WorkerSettings
from ...common.wire.connection import CallerConnection
from ...common.wire.frames import FRAME_BYTES_MAX
from ..agent.announcement import announcement, portions
from ..agent.outbox import BODY_BYTES_MAX
from ..agent.sharing import Share, lost_of_each
from .master_connection import MasterConnection
from .masters import Masters
from .memory import resident_bytes
from .observer import Observer
from .renewal import ServedCode
from .schedules import ScheduleDeclarer
from .worker_pool import WorkerPool

MEASURED_SECONDS: Final = 0.5  # for so long the memory that was measured is said to the masters of all shards


class Announcer:
    """See ``ConnectionOwner``. ``shares``: what each pool runs. ``drain``: has the worker drain; ``after``: called when an event may have been
    the last thing that a drain waits for."""

    code: ServedCode  # set by the supervisor: each of both needs the other

    def __init__(
        self,
        settings: WorkerSettings,
        masters: Masters,
        observer: Observer,
        pools: Sequence[WorkerPool],
        indexes: Indexes,
        shares: Callable[[], list[Share]],
        drain: Callable[[], None],
        after: Callable[[], None],
        report: Callable[..., None],
    ) -> None:
        self._settings, self._masters, self._observer, self._pools = settings, masters, observer, pools
        self._indexes = indexes
        self._shares, self._drain, self._after, self._report = shares, drain, after, report
        self._loop = asyncio.get_running_loop()
        self._declarer = ScheduleDeclarer(report, self._loop)
        self._memory_bytes, self._measured_at = 0, 0.0
        # Of each shard: over which connection it was said last which tasks are coroutine functions, and which these were.
        self._said: dict[int, tuple[CallerConnection, dict[str, bool]]] = {}

    @property
    def slots(self) -> int:
        """How many tasks run at a time."""
        return sum(pool.agent.slots for pool in self._pools)

    def facts(self) -> dict[str, Any]:
        tasks = [name for name, _ in self._pools[0].runners.tasks]
        return announcement(self._settings, tasks, self._shares(), self.slots)

    # the connections

    def divide(self, shards: int) -> None:
        for queue, _, results in self.facts()["apply"]:
            if results is not None and shard_of_name(queue, shards) != shard_of_name(results, shards):
                raise ConfigError(
                    f"--apply: the items of {queue} are in another of the {shards:,} shards of this cluster than those of {results}, where their "
                    f"results are to go; name both with one tag in braces, as in {{shop}}{queue} and {{shop}}{results}"
                )
        # Of its memory, say, each master gives away all: only here is known what tasks of the others hold.
        self._indexes.count_amounts(self._settings.resources)
        for pool in self._pools:
            pool.agent.side.divide(shards, pool.calls)

    def announcement(self, master: MasterConnection) -> tuple[dict[str, Any], list[list[Any]]]:
        facts = self.facts()
        self.code.announced(facts)
        facts["apply"] = [[queue, *more] for queue, *more in facts["apply"] if self._is_of(queue, master)]
        now = self._loop.time()
        held = [row for pool in self._pools for row in pool.agent.held_with_seconds(now)]
        return facts, self._masters.rows_of(master, held)

    def master_connected(self, master: MasterConnection, connection: CallerConnection, answer: Any) -> None:
        frame_bytes_max = connection.welcome.frame_bytes_max
        held = [pool.agent.held for pool in self._pools]
        self._observer.connected(
            [row for rows in held for row in rows], lambda task: self._masters.of_task(task) is master
        )
        for pool, lost in zip(self._pools, lost_of_each(held, ids_named(answer["dropped"])), strict=True):
            # As this master has it: it may be another one than before.
            pool.ticker.lease_seconds = float(answer["lease_seconds"])
            # A master with smaller frames would refuse a large result again and again.
            outbox = pool.agent.side.outboxes[master.shard]
            outbox.body_bytes_max = BODY_BYTES_MAX - FRAME_BYTES_MAX + frame_bytes_max
            pool.agent.connect(lost, self._loop.time(), master.shard)
        self._await_orders(master)
        # At once: it says what runs before the first interval has passed.
        self._beat(master, connection)
        for pool in self._pools:
            pool.runners.relays.connected(master.shard, connection)
        for portion in portions(self._pools[0].runners.signatures):
            master.notify("describe", portion)
        schedules = self._pools[0].runners.schedules
        shards = len(self._masters.all)
        of_it = [
            [name, one] for name, one in schedules if shard_of_schedule(name, one, shards) == master.shard
        ]
        here = {name for name, _ in of_it}
        self._declarer.declare(connection, of_it, [name for name, _ in schedules if name not in here])
        self._after()

    def master_disconnected(self, master: MasterConnection) -> None:
        for pool in self._pools:
            pool.agent.disconnect(master.shard)

    def _is_of(self, queue: str, master: MasterConnection) -> bool:
        return shard_of_name(queue, len(self._masters.all)) == master.shard

    # what runs

    def send_beats(self) -> None:
        """To all that are there."""
        for master in self._masters.all:
            self._send_beat(master)

    @contained
    def _beat(self, master: MasterConnection, connection: CallerConnection) -> None:
        # Each connection has a chain of beats of its own, which ends with it.
        if connection is master.current and not connection.is_closed:
            self._loop.call_later(connection.welcome.heartbeat_seconds, self._beat, master, connection)
            self._send_beat(master)

    def _send_beat(self, master: MasterConnection) -> None:
        # A set: in a pool of threads all have the number of this process.
        now = self._loop.time()
        if not self._memory_bytes or now - self._measured_at > MEASURED_SECONDS:
            pids = {os.getpid(), *(pid for pool in self._pools for pid in pool.runners.pids)}
            self._memory_bytes, self._measured_at = sum(map(resident_bytes, pids)), now
        pools = [to_wire(pool.as_said) for pool in self._pools]
        facts: dict[str, Any] = {"memory_bytes": self._memory_bytes, "pools": pools}
        if self._pools[0].agent.draining:
            facts["draining"] = True
        if any(pool.spec.is_scaled for pool in self._pools):
            facts["slots"] = self.slots
        # Once, and again when the code has changed: there may be ten thousand.
        coroutines, connection = self._pools[0].runners.coroutines, master.current
        before, said = self._said.get(master.shard, (None, None))
        if connection is not None and (before is not connection or said != coroutines):
            facts["coroutines"] = [name for name, is_coroutine in coroutines.items() if is_coroutine]
            self._said[master.shard] = connection, coroutines
        rows = [row for pool in self._pools for row in pool.agent.starts.rows(now)]
        master.notify("beat", self._masters.rows_of(master, rows), facts)

    # orders

    def _await_orders(self, master: MasterConnection) -> None:
        """One call is always parked at the master, which answers it when it has an order for this worker."""

        def done(orders: list[list[Any]]) -> None:
            # First, so that an order that fails does not end the orders.
            self._await_orders(master)
            for order in orders:
                match order:
                    case ["cancel", bytes(id), int(attempt)]:
                        for pool in self._pools:
                            pool.agent.cancel(id, attempt, self._loop.time())
                    case ["drain"]:
                        self._drain()
            self._after()

        master.request("orders", done)

    def broke(self, error: Exception) -> None:
        """A bug in one callback costs what that callback was about: jobs, heartbeats and children go on."""
        report_bug(self._report, error, WORKER)
