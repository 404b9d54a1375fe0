"""A master in which schedules are made, and time that tests let pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.domain.schedule import ScheduleDefinition
from tq.master.keys.keyring import Keyring
from tq.master.store.sqlite.store import SqliteStore

from ..conftest import Bench, Peer

SCHEDULES = "get_schedules"
TASK = "jobs:report"


def definition(**fields: Any) -> dict[str, Any]:
    if "cron" not in fields:
        fields.setdefault("every", 60.0)
    return ScheduleDefinition(**{"task": TASK, **fields}).to_wire()


class Scheduling:
    """A bench whose peers' keys are the master's, so that schedules may act by them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.client = self.peer()

    def peer(self, role: Role = Role.CLIENT, queues: tuple[str, ...] = ()) -> Peer:
        peer = self.bench.client(queues, role)
        self.bench.engine.part(Keyring).add_unstored(peer.session.verifier)
        return peer

    def worker(self, *tasks: str) -> Peer:
        worker = self.bench.worker(*(tasks or (TASK,)))
        self.bench.engine.part(Keyring).add_unstored(worker.session.verifier)
        return worker

    def add(self, name: str = "s", **fields: Any) -> dict[str, Any]:
        return self.client.call(SCHEDULES, "add", name, definition(**fields))

    def show(self, name: str = "s") -> dict[str, Any]:
        return self.client.call(SCHEDULES, "show", name, 1_100)

    def history(self, name: str = "s") -> list[tuple[float, str]]:
        """Instant and state, oldest first."""
        return [(row[0], row[4]) for row in reversed(self.show(name)["history"])]

    def tasks(self) -> list[bytes]:
        """Of the whole cluster, oldest first."""
        return [row["id"] for row in reversed(self.client.call("get_tasks", "list", {}, 2_000))]

    def run(self, worker: Peer, want: int = 100) -> list[bytes]:
        """Have a worker do what is ready; the ids."""
        call = worker.ask("get_dispatcher", "lease", want)
        self.bench.step()
        if call not in worker.answers:
            worker.bench.engine.abandoned(worker.session, call)
            return []
        lease, groups = worker.answer(call)
        rows = [[entry[0], entry[1], lease] for group in groups for entry in group[3]]
        worker.call("get_dispatcher", "finish", [[*row, 0, b"r", 0.0, 0.5, None] for row in rows])
        return [row[0] for row in rows]

    def pass_time(self, seconds: float) -> None:
        """At once, as if the master had not run meanwhile; then what is due is done."""
        ms = int(seconds * 1000)
        now = self.bench.now
        self.bench.now = now._replace(wall=now.wall + ms, mono=now.mono + ms)
        for session in self.bench.engine.sessions:
            self.bench.engine.presence.seen(session, self.bench.now)
        self.settle()

    def settle(self) -> None:
        while True:
            self.bench.step()
            wakeup = self.bench.engine.next_wakeup()
            if not self.bench.engine.has_work and (wakeup is None or wakeup > self.bench.now.mono):
                return

    @property
    def wall(self) -> float:
        return self.bench.now.wall / 1000


@pytest.fixture
def scheduling(bench: Bench) -> Scheduling:
    return Scheduling(bench)


@pytest.fixture
def make_scheduling(make_bench: Callable[..., Bench]) -> Callable[..., Scheduling]:
    def make(store: SqliteStore | None = None, now: Any = None) -> Scheduling:
        bench = make_bench(store)
        if now is not None:
            bench.now = now
            bench.engine.start(now)
        return Scheduling(bench)

    return make
