"""A machine on which a master is started again and again that shares the shards of a database with others. Mirrors ``master/cli.py``.

What is shipped of it: ``ShardSharing`` with its looks and ``next_steps``, ``SharedShards``, ``HostedShards``, ``PostgresStore`` with its claim,
renewal, commits and tenure, the engine and the server of each shard. Each owner counts in its shards, as its callers would have it do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

from tq.common.domain.shards import Shard
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.common.version import VERSION
from tq.common.wire.address import Address
from tq.common.wire.frames import FRAME_BYTES_MAX
from tq.master.engine.clock import Now
from tq.master.engine.core import Core
from tq.master.engine.limits import EngineLimits
from tq.master.engine.transaction import Transaction
from tq.master.net.context import PortContext, ServerIdentity
from tq.master.net.hosted import HostedShards
from tq.master.net.server import MasterServer
from tq.master.parts import make_engine, make_registry
from tq.master.shard_resources import OpenShard, OpenStore, settings_of
from tq.master.sharing import ShardSharing
from tq.master.store.postgres.line import DatabaseAway, DatabaseRefused, Statement
from tq.master.store.postgres.masters import Me
from tq.master.store.postgres.store import CONNECT_SECONDS_MAX, PostgresStore
from tq.master.store.postgres.watching import first_look
from tq.master.store.postgres.working_copy import keep_owner, last_owner

from .database_line import DatabaseLine
from .dialect import translated
from .hosts import DATABASE
from .process_loop import ProcessLoop
from .sharing_laws import BEAT
from .world import SECOND, Process

if TYPE_CHECKING:
    from .sharing_lives import Life

HEARTBEAT_SECONDS: Final = 5.0
BEAT_SECONDS: Final = 0.4
FIRST_BEAT_SECONDS: Final = (0.0, 0.5, 3.0, 6.0)
RESTART: Final = SECOND  # of a master that has ended by itself


class ShardStore(PostgresStore):
    """A shard's store, whose working copy is in memory: each start loads all. ``folder``: where its last owner is noted."""

    def __init__(self, host: SharingHost, shard: int, folder: Path, lost: Callable[[str], Any]) -> None:
        self.shard = shard
        self._host, self._notes, self._life = host, folder, host.life
        PostgresStore.__init__(
            self, DATABASE, None, shard=shard, report=host.report, me=host.me, says_here=False, lost=lost
        )

    @property
    def _is_checked(self) -> bool:
        return True

    @_is_checked.setter
    def _is_checked(self, _: bool) -> None: ...

    def _claim(self) -> Any:
        self._owner = self._owner or last_owner(self._notes)
        committer = super()._claim()
        keep_owner(self._notes, committer.held.owner)
        return committer

    def _connect_line(self) -> Any:
        return DatabaseLine(
            self._life.database, self._host.process, self._host.name, self._done, CONNECT_SECONDS_MAX
        )

    @property
    def reads_for_others(self) -> bool:
        return self._displaced is None and not self._is_behind and not self.recovering

    def _done(self, statements: Sequence[Statement]) -> None:
        """A transaction of one of its connections is durable."""
        if any(translated(one.text).must_change for one in statements):
            self._life.laws.committed(self)
        self._life.laws.look()

    def count_up(self) -> None:
        before = self.get_meta(BEAT)
        self.set_meta(BEAT, b"%d" % (int(before or 0) + 1))


class SimulatedCluster:
    """In the place of ``SharedCluster``."""

    def __init__(self, host: SharingHost, settings: MasterSettings, count: int, certificate: Path) -> None:
        self.settings, self.count, self._host = settings, count, host
        self.identity = SimpleNamespace(certificate=certificate)

    def connect(self) -> Any:
        host = self._host
        look = host.life.laws.look
        return DatabaseLine(
            host.life.database, host.process, host.name, lambda _: look(), CONNECT_SECONDS_MAX
        )

    def open(self, number: int, displaced: Callable[[str], None]) -> OpenShard:
        if self._host.is_full:
            raise ConfigError("cannot use the data directory: No space left on device")
        host, settings = self._host, settings_of(self.settings, number)
        settings.data.mkdir(parents=True, exist_ok=True)
        opened = OpenStore(
            settings=settings, lock=None, store=ShardStore(host, number, settings.data, displaced)
        )
        try:
            return self._build(opened, number)
        except BaseException:
            opened.close()
            raise

    def _build(self, opened: OpenStore, number: int) -> OpenShard:
        host, random = self._host, self._host.life.world.random
        limits = EngineLimits(lease_ms=20_000, grace_ms=3_000, tick_ms=int(HEARTBEAT_SECONDS * 1000))
        core = Core(
            opened.store,
            limits,
            random=random.random,
            random_bytes=random.randbytes,
            report=host.report,
            shard=Shard(number, self.count),
        )
        engine = make_engine(core)
        engine.start(host.clock())
        return OpenShard(
            opened=opened, engine=engine, registry=make_registry(engine), blob_files=cast(Any, None)
        )


