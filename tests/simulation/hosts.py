"""A machine on which a master of several is started again and again. Mirrors ``master/cli.py`` and ``master/waiting_turn.py``.

::

    start ─► is it free? ─► no: its door is open, it watches ─► yes: claims it, loads, serves ─► displaced: from the start
                                                                                          └─► killed, or its end: later again

What is shipped of it: ``Standing``, ``ShardWatch``, ``Displacement``, ``PostgresStore`` with its claim, renewal, commits, tenure and
recovery, the engine and the server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tq.common.errors import ConfigError, NotOwner, StoreError, to_wire
from tq.common.wire.address import Address
from tq.common.wire.frames import Kind, encode_frame, pack
from tq.master.engine.clock import Now
from tq.master.engine.transaction import Transaction
from tq.master.net.transactions import DRAIN_SECONDS_MAX
from tq.master.standby.displacement import Displacement
from tq.master.standby.door import refusal
from tq.master.standby.standing import LOOK_AGAIN_SECONDS, Standing
from tq.master.store.interface.store import Displaced, OwnedElsewhere
from tq.master.store.postgres.address import DatabaseAddress
from tq.master.store.postgres.line import DatabaseAway, DatabaseRefused, Statement
from tq.master.store.postgres.masters import Me
from tq.master.store.postgres.remedies import cannot_open
from tq.master.store.postgres.store import CONNECT_SECONDS_MAX, PostgresStore
from tq.master.store.postgres.watching import ShardWatch, first_look

from .database import Database
from .database_line import DatabaseLine
from .dialect import translated
from .disk import Disk, WatchedStore
from .fibers import Event, Fiber, pause_for
from .master import Master, Place, SimulatedLoop, _Done
from .network import End
from .oracle import Broken, Oracle, UnderWay
from .ownership import OwnershipLaws
from .world import SECOND, Handle, Process

if TYPE_CHECKING:
    from .masters import Masters

DATABASE: Final = DatabaseAddress({"host": "simulated", "dbname": "tq"})
COMPARED: Final = 0.02  # of the commits
POLL_SECONDS: Final = 0.01
RESTART: Final = SECOND  # of a master that has ended by itself


class SharedStore(WatchedStore, PostgresStore):
    """Of a master of several. Its working copy is in memory: a start loads all."""

    def __init__(
        self,
        database: Database,
        laws: OwnershipLaws,
        oracle: Oracle,
        process: Process,
        me: Me,
        report: Callable[..., Any],
        lost: Callable[[str], Any],
    ) -> None:
        self._database, self._laws, self._oracle, self._process = database, laws, oracle, process
        self.under_way = UnderWay()
        self.master: Master | None = None
        self._is_committing = False
        disk = self._disk = Disk(database.world)
        disk.begun, disk.took_effect, disk.purged = self._begun, self._noted, self._deleted
        PostgresStore.__init__(self, DATABASE, None, report=report, me=me, lost=lost)

    @property
    def _is_checked(self) -> bool:
        """The tables are there."""
        return True

    @_is_checked.setter
    def _is_checked(self, _: bool) -> None:
        """Also when it is loaded again."""

    def _connect_line(self) -> Any:
        return DatabaseLine(
            self._database, self._process, self._process.host, self._done, CONNECT_SECONDS_MAX
        )

    @property
    def reads_for_others(self) -> bool:
        """Whether a caller may get an answer from what it reads."""
        return self._displaced is None and not self._is_behind and not self.recovering

    def commit(self) -> None:
        self._is_committing = True
        try:
            super().commit()
        finally:
            self._is_committing = False

    def _done(self, statements: Sequence[Statement]) -> None:
        """A transaction of one of its connections is durable."""
        if any(translated(one.text).must_change for one in statements):
            self._laws.committed(self)
            self._laws.look()
            if self._is_committing:
                if not self.under_way.is_open:
                    raise Broken("A1", "a transaction was done twice")
                if self._database.random.random() < COMPARED:
                    self._laws.compare(self, self._db, self._capture.tables)
                self._disk.took_effect(self)
        else:
            self._laws.look()

    def _begun(self) -> None:
        self._oracle.follow(self.under_way, None)
        self._oracle.begun()

    def _noted(self, store: WatchedStore) -> None:
        self._oracle.follow(self.under_way, self.master)
        self._oracle.took_effect(store)

    def _deleted(self, tasks: list[tuple[int, bytes, int]], are_surplus: bool) -> None:
        self._oracle.follow(self.under_way, self.master)
        self._oracle.purged(tasks, are_surplus)

    def note(self, what: str, /, **fields: Any) -> None:
        self._oracle.follow(self.under_way, self.master)
        self._oracle.note(what, **fields)


class HostLoop(SimulatedLoop):
    """An event loop whose threads wait; closed, it does nothing any more."""

    def __init__(self, process: Process, disk: Disk) -> None:
        super().__init__(process, disk)
        self._is_closed = False
        self._fibers: list[Fiber] = []

    def is_closed(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        """Its threads are waited for."""
        self._is_closed = True
        for fiber in self._fibers:
            if not fiber.is_over:
                fiber.over.wait()

    def call_soon(self, callback: Callable[..., None], *arguments: Any) -> Any:
        return self._unless_closed(0, partial(callback, *arguments))

    call_soon_threadsafe = call_soon

    def call_later(self, seconds: float, callback: Callable[..., None], *arguments: Any) -> Any:
        return self._unless_closed(int(seconds * SECOND), partial(callback, *arguments))

    def _unless_closed(self, delay: int, action: Callable[[], None]) -> Handle:
        return self._process.later(delay, lambda: None if self._is_closed else action())

    def run_in_executor(self, executor: Any, function: Callable[[], Any]) -> _Done:
        done = _Done()

        def perform() -> None:
            result = function()
            self.call_soon(done.finish, result)

        self._fibers = [fiber for fiber in self._fibers if not fiber.is_over]
        self._fibers.append(Fiber(self._process, perform))
        return done


class Host:
    """One of several. ``master``: while it serves."""

    def __init__(self, masters: Masters, name: str) -> None:
        self._masters, self.name, self.address = masters, name, Address(name, 5000)
        self._world = masters.world
        self._lives = 0
        self.process = Process(self._world, name)
        self.master: Master | None = None
        self.store: SharedStore | None = None
        self._stop: Event | None = None
        self._is_asked_to_end = False
        self._starts_again = False

    @property
    def serves(self) -> bool:
        return self.process.alive and not self.process.paused and self.master is not None

    def start(self) -> None:
        self._starts_again = False
        self._lives += 1
        self.process = Process(self._world, f"{self.name}.{self._lives}", self.name)
        self.process.log("started")
        self._is_asked_to_end = False
        Fiber(self.process, self._live)

    def start_later(self, delay: int) -> None:
        if not self._starts_again:
            self._starts_again = True
            self._world.schedule(delay, self._masters.nature, self.start)

    def kill(self) -> None:
        self._masters.laws.is_gone(self.me.id)
        self._masters.network.doors.pop(self.address, None)
        master, self.master, self.store = self.master, None, None
        if master is not None:
            master.kill()
        else:
            self.process.log("killed")
            self.process.kill()

    def end(self) -> None:
        """SIGTERM."""
        if self.process.alive:
            self._is_asked_to_end = True
            if self._stop is not None:
                self._stop.set()

    @property
    def me(self) -> Me:
        return Me(f"{self.name}-{self._lives}", self.name, str(self.address), "simulated")

    # one life

    def _live(self) -> None:
        try:
            while self._waits_for_turn() and self._serves():
                pass
        except ConfigError as error:
            self.process.log(f"ended: {error}")
        self.process.log("stopped")
        self._masters.laws.is_gone(self.me.id)
        self.process.kill()
        self.start_later(RESTART)

    def _connect(self) -> Any:
        return DatabaseLine(
            self._masters.database,
            self.process,
            self.name,
            lambda _: self._masters.laws.look(),
            CONNECT_SECONDS_MAX,
        )

    def _report(self, action: str, **fields: Any) -> None:
        said = " ".join(f"{name}={value}" for name, value in fields.items() if name != "level")
        self.process.log(f"{action} {said}")
        self._masters.laws.said(self.me.id, said)

    def _waits_for_turn(self) -> bool:
        try:
            with closing(self._connect()) as line:
                seen, _ = first_look(line, 0)
        except (DatabaseAway, DatabaseRefused) as error:
            raise cannot_open(DATABASE, str(error)) from error
        if self._is_asked_to_end:
            return False
        return seen is None or seen.is_free or self._stands_by()

    def _stands_by(self) -> bool:
        standing, self._stop = Standing(self._report), Event()
        stop = self._stop

        def seen(shard: Any) -> None:
            self.process.later(0, lambda: looked(shard))

        def looked(shard: Any) -> None:
            standing.looked(shard)
            if standing.is_free:
                stop.set()

        def away(error: str) -> None:
            self.process.later(0, lambda: standing.away(error))

        def refuse(end: End, greeting: object) -> None:
            end.send(encode_frame(Kind.REFUSED, pack(to_wire(self._answer(standing)))))
            end.close()

        watch = ShardWatch(0, self._connect, self.me, seen, away)
        self._masters.network.doors[self.address] = refuse, self.process
        stop.wait()
        self._masters.network.doors.pop(self.address, None)
        watch.close()
        self._stop = None
        return standing.is_free and not self._is_asked_to_end

    def _answer(self, standing: Standing) -> NotOwner:
        return refusal(standing.owner)

    def _serves(self) -> bool:
        """Whether it is to wait for its next turn."""
        masters, displacement = self._masters, Displacement()
        try:
            store = SharedStore(
                masters.database,
                masters.laws,
                masters.oracle,
                self.process,
                self.me,
                self._report,
                displacement.happened,
            )
        except (OwnedElsewhere, Displaced) as error:
            self._report("master.was_slower", reason=str(error))
            pause_for(LOOK_AGAIN_SECONDS)
            return True
        loop, self._stop = HostLoop(self.process, masters.disk), Event()
        place = Place(self.process, self.address, loop, store.note, self._said)
        try:
            master = store.master = self.master = masters.new_master(store, place)
        except StoreError as error:  # it cannot read its store
            raise ConfigError(str(error)) from error
        self.store = store
        self._judge_reads(master, store)
        displacement.watch(loop, self._stop.set)  # type: ignore[arg-type]
        master.server.transactions.displaced = displacement.happened
        self._stop.wait()
        self._stop = None
        if displacement.reason:
            self._report("master.displaced", reason=displacement.reason)
            master.abandon()
        else:
            self._drain(master)
        self.master = self.store = None
        loop.close()
        master.server.close()
        store.close()
        return bool(displacement.reason)

    def _judge_reads(self, master: Master, store: SharedStore) -> None:
        """Each transaction that answers calls; memory that is read again after a failure answers none."""
        run, laws = master.engine.run, self._masters.laws

        def judged(now: Now) -> Transaction:
            laws.begins(store)
            return run(now)

        master.engine.run = judged  # type: ignore[method-assign]

    def _drain(self, master: Master) -> None:
        """As ``MasterServer.drain``."""
        masters, transactions = self._masters, master.server.transactions
        masters.network.doors.pop(self.address, None)
        transactions._draining = True
        until = self._world.now + int(DRAIN_SECONDS_MAX * SECOND)
        while transactions._pumping and self._world.now < until:
            pause_for(POLL_SECONDS)
        master.say_goodbye()

    def _said(self, action: str, fields: dict[str, Any]) -> None:
        self._masters.laws.said(self.me.id, " ".join(map(str, fields.values())))
