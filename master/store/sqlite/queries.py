"""The embedded store's verbs for reading tasks: see ``interface.queries.QueryStore``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from ....common.domain.id_runs import IdRun, runs_of
from ..interface.queries import (
    ATTEMPT_MAX,
    Ahead,
    AttemptRow,
    Facts,
    Found,
    FullTask,
    ReadyRow,
    StoredOutcome,
    TaskFilter,
)
from ..interface.store import Inconsistent
from .executor import StatementExecutor
from .listing import conditions
from .slice_table import are_unsuccessful
from .slice_views import SliceViews

R = TypeVar("R", Found, StoredOutcome)


class SqliteQueries(StatementExecutor):
    views: SliceViews

    def find(self, ids: Iterable[bytes]) -> list[Found]:
        self.settle()
        return [found for run in runs_of(ids) for found in self._find(run)]

    def _find(self, run: IdRun) -> Iterable[Found]:
        if run.length == 1:
            rows = self._all("find", (run.first,))
            return [Found(*rows[0])] if rows else self.views.find(run).values()
        # A range of ids in one statement: one for each would take longer than all else.
        alone = {row[1]: Found(*row) for row in self._all("find_between", run.ends())}
        # All have rows of their own: no look at the slices for each of them.
        in_slices = self.views.find(run) if len(alone) < run.length else {}
        return _in_order(run, alone, in_slices)

    def payload(self, seq: int) -> bytes:
        rows = self._all("payload", (seq,))
        return bytes(rows[0][0]) if rows else self.views.payload(seq)

    def unfinished_sizes(self, routes: Sequence[int]) -> Iterator[tuple[int, bytes, int]]:
        self.settle()
        given = {"routes": json.dumps(routes)}
        yield from self._all("unfinished_sizes", given)
        for route, seq, stop, number in self._all("unfinished_slices", given):
            for id, payload in self.views.payloads(number, seq, stop):
                yield route, id, len(payload)

    def outcomes(self, ids: Iterable[bytes]) -> list[StoredOutcome]:
        self.settle()
        return [outcome for run in runs_of(ids) for outcome in self._outcomes(run)]

    def _outcomes(self, run: IdRun) -> Iterable[StoredOutcome]:
        if run.length == 1:
            rows = self._all("outcome", (run.first,))
            return [StoredOutcome(*rows[0])] if rows else self.views.outcomes(run).values()
        alone = {row[0]: StoredOutcome(*row) for row in self._all("outcomes_between", run.ends())}
        return _in_order(run, alone, self.views.outcomes(run))

    def facts(self, seqs: Sequence[int]) -> dict[int, Facts]:
        found = {row[0]: Facts(*row) for row in self._all("facts", (json.dumps(list(seqs)),))}
        if left := set(seqs) - found.keys():
            found |= self.views.facts(left)
        if missing := left - found.keys():
            raise Inconsistent(f"the store has no task {min(missing)}")
        return found

    def full(self, id: bytes) -> FullTask | None:
        self.settle()
        rows = self._all("full", (id,))
        return FullTask(*rows[0]) if rows else self.views.full(id)

    def attempts(self, seq: int, limit: int, before: int = ATTEMPT_MAX) -> list[AttemptRow]:
        return [AttemptRow(*row) for row in reversed(self._all("attempts", (seq, before, limit)))]

    def attempts_before(self, seq: int, attempt: int) -> int:
        return int(self._all("attempts_before", (seq, attempt))[0][0])

    def outcome_of_lease(self, seq: int, lease: bytes) -> int | None:
        rows = self._all("outcome_of_lease", (seq, lease))
        return rows[0][0] if rows else None

    def created(self, seqs: Iterable[int]) -> list[int]:
        return [self._created(seq) for seq in seqs]

    def _created(self, seq: int) -> int:
        rows = self._all("created", (seq,))
        return int(rows[0][0]) if rows else self.views.created(seq)

    def listing(self, what: TaskFilter, limit: int) -> list[FullTask]:
        self.settle()
        each = (
            [replace(what, states=(state,)) for state in set(what.states)]
            if are_unsuccessful(what.states)
            else [what]
        )
        alone = [FullTask(*row) for one in each for row in self._listed(one, limit)]
        together = self.views.listed(what, limit)
        # Both were asked for as many: which of them are the newest is seen only together.
        return sorted(alone + together, key=lambda task: -task.seq)[:limit]

    def _listed(self, what: TaskFilter, limit: int) -> list[tuple[Any, ...]]:
        where, values = conditions(what)
        return self._run(self._sql["listing"].replace("/*conditions*/", where), (*values, limit))

    # what operators ask; each visits a bounded number of rows

    def count_ahead(self, route: int, priority: int, seq: int, limit: int) -> Ahead:
        self.settle()
        given = {"route": route, "priority": priority, "seq": seq, "limit": limit}
        slices = self._all("slices_ahead", given)
        [(alone,)] = self._all("count_ahead", {**given, "limit": limit - len(slices)})
        return Ahead(alone + sum(stop - first for first, stop in slices), alone + len(slices))

    def ready_in(self, route: int, limit: int) -> list[ReadyRow]:
        self.settle()
        rows = self._all("ready_slices_in", (route, limit))
        rows += self._all("ready_in", (route, limit - len(rows)))
        return list(map(ReadyRow._make, rows))

    def brief(self, seq: int) -> FullTask | None:
        rows = self._all("brief", (seq,))
        return FullTask(*rows[0]) if rows else self.views.brief(seq)

    def oldest_ready(self, route: int) -> int | None:
        self.settle()
        moments = [
            *(created for (created,) in self._all("oldest_ready", {"route": route})),
            *(self.views.created(seq) for (seq,) in self._all("oldest_ready_slice", {"route": route})),
        ]
        return min(moments, default=None)


def _in_order(run: IdRun, alone: Mapping[bytes, R], in_slices: Mapping[bytes, R]) -> Iterable[R]:
    """By their ids; a task has a row, or is in a slice."""
    if not alone:
        return in_slices.values()
    found = ((alone.get(id) or in_slices.get(id)) for id in run.ids())
    return [one for one in found if one is not None]
