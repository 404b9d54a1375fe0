"""Random lives of flows against the plainest way to count them: by looking at all their tasks."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import StateNumber
from tq.common.errors import InvalidArgument, StoreError
from tq.common.wire.frames import unpack
from tq.master.flows import flows as module
from tq.master.store.sqlite.store import SqliteStore

from tests.sampling import sampled

from .conftest import FLOWS, Flowing, run_of

IDS: Final = [bytes([number]) * 16 for number in (1, 2, 3)]
STEPS: Final = 60
SUCCEEDED: Final = int(StateNumber.SUCCEEDED)
FAILURES: Final = {int(state) for state in (StateNumber.FAILED, StateNumber.DEAD, StateNumber.LOST)}


class Life:
    def __init__(self, flowing: Flowing, chance: random.Random) -> None:
        self.flowing, self.chance = flowing, chance
        self.members: dict[bytes, list[bytes]] = {}
        self.collects: dict[bytes, bool] = {}
        self.worker = flowing.worker()

    def step(self) -> None:
        flowing, chance = self.flowing, self.chance
        id = chance.choice(IDS)
        known = id in self.members
        match chance.choice(
            ("open", "submit", "submit", "seal", "cancel", "retry", "one", "work", "work", "fail", "time")
        ):
            case "open" if not known:
                self.collects[id] = chance.random() < 0.5
                flowing.open(id, on_error="collect" if self.collects[id] else "fail_fast")
                self.members[id] = []
                for kind in ("then", "catch", "finally"):
                    token = kind.encode().ljust(16, b"-")
                    flowing.client.call(FLOWS, "call_back", id, token, kind, "calls", f"jobs:{kind}", {})
            case "submit" if known:
                run = run_of(chance.choice((1, 1, 3, 10)))
                options = {"expires": 30.0} if chance.random() < 0.2 else {}
                with contextlib.suppress(InvalidArgument):  # it takes no more tasks
                    flowing.submit_ids(run, id, **options)
                    self.members[id] += run.ids()
            case "seal" | "cancel" as method if known:
                flowing.client.call(FLOWS, method, id)
            case "retry" if known:
                shown = flowing.show(id)
                if shown["finished"] is not None:
                    flowing.client.call(FLOWS, "retry", id, shown["run"])
            case "one" if known and self.members[id]:
                task = chance.choice(self.members[id])
                flowing.client.call("get_tasks", chance.choice(("retry", "cancel")), [task])
            case "work":
                flowing.finish(
                    self.worker, lambda task: chance.random() < 0.1, want=chance.choice((1, 4, 20))
                )
            case "fail":
                self.fail_a_commit()
            case "time":
                flowing.bench.advance(chance.choice((1, 40)))

    def fail_a_commit(self) -> None:
        def fail() -> None:
            raise StoreError("the disk says no")

        self.flowing.bench.step(commit=fail)
        self.flowing.bench.advance(1)

    def states(self, id: bytes) -> Counter[int]:
        """Of its tasks, as the store has them."""
        rows = self.flowing.bench.engine.store.find(self.members[id])
        return Counter(row.state for row in rows)

    def compare(self) -> None:
        self.flowing.settle()
        for id in self.members:
            shown, states = self.flowing.show(id), self.states(id)
            failed = sum(states[state] for state in FAILURES)
            cancelled = states[int(StateNumber.CANCELLED)] + states[int(StateNumber.EXPIRED)]
            assert (shown["total"], shown["succeeded"]) == (len(self.members[id]), states[SUCCEEDED])
            assert (shown["failed"], shown["cancelled"]) == (failed, cancelled)
            has_ended = shown["finished"] is not None
            assert has_ended == (shown["state"] in ("succeeded", "failed", "cancelled"))
            if has_ended:
                assert failed + cancelled + states[SUCCEEDED] == len(self.members[id])
                assert (shown["state"] == "succeeded") <= (failed + cancelled == 0)
            elif shown["state"] == "running":  # sealed
                assert failed + cancelled + states[SUCCEEDED] < len(self.members[id])
                unsuccessful = failed + cancelled
                assert self.collects[id] or not unsuccessful or shown["is_ending"] or shown["run"] > 1
            rows = self.flowing.client.call(FLOWS, "members", id)
            listed = [task for _, first, tasks in rows for task in IdRun(first, tasks).ids()]
            assert listed == self.members[id]

    def compare_callbacks(self) -> None:
        """Of each run at most one of each kind, and of the last one exactly those of its end."""
        made: Counter[tuple[str, str, int]] = Counter()
        for row in self.flowing.client.call("get_tasks", "list", {"queue": "calls"}, 2_000):
            task = self.flowing.client.call("get_tasks", "show", row["id"])
            [[summary], _] = unpack(task["payload"])
            made[summary["id"], row["name"].removeprefix("jobs:"), summary["run"]] += 1
        assert set(made.values()) <= {1}
        for id in self.members:
            shown = self.flowing.show(id)
            kinds = {kind for flow, kind, run in made if (flow, run) == (shown["id"], shown["run"])}
            if shown["finished"] is not None:
                assert kinds == {"finally", "then" if shown["state"] == "succeeded" else "catch"}
            else:
                assert kinds == set()


@pytest.mark.parametrize("seed", sampled(range(12), range(4)))
def test_counts_ends_and_callbacks_are_those_of_the_tasks(
    seed: int, make_flowing: Callable[..., Flowing], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WORKED_MAX", 5)
    chance = random.Random(seed)  # noqa: S311
    file = tmp_path / "tq.db"
    life = Life(make_flowing(SqliteStore(file, "memory")), chance)
    for _ in range(STEPS):
        life.step()
        if chance.random() < 0.2:
            life.compare()
        if chance.random() < 0.03:  # the master is killed, at any point, and started again
            life.flowing.bench.engine.store.rollback()
            life.flowing.bench.engine.store.close()
            life.flowing = make_flowing(SqliteStore(file, "memory"), life.flowing.bench.now)
            life.worker = life.flowing.worker()
    life.compare()
    life.compare_callbacks()
