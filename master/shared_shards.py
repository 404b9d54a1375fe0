"""The shards that a master has of those that it shares with others: taken, let go and lost while its port is open.

::

    take ─► claimed and loaded, in a thread ─► a server for it ─► hosted
    let go ─► hosted no more ─► its last transaction ends, its sessions are sent on ─► released, in a thread
    lost, because another master has taken it over ─► its sessions are cut off ─► closed, in a thread

Which ones is decided in ``sharing.py``. All of it runs on the loop, but for what waits for the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from ..common.contract.observe import MasterRow
from ..common.errors import TqError
from ..common.runtime.callbacks import report_bug
from .net.hosted import HostedShards
from .net.server import MasterServer
from .shard_resources import OpenShard
from .shared_cluster import SharedCluster
from .standby.displacement import Displacement
from .store.interface.store import Displaced, OwnedElsewhere

AT_ONCE: Final = 8  # shards that are opened: each waits for the network more than it works


class ShardObserver(Protocol):
    """Learns of each shard that comes and goes."""

    def served(self, shard: int, server: MasterServer, data: Path) -> None: ...
    def left(self, shard: int) -> None: ...


class SharedShards:
    """``shards``: those that are open, which their owner closes at the end. ``serve``: makes a server. ``masters``: of the cluster.
    ``changed``: called when one has come or gone; with the error, if one could not be opened."""

    def __init__(
        self,
        cluster: SharedCluster,
        shards: list[OpenShard],
        hosted: HostedShards,
        report: Callable[..., Any],
        *,
        serve: Callable[[OpenShard], MasterServer],
        observer: ShardObserver,
        masters: Callable[[], Sequence[MasterRow]],
        changed: Callable[[BaseException | None], None],
    ) -> None:
        self._cluster, self._shards, self._hosted, self._report = cluster, shards, hosted, report
        self._serve, self._observer, self._masters, self._changed = serve, observer, masters, changed
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(AT_ONCE, "tq-shard")
        self.opening: dict[int, asyncio.Task[None]] = {}
        self.leaving: dict[int, asyncio.Task[None]] = {}
        self.successors: dict[int, str] = {}  # where the callers of those are sent that were let go
        self.is_ending = False

    def has(self, shard: int) -> bool:
        """Whether it is this master's, or about to be, or still to be released."""
        return shard in self._hosted.servers or shard in self.opening or shard in self.leaving

    def take(self, shard: int) -> None:
        self.successors.pop(shard, None)
        self._hosted.port.arrivals.expect(shard)
        self._begin(self.opening, shard, self._take(shard))

    def let_go(self, shard: int, to: str | None) -> None:
        """``to``: the address of the master that is to take it."""
        if to is not None:
            self.successors[shard] = to
        server, opened = self._leave(shard)
        self._begin(self.leaving, shard, self._let_go(shard, server, opened, to or ""))

    def let_all_go(self) -> None:
        """To whom, the others decide."""
        for shard in list(self._hosted.servers):
            self.let_go(shard, None)

    async def settle(self) -> None:
        """Until what was begun has come to its end."""
        while tasks := [*self.opening.values(), *self.leaving.values()]:
            await asyncio.wait(tasks)

    def close(self) -> None:
        self._threads.shutdown(wait=False)

    def _begin(
        self, tasks: dict[int, asyncio.Task[None]], shard: int, work: Coroutine[Any, Any, None]
    ) -> None:
        task = tasks[shard] = self._loop.create_task(work)

        def ended(_: object) -> None:
            del tasks[shard]
            if tasks is self.opening:
                self._hosted.port.arrivals.settled(shard)
            error = None if task.cancelled() else task.exception()
            if isinstance(error, TqError) and tasks is self.opening:
                self._report("shard.not_taken", level="error", shard=shard, error=str(error))
            elif isinstance(error, Exception):
                report_bug(self._report, error)
            self._changed(error)

        task.add_done_callback(ended)

    async def _take(self, shard: int) -> None:
        displacement, began = Displacement(), self._loop.time()
        try:
            opened = await self._in_thread(self._cluster.open, shard, displacement.happened)
        except (OwnedElsewhere, Displaced) as error:
            self._report("shard.was_slower", shard=shard, reason=str(error))
            return
        if self.is_ending:
            await self._in_thread(opened.opened.let_go)
            return
        server = self._serve(opened)
        server.transactions.displaced = displacement.happened
        opened.engine.masters = self._masters
        self._shards.append(opened)
        self._hosted.add(shard, server)
        self._observer.served(shard, server, opened.settings.data)
        self._report("shard.taken", shard=shard, seconds=round(self._loop.time() - began, 2))
        displacement.watch(self._loop, partial(self._lost, shard, server, displacement))

    async def _let_go(self, shard: int, server: MasterServer, opened: OpenShard, to: str) -> None:
        began, is_drained = self._loop.time(), False
        while not is_drained:  # the database may be away, and what it is asked for now is to be known
            is_drained = await server.drain(f"shard {shard} goes to another master")
        await self._in_thread(opened.opened.let_go)
        self._report("shard.let_go", shard=shard, to=to, seconds=round(self._loop.time() - began, 2))
        await self._in_thread(server.close)

    def _lost(self, shard: int, server: MasterServer, displacement: Displacement) -> None:
        """Another master has taken it over."""
        server.abandon(displacement.reason)
        if self._hosted.servers.get(shard) is not server:  # it was being let go
            return
        self._report("shard.lost", level="warning", shard=shard, reason=displacement.reason)
        _, opened = self._leave(shard)
        self._begin(self.leaving, shard, self._close(server, opened))

    async def _close(self, server: MasterServer, opened: OpenShard) -> None:
        await self._in_thread(server.close)  # which waits for the commit that is under way, and is refused
        await self._in_thread(opened.opened.close)

    def _leave(self, shard: int) -> tuple[MasterServer, OpenShard]:
        server = self._hosted.remove(shard)
        [opened] = [one for one in self._shards if one.engine.core.shard.number == shard]
        self._shards.remove(opened)
        self._observer.left(shard)
        return server, opened

    async def _in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        return await self._loop.run_in_executor(self._threads, function, *args)
