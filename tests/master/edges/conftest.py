"""Several shards, an engine and a store each, and rows that are carried between them by hand."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role, StateNumber
from tq.common.domain.shards import Shard, id_in, shard_of_id, shard_of_name
from tq.common.values.failure import Failure
from tq.common.values.needed import Carried
from tq.common.wire.frames import unpack
from tq.master.edges.edges import Edges
from tq.master.store.interface.edges import EdgeRow
from tq.master.store.sqlite.store import SqliteStore

from ..conftest import Bench
from ..dependencies.conftest import TASK, Graph

COUNTS: Final = {
    "out": "SELECT count(*) FROM edges_out",
    "needs": "SELECT count(*) FROM edges_needs",
    "mirror": "SELECT count(*) FROM edges_mirror",
    "promises": "SELECT count(*) FROM edges_promises",
}
ROUNDS: Final = 200  # of rows carried to and fro, until nothing is left to say


class ShardGraph(Graph):
    """One shard with a client and a worker."""

    def __init__(self, bench: Bench, queue: str) -> None:
        self.queue = queue
        super().__init__(bench)

    def submit(self, tasks: int = 1, **said: Any) -> IdRun:
        first = said.pop("first", None) or self.new_id(tasks)
        return super().submit(tasks, first=first, queue=said.pop("queue", self.queue), **said)

    def new_id(self, tasks: int = 1) -> bytes:
        """The first of so many."""
        return id_in(new_ids.many(tasks)[0], self.bench.engine.core.shard.number)

    @property
    def edges(self) -> Edges:
        return self.bench.engine.part(Edges)

    def carried(self, run: IdRun) -> list[Any]:
        """What the arguments of a leased task brought."""
        return list(Carried(unpack_ext(self.payloads[run.first])).rows)

    def tables(self) -> dict[str, int]:
        """Rows of the tables for needs between shards."""
        ask = self.bench.engine.store._run  # type: ignore[attr-defined]
        return {name: ask(count)[0][0] for name, count in COUNTS.items()}


def unpack_ext(payload: bytes) -> bytes:
    import msgpack

    return bytes(msgpack.unpackb(payload).data)


class Carrier:
    """Carries rows, and what was applied, as a transport does: at least once, in order, and only what is committed."""

    def __init__(self, shards: list[ShardGraph], random: Random | None = None) -> None:
        """``random``: it loses some, carries some twice and some late; without, it does as well as it can."""
        self.shards, self._random = shards, random
        self.cut: set[int] = set()  # shards that nothing reaches, and that reach nothing
        self.carried: list[tuple[int, int, EdgeRow]] = []

    def once(self) -> bool:
        """Each pair of shards once; whether anything was carried that is news."""
        is_news = False
        for here in range(len(self.shards)):
            for there in range(len(self.shards)):
                if here != there and not {here, there} & self.cut:
                    is_news |= self._pair(here, there)
        return is_news

    def _pair(self, here: int, there: int) -> bool:
        source, target = self.shards[here].edges, self.shards[there].edges
        after, most = target.taken(here), 1_000
        if self._random is not None:
            after = max(0, after - self._random.choice((0, 0, 1, 3)))
            most = self._random.choice((0, 1, 2, 50))
        rows = source.pending(there, after, most)
        before = target.taken(here)
        target.received(here, rows)
        self.carried += [(here, there, row) for row in rows]
        if self._random is None or self._random.random() < 0.6:
            source.acknowledged(there, target.applied(here))
        return target.taken(here) != before

    def settle(self) -> None:
        """Until nothing is left to be said, done or carried."""
        random, self._random = self._random, None
        for _ in range(ROUNDS):
            is_news = self.once()
            working = [one.bench for one in self.shards if one.bench.engine.has_work]
            for bench in working:
                bench.step()
            if not is_news and not working:
                break
        else:
            raise AssertionError("it never comes to an end")
        self._random = random


class Cluster:
    def __init__(self, stores: list[SqliteStore]) -> None:
        count = len(stores)
        self.count = count
        names = [
            next(name for name in map(str, range(999)) if shard_of_name(name, count) == at)
            for at in range(count)
        ]
        self.shards = [
            ShardGraph(Bench(store, shard=Shard(at, count)), names[at]) for at, store in enumerate(stores)
        ]
        self.carrier = Carrier(self.shards)

    def __getitem__(self, shard: int) -> ShardGraph:
        return self.shards[shard]

    def settle(self) -> None:
        self.carrier.settle()

    def restart(self, shard: int, store: SqliteStore | None = None) -> None:
        """Another master over its store, or over another one; its worker goes on with what it has."""
        graph = self.shards[shard]
        bench, node = graph.bench, graph.worker.session.node
        graph.bench = Bench(store or bench.engine.store, now=bench.now, shard=Shard(shard, self.count))  # type: ignore[arg-type]
        graph.connect(node, [[id, *held] for id, held in graph.held.items()])

    def nothing_is_left(self) -> None:
        """No shard keeps or expects anything of another."""
        for shard in self.shards:
            assert shard.edges.expects() == set()
            assert {name: rows for name, rows in shard.tables().items() if rows and name != "out"} == {}

    def state(self, run: IdRun) -> str:
        return self.shards[shard_of_id(run.first)].state(run)

    def failure(self, run: IdRun) -> Failure:
        return self.shards[shard_of_id(run.first)].failure(run)


@pytest.fixture
def cluster(new_store: Callable[[], SqliteStore]) -> Cluster:
    return Cluster([new_store(), new_store()])


__all__ = ["TASK", "Carrier", "Cluster", "Role", "ShardGraph", "StateNumber", "unpack"]
