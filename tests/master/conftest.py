"""A master's mind without its body: the shipped engine over a real store, with sessions made of lists.

Each store that a test's engine has comes from ``new_store``, in memory and in a database; those of folders ``store/`` from ``stores``.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tq.common.auth.keys import Verifier
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role
from tq.common.domain.shards import ONLY_SHARD, Shard
from tq.common.errors import StoreError
from tq.common.wire.protocol import Request
from tq.master.engine.clock import Now
from tq.master.engine.core import Core
from tq.master.engine.limits import EngineLimits
from tq.master.engine.session import Call, Session
from tq.master.engine.transaction import Transaction
from tq.master.parts import make_engine, make_registry
from tq.master.store.sqlite.store import SqliteStore

from tests.master.net.harness import ServerHarness
from tests.postgres import PostgresServer, serving

from .new_store import NewStore
from .store.differences import differences

LEASE_MS, GRACE_MS, TICK_MS = 20_000, 3_000, 5_000
OpenKept = Callable[[], SqliteStore]
POSTGRES: Final = "postgres"
# A database repeats what its working copy does: of its variants one of so many is in each run, the others in ``make thorough``.
ONE_OF: Final = {"stores": 6, "database": 60}
SHARDS: Final = itertools.count(1)  # each test has one of its own in the database of its process


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seen: Counter[Path] = Counter()
    for item in items:
        params = (
            item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        )
        for name, one_of in ONE_OF.items():
            if params.get(name) == POSTGRES:
                among = item.path if name == "stores" else item.path.parent
                seen[among] += 1
                if seen[among] % one_of != 1:
                    item.add_marker(pytest.mark.thorough)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One for all tests of this process."""
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def one_cluster(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Made once in a process: each test ends its masters, which release what they have."""
    from .sharing_masters import Cluster

    return Cluster(tmp_path_factory.mktemp("sharing"), postgres.create(f"sharing_{next(SHARDS)}"))


@pytest.fixture
def cluster(one_cluster: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """See ``sharing_masters.py``."""
    one_cluster.give_names(monkeypatch)
    return one_cluster


@pytest.fixture
def open_postgres(postgres: PostgresServer) -> Callable[[], SqliteStore]:
    """Opens a store of one shard, that of this test."""
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.store import PostgresStore

    address, shard = read_address(postgres.url()), next(SHARDS)
    return lambda: PostgresStore(address, None, shard=shard)


class Peer:
    """A connected client or worker: it asks, and its answers stand in ``answers``."""

    def __init__(
        self, bench: Bench, role: Role, node: bytes, queues: tuple[str, ...] = (), key: str = ""
    ) -> None:
        """``key``: its id; empty: it is that of the role."""
        self.bench, self.disconnected = bench, ""
        self.answers: dict[int, Any] = {}
        self.unsent = 0  # bytes that it has not read
        self.announced: Any = None
        verifier = Verifier(
            key_id=key or str(role), role=role, kdf="none", stored_key=b"", server_key=b"", queues=queues
        )
        self.session = Session(self, verifier=verifier, role=role, node=node, address="test")
        self._ids = itertools.count(1)
        bench.engine.sessions.opened(self.session)

    # sessions.Wire
    def encode(self, call: Call) -> bytes:
        """Called once for each answer, after its commit: the answer itself is kept, not its bytes."""
        self.answers[call.call_id] = call.reply
        return b""

    def send(self, frame: bytes) -> None:
        """The bytes were not needed."""

    def unsent_bytes(self) -> int:
        return self.unsent

    def disconnect(self, reason: str) -> None:
        self.disconnected = reason
        self.close()

    # what tests do
    def ask(self, target: str | tuple[Any, ...], method: str, *args: Any, **kwargs: Any) -> int:
        """Put a call into the next transaction; its id."""
        name, *arguments = target.split("/") if isinstance(target, str) else target
        call_id = next(self._ids)
        request = Request(call_id, (name, *arguments), method, list(args), kwargs, None, 100)
        invocation = self.bench.registry.invocation(self.session, request)
        self.bench.engine.call(self.session, call_id, invocation.run, 100, reads=invocation.reads)
        return call_id

    def call(self, target: str | tuple[Any, ...], method: str, *args: Any, **kwargs: Any) -> Any:
        """Ask and run one transaction; the answer, or what it raises."""
        call_id = self.ask(target, method, *args, **kwargs)
        self.bench.step()
        return self.answer(call_id)

    def answer(self, call_id: int) -> Any:
        value, error = self.answers.pop(call_id)
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        if self.session.open:
            self.session.open = False
            self.bench.engine.sessions.closed(self.session)


class Bench:
    """An engine, a clock that stands still until it is advanced, and the transactions in between."""

    def __init__(
        self,
        store: SqliteStore,
        seconds: Callable[[], float] | None = None,
        now: Now | None = None,
        shard: Shard = ONLY_SHARD,
        **limits: int,
    ) -> None:
        started = Now(1_700_000_000_000, 40 * 24 * 3_600_000)  # a machine that has been up for forty days
        self.now = now or started
        self.reports: list[tuple[str, dict[str, Any]]] = []
        counter = itertools.count(1)
        self.engine = make_engine(
            Core(
                store,
                EngineLimits(**{"lease_ms": LEASE_MS, "grace_ms": GRACE_MS, "tick_ms": TICK_MS, **limits}),
                random=lambda: 0.5,
                random_bytes=lambda size: next(counter).to_bytes(size, "big"),
                report=lambda action, **fields: self.reports.append((action, fields)),
                seconds=seconds,
                shard=shard,
            )
        )
        self.registry = make_registry(self.engine)
        self.engine.start(self.now)

    def step(self, *, commit: Callable[[], None] | None = None) -> Transaction:
        """One transaction; ``commit`` acts for the disk."""
        batch = self.engine.run(self.now)
        if batch.changed:
            try:
                (commit or self.engine.store.commit)()
            except StoreError as error:
                self.engine.commit_failed(batch, error)
                return batch
        self.engine.committed(batch)
        return batch

    def advance(self, seconds: float, *, silent: Peer | None = None) -> None:
        """Let time pass in portions no longer than a tick; all but ``silent`` beat meanwhile."""
        left = int(seconds * 1000)
        while left > 0:
            portion = min(left, TICK_MS)
            self.now = self.now._replace(wall=self.now.wall + portion, mono=self.now.mono + portion)
            for session in self.engine.sessions:
                if silent is None or session is not silent.session:
                    self.engine.presence.seen(session, self.now)
            left -= portion
            self.step()
            while self.engine.trouble.since is not None and self.engine.next_wakeup() <= self.now.mono:
                self.step()  # one chore by itself

    def set_clock(self, seconds: float) -> None:
        """The wall's clock is set by so much; the next transaction sees it."""
        self.now = self.now._replace(wall=self.now.wall + int(seconds * 1000))

    def let_host_sleep(self, seconds: float) -> None:
        """The host sleeps: the wall goes on, the monotonic clock stands still."""
        ms = int(seconds * 1000)
        self.now = self.now._replace(wall=self.now.wall + ms, asleep=self.now.asleep + ms)

    def client(self, queues: tuple[str, ...] = (), role: Role = Role.CLIENT) -> Peer:
        return Peer(self, role, new_ids(), queues)

    def worker(
        self,
        *tasks: str,
        node: bytes | None = None,
        held: list[Any] | None = None,
        slots: int = 2,
        allow: tuple[str, ...] = (),
        queues: tuple[str, ...] = (),
        pools: tuple[list[list[str]], ...] = (),
        labels: dict[str, str] | None = None,
        resources: dict[str, int] | None = None,
        host: str = "host",
    ) -> Peer:
        """A worker that has announced itself. ``queues``: of its key."""
        peer = Peer(self, Role.WORKER, node or new_ids(), queues)
        info = {
            "host": host,
            "pid": 1,
            "slots": slots,
            "labels": labels or {},
            "resources": resources or {},
            "tasks": list(tasks),
            "queues": None,
            "version": "test",
            "allow": list(allow),
            "pools": list(pools),
        }
        peer.announced = peer.call("get_dispatcher", "announce", info, held or [])
        return peer


@pytest.fixture(params=["sqlite", POSTGRES])
def database(request: pytest.FixtureRequest) -> str:
    """What keeps the state of a test's masters."""
    return str(request.param)


@pytest.fixture
def new_store(request: pytest.FixtureRequest, database: str) -> Iterator[Callable[[], SqliteStore]]:
    """Makes an empty store; closed after the test. What one has in a database is then what its working copy has."""
    made: list[SqliteStore] = []

    def make() -> SqliteStore:
        made.append(NewStore() if database != POSTGRES else database_store(request, None, next(SHARDS)))
        return made[-1]

    yield make
    different = [found for store in made for found in differences(store)]
    for store in made:
        store.close()
    assert different == []


@pytest.fixture
def open_kept(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Iterator[OpenKept]:
    """Opens the one store of this test, which keeps what it has when it is closed, or is not, as that of a killed master."""
    opened: list[SqliteStore] = []
    shard = next(SHARDS)

    def open_it() -> SqliteStore:
        is_file = database != POSTGRES
        opened.append(
            SqliteStore(tmp_path / "tq.db") if is_file else database_store(request, tmp_path, shard)
        )
        return opened[-1]

    yield open_it
    different = differences(opened[-1]) if opened else []
    for store in opened:
        store.close()
    assert different == []


def database_store(request: pytest.FixtureRequest, folder: Path | None, shard: int) -> SqliteStore:
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.store import PostgresStore

    return PostgresStore(read_address(request.getfixturevalue("postgres").url()), folder, shard=shard)


@pytest.fixture
def bench(new_store: Callable[[], SqliteStore]) -> Bench:
    return Bench(new_store())


@pytest.fixture
def make_bench(new_store: Callable[[], SqliteStore]) -> Iterator[Callable[..., Bench]]:
    given: list[SqliteStore] = []

    def make(store: SqliteStore | None = None, shard: Shard = ONLY_SHARD, **limits: int) -> Bench:
        if store is not None:
            given.append(store)
        return Bench(new_store() if store is None else store, shard=shard, **limits)

    yield make
    for store in given:
        store.close()


@pytest.fixture(scope="module")
def certificate_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificate")


@pytest.fixture
def harness(bench: Any, certificate_folder: Path) -> Iterator[ServerHarness]:
    harness = ServerHarness(bench, certificate_folder)
    yield harness
    harness.close()
