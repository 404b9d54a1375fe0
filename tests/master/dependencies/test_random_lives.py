"""Random lives of graphs of tasks against a plain oracle: submits, ends of every kind, retries, deletions, kills, restarts.

The oracle knows nothing of counters, slices or ranges: of each task it has the state and the list of what it needs, and after each
event it asks for every blocked task again what all of these have come to.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import StateNumber
from tq.common.domain.on_error import required
from tq.common.errors import InvalidArgument
from tq.master.dependencies import dependencies, unwritten

from ..conftest import Bench
from ..new_store import NewStore
from .conftest import DONE, ERROR, Graph

TTL_MS: Final = 1_000
EVENTS: Final = (
    *("submit", "all", "all", "each", "each", "lease", "lease", "finish", "finish", "finish", "fail"),
    *("cancel", "retry", "purge", "age", "kill", "kill before commit", "disk", "finish and kill"),
)
event = st.tuples(st.sampled_from(EVENTS), st.integers(0, 2**32), st.integers(0, 2**32))
life = st.lists(event, min_size=1, max_size=40)
READY, BLOCKED, RUNNING = StateNumber.READY, StateNumber.BLOCKED, StateNumber.RUNNING


class Oracle:
    def __init__(self) -> None:
        self.states: dict[bytes, int] = {}
        self.needs: dict[bytes, tuple[list[bytes], int]] = {}  # and how many must succeed

    def decided(self, id: bytes) -> int:
        needs, minimum = self.needs.get(id, ([], 0))
        states = [self.states.get(one, -1) for one in needs]
        missed = sum(state == -1 or state > 10 for state in states)
        if len(needs) - missed < minimum:
            return StateNumber.FAILED
        return BLOCKED if any(0 <= state < 10 for state in states) else READY

    def settle(self) -> None:
        is_changed = True
        while is_changed:
            is_changed = False
            for id in [id for id, state in self.states.items() if state == BLOCKED]:
                if (state := self.decided(id)) != BLOCKED:
                    self.states[id], is_changed = state, True

    def kept(self) -> set[bytes]:
        """What tasks that have not ended need."""
        return {one for id, (needs, _) in self.needs.items() if self.states.get(id, 99) < 10 for one in needs}


class Life:
    def __init__(self) -> None:
        self.store = NewStore()
        self.graph = Graph(Bench(self.store, result_ttl_ms=TTL_MS))
        self.oracle = Oracle()
        self.runs: list[IdRun] = []

    def chosen(self, number: int, run: bool = False) -> Any:
        return self.runs[number % len(self.runs)] if run else self.ids()[number % len(self.ids())]

    def ids(self) -> list[bytes]:
        return list(self.oracle.states)

    def happens(self, what: str, one: int, other: int) -> None:
        if what in ("submit", "all", "each"):
            self.submit(what, one, other)
        elif what == "lease":
            for id in self.graph.lease(1 + one % 5):
                assert self.oracle.states[id] == READY
                self.oracle.states[id] = RUNNING
        elif what in ("finish", "fail") and self.graph.held:
            ids = sorted(self.graph.held)
            some = ids[one % len(ids) :][: 1 + other % 4]
            self.graph.finish(*some, outcome=DONE if what == "finish" else ERROR)
            for id in some:
                if what == "finish":
                    self.oracle.states[id] = StateNumber.SUCCEEDED
                else:
                    self.oracle.states[id] = StateNumber.FAILED
        elif what in ("cancel", "retry") and self.oracle.states:
            self.by_hand(what, self.chosen(one))
        elif what == "purge" and self.oracle.states:
            self.purge(self.chosen(one))
        elif what == "age":
            self.age()
        elif what == "finish and kill" and self.graph.held:
            self.happens("finish" if other % 2 else "fail", one, other)
            self.graph.restart(result_ttl_ms=TTL_MS)  # what follows from it is done afterwards
        elif what == "kill":
            self.graph.restart(result_ttl_ms=TTL_MS)
        elif what == "kill before commit" and self.graph.held:
            ids = sorted(self.graph.held)
            rows = [[id, *self.graph.held[id], DONE, b"\xc0", 0.0, 0.5, None] for id in ids[: 1 + one % 3]]
            self.graph.worker.ask("get_dispatcher", "finish", rows)
            self.graph.bench.engine.run(self.graph.bench.now)
            self.store.rollback()
            self.graph.restart(result_ttl_ms=TTL_MS)
        elif what == "disk" and self.oracle.states:
            self.graph.client.ask("get_tasks", "cancel", [self.chosen(one)])
            self.graph.bench.engine.run(self.graph.bench.now)
            self.store.rollback()
            self.graph.restart(result_ttl_ms=TTL_MS)

    def submit(self, what: str, one: int, other: int) -> None:
        options: dict[str, Any] = {} if other % 3 else {"on_error": ["collect", 1][other % 2]}
        tasks = 1 + one % 4
        if what == "submit" or not self.runs:
            self.made(self.graph.submit(tasks), None, options)
            return
        needed = self.chosen(other, run=True)
        if what == "all":
            more = self.chosen(one, run=True)
            runs = [needed] if more == needed else [needed, more]
            self.refused_or_made(
                runs, options, lambda: self.graph.submit(needs=list(runs), **options), each=False
            )
        else:
            self.refused_or_made(
                [needed], options, lambda: self.graph.submit(needed.length, each=needed, **options), each=True
            )

    def refused_or_made(self, runs: list[IdRun], options: dict[str, Any], submit: Any, *, each: bool) -> None:
        ids = [id for run in runs for id in run.ids()]
        if any(id not in self.oracle.states for id in ids):
            with pytest.raises(InvalidArgument, match="no task has the id"):
                submit()
            return
        self.made(submit(), [[id] for id in ids] if each else [ids], options)

    def made(self, run: IdRun, needs: list[list[bytes]] | None, options: dict[str, Any]) -> None:
        self.runs.append(run)
        for place, id in enumerate(run.ids()):
            self.oracle.states[id] = READY if needs is None else BLOCKED
            if needs is not None:
                minimum = required(options.get("on_error", "fail"), len(needs[place]))
                self.oracle.needs[id] = needs[place], minimum

    def by_hand(self, what: str, id: bytes) -> None:
        [[_, state]] = self.graph.client.call("get_tasks", what, [id])
        before = self.oracle.states[id]
        if what == "cancel" and before < RUNNING:
            self.oracle.states[id] = StateNumber.CANCELLED
        elif what == "cancel" and before == RUNNING:
            rows = [[id, *self.graph.held.pop(id), 7, None, 0.0, 0.5, None]]
            self.graph.worker.call("get_dispatcher", "finish", rows)
            self.oracle.states[id] = StateNumber.CANCELLED
        elif what == "retry" and before > 10:
            decided = self.oracle.decided(id)
            self.oracle.states[id] = before if decided == StateNumber.FAILED else decided
            assert state == self.oracle.states[id]

    def purge(self, id: bytes) -> None:
        before = self.oracle.states[id]
        kept = before == RUNNING or (before > RUNNING and id in self.oracle.kept())
        gone = self.graph.client.call("get_tasks", "purge", {"ids": [id, 1]})["tasks"]
        if gone:
            del self.oracle.states[id]
            assert not kept
        else:  # its neighbours are needed by neighbours of one that needed it
            assert kept or id in {one for needs, _ in self.oracle.needs.values() for one in needs}

    def age(self) -> None:
        self.graph.bench.advance(11)
        for _ in range(20):
            self.graph.bench.step()
        there = dict(zip(self.ids(), self.all_states(), strict=True))
        gone = {id for id, state in there.items() if state == -1}
        assert not gone & self.oracle.kept()
        for id in gone:
            assert self.oracle.states.pop(id) >= 10

    def all_states(self) -> list[int]:
        ids = self.ids()
        return [row[1] for row in self.graph.client.call("get_tasks", "states", ids)] if ids else []

    def check(self) -> None:
        while self.graph.bench.engine.has_work:
            self.graph.bench.step()
        self.oracle.settle()
        stored = {one.id: one.state for one in self.store.find(self.ids())}
        assert stored == self.oracle.states
        for row in self.store.dependencies.open():
            ids = [
                id for id in IdRun(row.id, row.stop - row.seq).ids() if self.oracle.states.get(id, 99) < 10
            ]
            assert row.open == len(ids)
            assert not row.ripe
            if not row.each and self.oracle.states[row.id] == BLOCKED:
                needs = [self.oracle.states.get(one, -1) for one in self.oracle.needs[row.id][0]]
                assert row.left == sum(0 <= state < 10 for state in needs)
                assert row.missed == sum(state > 10 or state < 0 for state in needs)
        counts: dict[str, int] = {}
        for state in self.oracle.states.values():
            counts[str(StateNumber(state))] = counts.get(str(StateNumber(state)), 0) + 1
        assert self.graph.counts() == counts


@given(life=life, portion=st.sampled_from([1, 3, 1_000]))
def test_a_graph_of_tasks_is_what_a_plain_oracle_says_whatever_happens(
    life: list[tuple[str, int, int]], portion: int
) -> None:
    before = dependencies.DECIDED_MAX, unwritten.WRITTEN_MAX, unwritten.BEHIND_MAX
    dependencies.DECIDED_MAX = portion  # type: ignore[misc]
    unwritten.WRITTEN_MAX = portion  # type: ignore[misc]
    unwritten.BEHIND_MAX = portion  # type: ignore[misc]
    running = Life()
    try:
        for one in life:
            running.happens(*one)
            running.check()
    finally:
        dependencies.DECIDED_MAX, unwritten.WRITTEN_MAX, unwritten.BEHIND_MAX = before  # type: ignore[misc]
        running.store.close()
