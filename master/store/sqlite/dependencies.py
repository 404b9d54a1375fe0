"""The embedded store's verbs for tasks that need other tasks: see ``interface.dependencies.DependencyStore``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from heapq import merge

from ....common.domain.id_runs import IdRun
from ....common.domain.ids import id_behind
from ..interface.dependencies import (
    BecomingRow,
    DependentProgress,
    DependentRow,
    Fallen,
    ParentRow,
    RunTimes,
    StateSpan,
    Unblocked,
)
from .counts import SqliteCounts
from .executor import StatementExecutor
from .part import SqlitePart
from .slices import SqliteSlices


class SqliteDependencies(SqlitePart):
    # Most clusters have no such tasks: each verb then costs no statement. Never
    # reset to False: a rollback leaves it too true only.
    _are_there: bool | None = None  # None: not looked at yet
    _have_parents: bool | None = None
    _have_becomings: bool | None = None

    @property
    def are_there(self) -> bool:
        if self._are_there is None:
            self._are_there = bool(self._all("any_dependent")[0][0])
        return self._are_there

    def add(self, rows: Sequence[DependentRow]) -> None:
        self._are_there = True
        # Without ``needs``, which are rows of their own.
        self._many("add_dependent", [row[:-1] for row in rows])
        needs = [(row.seq, place, *run) for row in rows for place, run in enumerate(row.needs)]
        self._many("add_need", needs)

    def open(self) -> list[DependentRow]:
        if not self.are_there:
            return []
        needs = defaultdict[int, list[IdRun]](list)
        for seq, first, length in self._all("open_needs"):
            needs[seq].append(IdRun(first, length))
        return [DependentRow(*row)._replace(needs=needs[row[0]]) for row in self._all("open_dependents")]

    def of(self, seq: int) -> DependentRow | None:
        rows = self._all("dependent_upto", (seq,)) if self.are_there else []
        # The nearest row below may be of an array that ends before this task.
        if not rows or seq >= rows[0][1]:
            return None
        needs = [IdRun(*run) for run in self._all("needs_of", (rows[0][0],))]
        return DependentRow(*rows[0])._replace(needs=needs)

    def advance(self, rows: Sequence[DependentProgress]) -> None:
        self._many("advance_dependent", rows)  # some may be deleted by now

    def states(self, run: IdRun) -> list[StateSpan]:
        if run.length == 1 and (found := self._all("state_of", (run.first,))):
            return [StateSpan(run.first, 1, *found[0])]
        alone = (StateSpan(id, 1, *rest) for id, *rest in self._all("states_between", run.ends()))
        spans: list[StateSpan] = []
        # Both come in order of ids, so that neighbours in one state meet here whatever table they stand in.
        for one in merge(alone, self._in_slices(run)):
            last = spans[-1] if spans else None
            if (
                last is not None
                and last[2:] == one[2:]
                and IdRun(last.first, last.length).behind == one.first
            ):
                spans[-1] = last._replace(length=last.length + one.length)
            else:
                spans.append(one)
        return spans

    def times(self, run: IdRun) -> RunTimes:
        rows = [*self._all("times_between", run.ends())]
        for _, _, within in self._parts_of_arrays(run):
            rows += self._all("slice_times", within)
        starts = [started for started, _ in rows if started is not None]
        ends = [finished for _, finished in rows if finished is not None]
        return RunTimes(min(starts, default=None), max(ends, default=None))

    def _in_slices(self, run: IdRun) -> Iterator[StateSpan]:
        for seq, id, within in self._parts_of_arrays(run):
            for start, end, route, state in self._all("slice_states", within):
                yield StateSpan(id_behind(id, start - seq), end - start, route, state)

    def _parts_of_arrays(self, run: IdRun) -> Iterator[tuple[int, bytes, dict[str, int]]]:
        """Number and id of the first task of each array that has some of these, and between which numbers these are."""
        first, last = run.ends()
        low, high = (int.from_bytes(id, "big") for id in (first, last))
        for seq, stop, id in self._all("arrays_upto_id", {"first": first, "last": last}):
            behind = int.from_bytes(id, "big") - seq  # what an id and its task's number differ by
            within = {"seq": max(seq, low - behind), "stop": min(stop, high + 1 - behind)}
            # The query takes the array before the run, too, which may end before it.
            if within["seq"] >= within["stop"]:
                continue
            yield seq, id, within

    # which task has submitted which others

    @property
    def have_parents(self) -> bool:
        """Whether there may be any task that was submitted by another."""
        if self._have_parents is None:
            self._have_parents = bool(self._all("any_parent")[0][0])
        return self._have_parents

    def add_parents(self, rows: Sequence[ParentRow]) -> None:
        self._have_parents = True
        self._many("add_parent", rows)

    def children(self, parents: IdRun) -> list[IdRun]:
        if not self.have_parents:
            return []
        return [IdRun(id, tasks) for id, tasks in self._all("children_of", parents.ends())]

    def parent_of(self, seq: int) -> bytes | None:
        rows = self._all("parent_upto", (seq,)) if self.have_parents else []
        return rows[0][1] if rows and seq < rows[0][0] else None

    # tasks that became others

    @property
    def have_becomings(self) -> bool:
        """Whether there may be any task that became another."""
        if self._have_becomings is None:
            self._have_becomings = bool(self._all("any_becoming")[0][0])
        return self._have_becomings

    def add_becoming(self, row: BecomingRow) -> None:
        self._have_becomings = True
        self._many("add_becoming", [(row.seq, row.other)])

    def open_becomings(self) -> list[BecomingRow]:
        return [BecomingRow(*row) for row in self._all("open_becomings")] if self.have_becomings else []

    def became(self, seq: int) -> bytes | None:
        rows = self._all("becoming_of", (seq,)) if self.have_becomings else []
        return rows[0][0] if rows else None

    def forget_becoming(self, seq: int) -> None:
        if self.have_becomings:
            self._all("forget_becomings", (seq, seq + 1))

    # for the verbs that delete tasks

    @property
    def have_relatives(self) -> bool:
        """Whether there may be any task of which ``forget`` has rows."""
        return self.are_there or self.have_parents or self.have_becomings

    def forget(self, seq: int, stop: int) -> None:
        """Tasks of this range were deleted."""
        if self.are_there:
            gone = self._all("forget_dependents", {"seq": seq, "stop": stop})
            self._many("forget_needs", gone)
        if self.have_becomings:
            self._all("forget_becomings", (seq, stop))
        if self.have_parents:
            self._all("forget_parents", {"seq": seq, "stop": stop})


class SqliteBlocked(StatementExecutor):
    """See ``interface.dependencies.BlockedStore``."""

    slices: SqliteSlices
    counts: SqliteCounts

    def unblock(self, seq: int, stop: int, state: int, due: int | None) -> list[Unblocked]:
        unblocked: list[Unblocked] = []
        for start, end in self._blocked(seq, stop):
            # Only the part that was freed: its neighbours in the array may need other tasks.
            one = self.slices.cut(start, end)
            self._exactly("unblock_slice", [{"seq": start, "stop": end, "state": state, "due": due}])
            unblocked.append(Unblocked(start, end, one.route))
        given = {"seq": seq, "stop": stop, "state": state, "due": due}
        return unblocked + [Unblocked(one, one + 1, route) for one, route in self._all("unblock", given)]

    def fall(self, seq: int, stop: int, body: bytes, now: int) -> list[Fallen]:
        for start, end in self._blocked(seq, stop):
            # A body of its own: slices have none for tasks that fail.
            self.slices.take_out(range(start, end))
        given = {"seq": seq, "stop": stop, "body": body, "now": now}
        # RETURNING promises no order
        rows = sorted(self._all("fall", given))
        self.counts.measure([row[0] for row in rows])
        return [Fallen(one, one + 1, *rest) for one, *rest in rows]

    def end_as_other(self, seq: int, state: int, body: bytes | None, now: int) -> list[Fallen]:
        given = {"seq": seq, "state": state, "body": body, "now": now}
        rows = self._all("end_as_other", given)
        if rows:
            self.counts.measure([seq])
        return [Fallen(*row) for row in rows]

    def _blocked(self, seq: int, stop: int) -> list[tuple[int, int]]:
        """Tasks of a range that are blocked in slices."""
        rows = self._all("blocked_slices", {"seq": seq, "stop": stop})
        return [(max(seq, start), min(stop, end)) for start, end in rows]