class SharingHost:
    """``is_wanted``: it is to run, and is started again when it has died. ``is_full``: it can open no shard. ``is_ending``: it was
    asked to, and has not been started since."""

    def __init__(self, life: Life, name: str, folder: Path) -> None:
        self.life, self.name = life, name
        random = life.random
        self._clock_rate = random.choice((1.0, 1.0, 0.98, 1.02))
        self._wall_ahead_ms = random.choice((0, 0, 3_600_000, -3_600_000))
        self._settings = MasterSettings(data=folder / name, bind=Address(name, 5000), store=str(DATABASE))
        self._lives = 0
        self.is_wanted = self.is_full = self.is_ending = False
        self.process = Process(life.world, name)
        self.process.kill()
        self._hosted: HostedShards | None = None
        self._stop: asyncio.Event | None = None
        self._loops: list[ProcessLoop] = []

    @property
    def me(self) -> Me:
        return Me(self.process.name, self.name, str(self._settings.bind), VERSION, "")

    def report(self, action: str, **fields: Any) -> None:
        said = " ".join(f"{name}={value}" for name, value in fields.items() if name != "level")
        self.process.log(f"{action} {said}")
        if action == "master.bug" and self.life.laws.broken is None:
            raise AssertionError(fields["error"])

    def clock(self) -> Now:
        world = self.life.world
        return Now((world.now + world.wall_offset) // 1000 + self._wall_ahead_ms, world.now // 1000)

    def serves(self, shard: int) -> bool:
        hosted = self._hosted
        if not self.process.alive or hosted is None or shard not in hosted.servers:
            return False
        return hosted.servers[shard].engine.store.is_certain

    # what befalls it

    def start(self) -> None:
        if self.process.alive or not self.is_wanted:
            return
        self._lives += 1
        self.is_ending = False
        name = f"{self.name}-{self._lives}"
        self.process = Process(self.life.world, name, self.name, self._clock_rate)
        self.process.log("started")
        loop = ProcessLoop(self.process)
        self._loops.append(loop)
        loop.call_soon(lambda: loop.create_task(self._live(loop)))

    def start_later(self, delay: int) -> None:
        self.life.world.schedule(delay, self.life.nature, self.start)

    def kill(self) -> None:
        self.process.log("killed")
        self.process.kill()

    def end(self) -> None:
        """SIGTERM."""
        self.is_ending = self.process.alive
        if self.process.alive and self._stop is not None:
            self._stop.set()
        elif self.process.alive:
            self.kill()

    def close(self) -> None:
        self.process.kill()
        for loop in self._loops:
            loop.end()

    # one life

    async def _live(self, loop: ProcessLoop) -> None:
        self._stop = stop = asyncio.Event()
        cluster = SimulatedCluster(self, self._settings, self.life.count, self.life.certificate)
        try:
            await loop.run_in_executor(None, _look, cluster)
        except (DatabaseAway, DatabaseRefused) as error:
            self._is_over(f"it cannot start: {error}")
            return
        identity = ServerIdentity(
            cast(Any, None), b"", b"", HEARTBEAT_SECONDS, FRAME_BYTES_MAX, self.life.count
        )
        shards: list[OpenShard] = []
        self._hosted = hosted = HostedShards(PortContext(identity, loop, self.report), {})
        sharing = ShardSharing(
            cast(Any, cluster),
            shards,
            hosted,
            Address(self.name, 5000),
            self.report,
            serve=lambda shard: self._server(shard, hosted, loop),
            observer=self,
            have_rows=None,
            retire=lambda reason: stop.set(),
        )
        await sharing.begin(stop)
        await stop.wait()
        await sharing.end()
        await hosted.drain()
        await loop.run_in_executor(None, sharing.close)  # which waits for a thread
        hosted.close()
        for shard in shards:
            await loop.run_in_executor(None, shard.opened.close)
        self._is_over("stopped")

    def _is_over(self, why: str) -> None:
        self.process.log(why)
        self.process.kill()
        self._stop = None
        self.start_later(RESTART)

    def _server(self, shard: OpenShard, hosted: HostedShards, loop: ProcessLoop) -> MasterServer:
        server = MasterServer(
            shard.engine, shard.registry, hosted.port, clock=self.clock, commit_here_seconds_max=0.0
        )
        store, run, laws = cast(ShardStore, shard.engine.store), shard.engine.run, self.life.laws

        def judged(now: Now) -> Transaction:
            laws.begins(store)
            return run(now)

        shard.engine.run = judged  # type: ignore[method-assign]

        def beat() -> None:
            if hosted.servers.get(store.shard) is server:
                server.transactions.later(store.count_up)
                loop.call_later(BEAT_SECONDS, beat)

        # Of a shard that has no caller for a while, what the owner before had under way may come first.
        loop.call_later(self.life.random.choice(FIRST_BEAT_SECONDS), beat)
        return server

    # see ``ShardObserver``

    def served(self, shard: int, server: MasterServer, data: Path) -> None: ...
    def left(self, shard: int) -> None: ...


def _look(cluster: SimulatedCluster) -> None:
    with closing(cluster.connect()) as line:
        first_look(line, 0)
