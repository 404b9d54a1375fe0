"""Attempts that ended alike are decided together, and everything is as if each had been decided by itself."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import TASK_ID_BYTES
from tq.common.domain.model import OutcomeNumber, Role
from tq.common.values.failure import Failure
from tq.master.observe.meters import count
from tq.master.tasks import unsuccessful
from tq.master.tasks.completion import Completion

from ..conftest import Bench, Peer
from ..leased import each

TASKS = "m:f", "m:g"
# But what the copy of a database says of itself.
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'working_copy' ORDER BY 1"
FAILURES = [
    Failure("ValueError", "no", 'File "f.py", line 3, in f').encode(),
    Failure("OSError", "away").encode(),
    None,
]
ENDS = [OutcomeNumber.ERROR] * 4 + [
    one for one in OutcomeNumber if one not in (OutcomeNumber.LOST, OutcomeNumber.BECAME)
]
OPTIONS: list[dict[str, Any]] = [
    {"retries": 2, "backoff": 3.0},
    {"retries": 1, "result": "none"},
    {"max_crashes": 2},
    {"delivery": "at_most_once"},
]


class Life:
    """Maps whose tasks end in every way, in portions of a worker, until the dice say that it is enough."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench, self.random = bench, Random(seed)  # noqa: S311
        completion = bench.engine.part(Completion)
        completion.unsuccessful._random = Random(seed).random  # noqa: S311
        end_alike, self.sizes = (
            completion.unsuccessful._end_alike,
            list[int](),
        )  # of the groups that were decided

        def noted(attempts: Any, *rest: Any) -> Any:
            self.sizes.append(len(attempts))
            return end_alike(attempts, *rest)

        completion.unsuccessful._end_alike = noted  # type: ignore[method-assign] # looked at from outside
        self.meters = count(bench.engine)
        self.client = Peer(bench, Role.CLIENT, b"c" * 16, ())
        self.workers = [bench.worker(*TASKS, node=bytes([number]) * 16, slots=20) for number in (1, 2)]
        self.ids: list[bytes] = []
        self.held: list[tuple[Peer, list[Any]]] = []
        self.asked: list[tuple[Peer, int]] = []

    def live(self) -> None:
        for _ in range(3):
            self.submit()
            self.lease()
        for _ in range(30):
            self.random.choice(
                (self.submit, self.lease, self.lease, self.finish, self.finish, self.cancel, self.wait)
            )()

    def submit(self) -> None:
        first = (len(self.ids) + 1) << 20
        run = IdRun(first.to_bytes(TASK_ID_BYTES, "big"), self.random.choice((1, 30, 30)))
        self.ids += run.ids()
        payloads = [b"payload"] * run.length
        options = self.random.choice(OPTIONS)
        tasks = [[run.first, payloads if run.length > 1 else payloads[0]]]
        self.client.call("get_task_queue/q", "submit", self.random.choice(TASKS), options, tasks)

    def lease(self) -> None:
        worker = self.random.choice(self.workers)
        self.asked.append((worker, worker.ask("get_dispatcher", "lease", self.random.choice((1, 7, 20)))))
        self.bench.step()
        # An answer may come later, when there is something to give.
        for whose, call in list(self.asked):
            if call in whose.answers:
                self.asked.remove((whose, call))
                lease, groups = whose.answer(call)
                self.held += [(whose, [entry[0], entry[1], lease]) for entry in each(groups)]

    def finish(self) -> None:
        """Of one worker some, mostly alike and in order; sometimes twice in one report."""
        worker = self.random.choice([whose for whose, _ in self.held] or self.workers)
        mine = [held for whose, held in self.held if whose is worker]
        some = mine[: self.random.choice((1, 5, 20))]
        self.held = [(whose, held) for whose, held in self.held if held not in some]
        outcome, body = self.random.choice(ENDS), self.random.choice(FAILURES)
        rows = []
        for held in some:
            if self.random.random() < 0.1:
                outcome, body = self.random.choice(ENDS), self.random.choice(FAILURES)
            after = 4.0 if outcome in (OutcomeNumber.SNOOZE, OutcomeNumber.RETRY) else None
            rows.append([*held, int(outcome), body, 0.0, self.random.random(), after])
        if rows and self.random.random() < 0.2:
            rows.append(list(rows[0]))
        worker.call("get_dispatcher", "finish", rows)

    def cancel(self) -> None:
        if self.ids:
            self.client.call("get_tasks", "cancel", self.random.sample(self.ids, 1))

    def wait(self) -> None:
        self.bench.advance(self.random.choice((0.5, 5)))
        if self.random.random() < 0.2 and self.held:
            worker = self.held[0][0]
            worker.call("get_dispatcher", "release", [held for whose, held in self.held if whose is worker])
            self.held = [(whose, held) for whose, held in self.held if whose is not worker]

    def left(self) -> tuple[Any, ...]:
        """All that it has left: rows, counts, causes, lines of the log."""
        store: Any = self.bench.engine.store
        tables = [name for (name,) in store._db.execute(TABLES)]
        rows = {name: sorted(store._db.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}  # noqa: S608
        meters = self.meters
        counted = meters.started, meters.unsuccessful, meters.retried, meters.finished, meters.stale
        return rows, [dict(one) for one in counted[:4]], counted[4], self.bench.reports


@pytest.mark.parametrize("seed", range(6))
def test_attempts_that_are_decided_together_leave_what_they_leave_one_by_one(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    together = Life(make_bench(), seed)
    together.live()
    monkeypatch.setattr(unsuccessful, "_kind", lambda one: object())
    alone = Life(make_bench(), seed)
    alone.live()
    assert max(together.sizes) > 1 == max(alone.sizes)
    for one, other in zip(together.left(), alone.left(), strict=True):
        assert one == other
