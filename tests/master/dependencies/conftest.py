"""Tasks that need others, as a client submits them and a worker runs them."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import id_behind, new_ids
from tq.common.domain.model import Role, StateNumber
from tq.common.values.codec import encode
from tq.common.values.failure import Failure
from tq.master.dependencies.dependencies import Dependencies
from tq.master.tasks.routes import Routes

from ..conftest import Bench, Peer
from ..leased import each

TASK = "jobs:work"
DONE, ERROR = 0, 1


class Graph:
    """A bench with one client and one worker."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.held: dict[bytes, tuple[int, bytes]] = {}
        self.payloads: dict[bytes, bytes] = {}
        self.connect()

    def connect(self, node: bytes | None = None, held: list[Any] | None = None) -> None:
        self.client = self.bench.client(role=Role.ADMIN)
        self.worker = self.bench.worker(TASK, node=node, held=held)

    def submit(
        self,
        tasks: int = 1,
        *,
        needs: list[bytes | IdRun] | None = None,
        each: IdRun | None = None,
        first: bytes | None = None,
        queue: str = "default",
        client: Peer | None = None,
        **options: Any,
    ) -> IdRun:
        run = IdRun(first or new_ids.many(tasks)[0], tasks)
        row = self.row(run, needs, each)
        (client or self.client).call(("get_task_queue", queue), "submit", TASK, options, [row])
        return run

    def row(
        self, run: IdRun, needs: list[bytes | IdRun] | None = None, each: IdRun | None = None
    ) -> list[Any]:
        """Of a submit."""
        payloads = [encode([[place], {}]) for place in range(run.length)]
        row: list[Any] = [run.first, payloads if run.length > 1 else payloads[0]]
        if needs is not None:
            row.append(
                [0, [IdRun(one, 1).to_wire() if isinstance(one, bytes) else one.to_wire() for one in needs]]
            )
        elif each is not None:
            row.append([1, [each.to_wire()]])
        return row

    def lease(self, want: int = 1_000) -> list[bytes]:
        call = self.worker.ask("get_dispatcher", "lease", want)
        self.bench.step()
        if call not in self.worker.answers:
            self.bench.engine.abandoned(self.worker.session, call)
            return []
        lease, groups = self.worker.answer(call)
        entries = each(groups)
        for id, attempt, payload, *_ in entries:
            self.held[id] = attempt, lease
            self.payloads[id] = payload
        return [entry[0] for entry in entries]

    def finish(self, *ids: bytes, outcome: int = DONE, value: Any = None) -> None:
        rows = []
        for id in ids:
            body = encode(value) if outcome == DONE else Failure("ValueError", "no such page").encode()
            rows.append([id, *self.held.pop(id), outcome, body, 0.0, 0.5, None])
        assert self.worker.call("get_dispatcher", "finish", rows) == []

    def run_all(self) -> list[bytes]:
        ran = self.lease()
        if ran:
            self.finish(*ran)
        return ran

    def states(self, run: IdRun) -> list[str]:
        rows = self.client.call("get_tasks", "states", [run.to_wire()])
        return [str(StateNumber(state)) if state >= 0 else "unknown" for _, state in rows]

    def state(self, run: IdRun) -> str:
        [state] = self.states(run)
        return state

    def failure(self, run: IdRun) -> Failure:
        shown = self.client.call("get_tasks", "show", run.first)
        return Failure.decode(shown["result"])

    def counts(self) -> dict[str, int]:
        """Of all routes, as memory has them."""
        counted: dict[str, int] = {}
        for route in self.bench.engine.part(Routes):
            for state in StateNumber:
                if route.counts[state]:
                    counted[str(state)] = counted.get(str(state), 0) + route.counts[state]
        return counted

    def restart(self, **limits: int) -> None:
        """Another master over the same store; the worker goes on with what it has."""
        now, node = self.bench.now, self.worker.session.node
        self.bench = Bench(self.bench.engine.store, now=now, **limits)  # type: ignore[arg-type]
        self.connect(node, [[id, *held] for id, held in self.held.items()])

    @property
    def part(self) -> Dependencies:
        return self.bench.engine.part(Dependencies)


def one(run: IdRun, place: int) -> IdRun:
    return IdRun(id_behind(run.first, place), 1)


@pytest.fixture
def graph(bench: Bench) -> Graph:
    return Graph(bench)
