"""The connections of a worker to its masters: one until it is known that the cluster has several shards, then one for each shard.

::

    shard 0 welcomes ─► how many shards there are ─► a connection for each, which comes and goes by itself
    rows of tasks ─► the connection of the shard that each task's id names

The number is fixed by the first welcome. A worker that starts while the master of shard 0 is away waits for that one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from ...common.auth.keys import Credential
from ...common.domain.model import NODE_ID_BYTES
from ...common.domain.shards import shard_of_id
from ...common.errors import ProtocolError
from ...common.runtime.config import WorkerSettings
from ...common.runtime.limited_log import LimitedLog, LineBounds
from ..agent.finish_call import FinishCall
from .master_connection import ConnectionOwner, MasterConnection

# A master that has to end a connection as often as it is made, such as one whose disk is full to the last byte, is few lines; so are
# those of many shards.
LINES: Final = LineBounds(at_once=20, seconds_a_line=30.0)
# Connections at a time that are being made: a master closes what comes as a flood from one address
OPENING_MAX: Final = 8
# For longer no connection waits for its turn: masters that do not answer must not hold up the others
TURN_SECONDS: Final = 3.0


class Masters:
    """``owner``: the worker, which is set before they are connected. ``all``: by shard. ``shards``: 0 until it is known how many."""

    owner: ConnectionOwner

    def __init__(self, settings: WorkerSettings, credential: Credential, report: Callable[..., None]) -> None:
        self._settings, self._credential, self._report = settings, credential, report
        self._loop = asyncio.get_running_loop()
        # The same for every shard: it is one worker.
        self._node = os.urandom(NODE_ID_BYTES)
        self.connected = LimitedLog(report, "worker.connected", level="info", bounds=LINES)
        self.disconnected = LimitedLog(report, "worker.disconnected", bounds=LINES)
        self.waiting = LimitedLog(report, "worker.waiting", bounds=LINES)
        self._opening = asyncio.Semaphore(OPENING_MAX)
        self.first = self._of_shard(0)
        self.all = [self.first]
        self.shards = 0
        self._connecting: list[asyncio.Task[None]] = []
        self._ended: Callable[[asyncio.Task[None]], None] = lambda _: None
        self._known: asyncio.Future[int] = self._loop.create_future()

    @property
    def are_several(self) -> bool:
        return len(self.all) > 1

    # the connections

    def keep_connected(self, ended: Callable[[asyncio.Task[None]], None]) -> None:
        """Connect all of them, again and again. ``ended``: called when that has come to an end, which is by an error only."""
        self._ended = ended
        self._keep(self.first)

    def stop_connecting(self) -> None:
        """Connections that there are stay."""
        for task in self._connecting:
            task.cancel()

    def welcomed(self, shards: int) -> None:
        """A master has said how many shards its cluster has. Raises ProtocolError when that is another number than it was."""
        if shards == self.shards:
            return
        if self.shards:
            raise ProtocolError(
                f"the cluster has {shards:,} shards and had {self.shards:,} when this worker connected first: it is another one; restart the worker"
            )
        # First, so that an error of it leaves everything as it was.
        if shards > 1:
            self.owner.divide(shards)
        self.shards = shards
        self.all += [self._of_shard(shard) for shard in range(1, shards)]
        for master in self.all[1:]:
            self._keep(master)
        self._known.set_result(shards)

    def when_known(self, then: Callable[[int], None]) -> None:
        """Call ``then`` with the number of shards, as soon as it is known."""
        self._known.add_done_callback(lambda known: then(known.result()))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """While one of them is being connected."""
        has_turn = False
        with suppress(TimeoutError):
            async with asyncio.timeout(TURN_SECONDS):
                has_turn = await self._opening.acquire()
        try:
            yield
        finally:
            if has_turn:
                self._opening.release()

    def announce_again(self) -> None:
        for master in self.all:
            master.announce_again()

    async def say_goodbye(self) -> None:
        await asyncio.gather(*(master.say_goodbye() for master in self.all))

    def hang_up(self) -> None:
        for master in self.all:
            master.hang_up()

    def _of_shard(self, shard: int) -> MasterConnection:
        return MasterConnection(self._settings, self._credential, self, self._report, self._node, shard)

    def _keep(self, master: MasterConnection) -> None:
        task = self._loop.create_task(master.keep_connected())
        self._connecting.append(task)
        task.add_done_callback(self._ended)

    # what is sent by the tasks that it is about

    def of_task(self, id: bytes) -> MasterConnection:
        """Raises ProtocolError when it names a shard that there is not."""
        shard = shard_of_id(id) if self.are_several else 0
        if shard >= len(self.all):
            raise ProtocolError(f"a task of shard {shard}, in a cluster of {len(self.all):,}")
        return self.all[shard]

    def of_call(self, call: FinishCall) -> MasterConnection:
        return self.all[shard_of_id(call.first)] if self.are_several else self.first

    def of_rows(self, rows: list[list[Any]]) -> list[tuple[MasterConnection, list[list[Any]]]]:
        """Rows that begin with the id of a task, or with a run of them, by their master."""
        if not self.are_several:
            return [(self.first, rows)]
        by_shard: dict[int, list[list[Any]]] = {}
        for row in rows:
            by_shard.setdefault(shard_of_row(row), []).append(row)
        return [(self.all[shard], some) for shard, some in by_shard.items()]

    def rows_of(self, master: MasterConnection, rows: list[list[Any]]) -> list[list[Any]]:
        """Those that are about tasks of this one."""
        return [row for row in rows if shard_of_row(row) == master.shard] if self.are_several else rows

    def observe(self, rows: list[list[Any]]) -> None:
        """Output and progress: see ``Observer``."""
        for master, some in self.of_rows(rows):
            master.notify("observe", some)


def shard_of_row(row: Sequence[Any]) -> int:
    """Of a row that begins with the id of a task, or with a run of them."""
    named, *_ = row
    return shard_of_id(named if isinstance(named, bytes) else named[0])
