"""What must be so of needs between shards, whatever befalls masters, stores and what carries rows between them.

::

    X1  a task runs when all that it needs has ended, and not before
    X2  it gets what that ended with, of each in the order in which it is needed; and enough of it has succeeded
    X3  it fails because of what it needs only if something of that did not succeed, or is gone
    X4  what another shard needs is not deleted
    X5  in the end every task has ended, and no shard keeps or expects anything of another
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import StateNumber
from tq.common.domain.on_error import Verdict, required, verdict
from tq.common.values.failure import DEPENDENCY, Failure
from tq.master.edges.edges import Edges

from ..history.loading import every_task
from .oracle import Broken
from .shard_process import ShardProcess

UNKNOWN = -1
SUCCEEDED = int(StateNumber.SUCCEEDED)
End = tuple[int, bytes | None]  # state, result or failure


class Dependent(NamedTuple):
    """One task, what it needs in its order, and its option."""

    needs: Sequence[bytes]
    on_error: str | int


class EdgeLaws:
    """``ends``: all that each task has ended with so far; ``gone``: those that were there once and are not any more, or never were."""

    def __init__(self, processes: Sequence[ShardProcess]) -> None:
        self._processes = processes
        self.dependents: dict[bytes, Dependent] = {}
        self.ends: dict[bytes, set[End]] = {}
        self.there: dict[bytes, int] = {}  # the state of each task
        self.gone: set[bytes] = set()
        self._promised: list[tuple[bytes, bytes]] = []  # the first and last of each run, at the last look

    def look(self) -> None:
        """After each event."""
        now: dict[bytes, int] = {}
        for process in self._processes:
            for id, state, _, body in every_task(process.store._run):
                now[id] = state
                if state >= SUCCEEDED:
                    self.ends.setdefault(id, set()).add((state, body))
        for id in self.there.keys() - now.keys():
            self.gone.add(id)
            if any(first <= id <= last for first, last in self._promised):
                raise Broken("X4", "a task that another shard needs was deleted", id)
        self.there = now
        promises = (promise for process in self._processes for promise in process.store.edges.promises())
        self._promised = [promise.run.ends() for promise in promises]

    def restored(self) -> None:
        """A store is an older copy of itself: what it has lost is gone, and was not deleted."""
        now = {id for process in self._processes for id, *_ in every_task(process.store._run)}
        for id in self.there.keys() - now:
            self.gone.add(id)
            del self.there[id]

    def leased(self, id: bytes, seen: Iterable[tuple[bytes, int, bytes | None]]) -> None:
        """A task that needs others was given out, with these outcomes of them."""
        dependent, outcomes = self.dependents[id], list(seen)
        if [one for one, _, _ in outcomes] != list(dependent.needs):
            raise Broken(
                "X2",
                f"given were {len(outcomes)} outcomes of {len(dependent.needs)}, or in another order",
                id,
            )
        missed = 0
        for one, state, body in outcomes:
            missed += state != SUCCEEDED
            if state == UNKNOWN and one in self.gone:
                continue
            if one not in self.ends:
                raise Broken("X1", "a task runs, and what it needs has never ended", id)
            if 0 <= state < SUCCEEDED and body is None:
                continue  # of the same shard: retried by hand since
            if (state, body) not in self.ends[one]:
                raise Broken("X2", f"given was state {state}, which is not how that has ended", id)
        needed = len(dependent.needs)
        if verdict(needed, 0, missed, required(dependent.on_error, needed)) is not Verdict.RUN:
            raise Broken("X2", f"a task runs, and {missed} of the {needed} that it needs did not succeed", id)

    def judge(self) -> None:
        """All has ended."""
        if waiting := [id for id, state in self.there.items() if state < SUCCEEDED]:
            raise Broken("X5", f"{len(waiting)} tasks have not ended", waiting[0])
        for id, dependent in self.dependents.items():
            for state, body in self.ends.get(id, ()):
                if state == StateNumber.FAILED and _is_of_a_need(body):
                    self._may_fail(id, dependent)
        for process in self._processes:
            bench, edges = process.bench, process.store.edges
            assert bench is not None
            if expected := bench.engine.part(Edges).expects():
                raise Broken("X5", f"shard {process.number} still expects something of {sorted(expected)}")
            if edges.needs() or edges.promises():
                raise Broken("X5", f"shard {process.number} keeps what no one needs any more")

    def _may_fail(self, id: bytes, dependent: Dependent) -> None:
        missed = sum(one in self.gone or not self._only_succeeded(one) for one in dependent.needs)
        if len(dependent.needs) - missed >= required(dependent.on_error, len(dependent.needs)):
            raise Broken("X3", "a task has failed because of what it needs, of which enough succeeded", id)

    def _only_succeeded(self, id: bytes) -> bool:
        return {state for state, _ in self.ends.get(id, ())} == {SUCCEEDED}


def _is_of_a_need(body: bytes | None) -> bool:
    return Failure.decode(body).detail.get("outcome") == DEPENDENCY


def ids_of(runs: Iterable[IdRun]) -> list[bytes]:
    return [id for run in runs for id in run.ids()]
