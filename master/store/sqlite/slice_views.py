"""The tasks of slices as they would be if each had a row of its own, for the queries of tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ....common.domain.id_runs import IdRun
from ....common.domain.ids import id_behind
from ..interface.queries import Facts, Found, FullTask, StoredOutcome, TaskFilter
from ..interface.store import Inconsistent
from .slice_table import READY, RUNNING, SUCCEEDED, Slice, SliceTable, started


class SliceViews:
    """Each verb answers for one task by its id or number, None when it is in no slice, or for the newest ones."""

    def __init__(self, slices: SliceTable, all: Callable[..., list[Any]]) -> None:
        self._slices, self._all = slices, all

    def find(self, run: IdRun) -> dict[bytes, Found]:
        """Those of a run that are in slices, in order."""
        found: dict[bytes, Found] = {}
        for ids, one, seq in self._parts(run):
            origin = self._slices.array(one.array).origin
            shared = one.route, one.state, one.attempt, one.returned, one.lease, 0, origin
            found.update((id, Found(number, id, *shared)) for number, id in enumerate(ids, seq))
        return found

    def outcomes(self, run: IdRun) -> dict[bytes, StoredOutcome]:
        """The same."""
        found: dict[bytes, StoredOutcome] = {}
        for ids, one, seq in self._parts(run):
            results: Sequence[bytes | None] = [None] * len(ids)
            if one.state == SUCCEEDED:
                results = self._slices.results(one).results[seq - one.seq : seq - one.seq + len(ids)]
            for id, result in zip(ids, results, strict=True):
                found[id] = StoredOutcome(id, one.route, one.state, result)
        return found

    def full(self, id: bytes) -> FullTask | None:
        place = self._place(id)
        if place is None:
            return None
        one, seq = place
        brief = self._brief(one, seq)
        return brief._replace(payload=self.payload(seq), result=self._result(one, seq))

    def brief(self, seq: int) -> FullTask | None:
        one = self._slices.at(seq)
        return None if one is None else self._brief(one, seq)

    def payload(self, seq: int) -> bytes:
        one = self._of(seq)
        return self._slices.payloads(one.array)[seq - one.array]

    def payloads(self, array: int, seq: int, stop: int) -> Iterator[tuple[bytes, bytes]]:
        """The ids and payloads of some tasks of an array."""
        first, payloads = self._slices.array(array).id, self._slices.payloads(array)
        for place in range(seq - array, stop - array):
            yield id_behind(first, place), payloads[place]

    def facts(self, seqs: Iterable[int]) -> dict[int, Facts]:
        found: dict[int, Facts] = {}
        for one, start, stop in self._slices.runs(seqs):
            options = self._slices.array(one.array).options
            # No failure, crash or start: what has had one left its array.
            found.update((seq, Facts(seq, 0, 0, 0, options)) for seq in range(start, stop))
        return found

    def created(self, seq: int) -> int:
        return self._slices.array(self._of(seq).array).created

    def listed(self, what: TaskFilter, limit: int) -> list[FullTask]:
        """The newest tasks that match."""
        rows: list[FullTask] = []
        states = {int(state) for state in what.states}
        # A task that is leased may be shown as ready
        stored = states | {READY, RUNNING} if states & {READY, RUNNING} else states
        # By slices, whose tasks share all that a filter asks for except whether one has begun.
        for one in self._slices.newest_of(stored, 2**62 if what.before_seq is None else what.before_seq):
            shared = self._brief(one, one.seq)
            if (
                (what.queue is not None and shared.queue != what.queue)
                or (what.task is not None and shared.task != what.task)
                or (what.since is not None and shared.created < what.since)
            ):
                continue
            # The page before may have ended inside this slice.
            stop = one.stop if what.before_seq is None else min(one.stop, what.before_seq)
            for seq in range(stop - 1, one.seq - 1, -1):
                # Leased ahead is not running: a user would look for a process that is not there.
                state = READY if one.state == RUNNING and seq not in what.begun else one.state
                if not states or state in states:
                    rows.append(self._brief(one, seq))
                if len(rows) == limit:
                    return rows
        return rows

    def _place(self, id: bytes) -> tuple[Slice, int] | None:
        """The slice and the number of a task."""
        seq = self._slices.number_of(id)
        one = None if seq is None else self._slices.at(seq)
        return None if one is None or seq is None else (one, seq)

    def _parts(self, run: IdRun) -> Iterator[tuple[list[bytes], Slice, int]]:
        """The tasks of a run that are in slices: the ids of those in one, the slice, and the number of the first of them."""
        ids, at = run.ids(), 0
        while at < run.length:
            place = self._place(ids[at])
            if place is None:
                at += 1
                continue
            one, seq = place
            # As many as the slice still has: one look a slice, not one a task.
            part = ids[at : at + one.stop - seq]
            yield part, one, seq
            at += len(part)

    def _of(self, seq: int) -> Slice:
        one = self._slices.at(seq)
        if one is None:
            raise Inconsistent(f"the store has no task {seq}")
        return one

    def _result(self, one: Slice, seq: int) -> bytes | None:
        return self._slices.results(one).results[seq - one.seq] if one.state == SUCCEEDED else None

    def _brief(self, one: Slice, seq: int) -> FullTask:
        of = self._slices.array(one.array)
        # A listing takes this once a slice; a route has no more than a name of each.
        [(queue, task)] = self._all("route_names", (one.route,))
        return FullTask(
            seq=seq,
            id=id_behind(of.id, seq - one.array),
            queue=queue,
            task=task,
            state=one.state,
            priority=one.priority,
            attempt=one.attempt,
            returned=one.returned,
            failures=0,
            crashes=0,
            cancel=0,
            worker=one.worker,
            created=of.created,
            due=one.due if one.due is not None and one.due >= 0 else None,
            at=-one.due if one.due is not None and one.due < 0 else None,
            expires=one.expires,
            started=started(one, self._slices.results(one), seq) if one.state == SUCCEEDED else one.started,
            finished=one.finished,
            timeout=of.timeout,
            options=of.options,
            payload=b"",
            result=None,
        )
