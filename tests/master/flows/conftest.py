"""A master in which flows are opened, filled and run."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import OutcomeNumber
from tq.common.values.failure import Failure
from tq.master.store.sqlite.store import SqliteStore

from ..conftest import Bench, Peer
from ..schedules.conftest import TASK, Scheduling

FLOWS = "get_flows"
FLOW = b"f" * 16
FAILURE = Failure("ValueError", "no").encode()
ids = itertools.count(1)


def run_of(tasks: int) -> IdRun:
    return IdRun((next(ids) << 32).to_bytes(16, "big"), tasks)


class Flowing(Scheduling):
    """A bench with a client that opens flows, and workers that do their tasks."""

    def open(self, id: bytes = FLOW, **options: Any) -> dict[str, Any]:
        return self.client.call(FLOWS, "open", id, **options)

    def submit(self, tasks: int = 1, flow: bytes | None = FLOW, **options: Any) -> IdRun:
        run = run_of(tasks)
        self.submit_ids(run, flow, **options)
        return run

    def submit_ids(
        self, run: IdRun, flow: bytes | None = FLOW, peer: Peer | None = None, **options: Any
    ) -> int:
        queue = options.pop("queue", "default")
        rows = [[run.first, [b"p"] * run.length]]
        client = peer or self.client
        return client.call(("get_task_queue", queue), "submit", TASK, options, rows, flow=flow)

    def show(self, flow: bytes = FLOW) -> dict[str, Any]:  # type: ignore[override]
        return self.client.call(FLOWS, "show", flow)

    def counts(self, flow: bytes = FLOW) -> tuple[str, int, int, int, int]:
        shown = self.show(flow)
        return shown["state"], shown["total"], shown["succeeded"], shown["failed"], shown["cancelled"]

    def finish(
        self, worker: Peer, failing: Callable[[bytes], bool] = lambda task: False, want: int = 1_000
    ) -> int:
        """Have a worker do what is ready; how many tasks."""
        call = worker.ask("get_dispatcher", "lease", want)
        self.bench.step()
        if call not in worker.answers:
            worker.bench.engine.abandoned(worker.session, call)
            return 0
        lease, groups = worker.answer(call)
        rows = []
        for entry in (entry for group in groups for entry in group[3]):
            length = len(entry[2]) if isinstance(entry[2], list) else 1
            for id in IdRun(entry[0], length).ids():
                good = not failing(id)
                outcome = int(OutcomeNumber.SUCCESS if good else OutcomeNumber.ERROR)
                rows.append([id, entry[1], lease, outcome, b"r" if good else FAILURE, 0.0, 0.5, None])
        worker.call("get_dispatcher", "finish", rows)
        return len(rows)


@pytest.fixture
def flowing(bench: Bench) -> Flowing:
    return Flowing(bench)


@pytest.fixture
def make_flowing(make_bench: Callable[..., Bench]) -> Callable[..., Flowing]:
    def make(store: SqliteStore | None = None, now: Any = None) -> Flowing:
        bench = make_bench(store)
        if now is not None:
            bench.now = now
            bench.engine.start(now)
        return Flowing(bench)

    return make
