"""Arrays of tasks and their slices, in the embedded store.

An array is what was accepted together: it is written once and deleted once. Its tasks are slices of it, neighbours to which the
same has happened::

    array   |0 ─────────────────────────────────────────── 999|     id, options, payloads: they never change
    slices  |0 ── succeeded ── 399|400 ─ leased ─ 599|600 ready|    state, attempt, lease, results: of all tasks of a slice
    tasks                     (212)                                 a row of its own: something happened to this one alone

A slice is split where something happens to a part of it. A task that leaves its array (a failed attempt, a cancel) is taken out
of its slice and gets a row in ``tasks``, with the same number; from then on it is a task like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, Final

from ....common.domain.ids import id_behind
from ....common.wire.frames import pack
from ..interface.slices import ArrayLanes, ArrayTags, RunningSlice
from ..interface.tasks import EndedAttempt, Expired, NewArray, Promoted, Returned
from .counts import ENDED
from .slice_ends import SliceEnds
from .slice_leases import SliceLeases
from .slice_table import (
    CANCELLED,
    EXPIRED,
    READY,
    SUCCEEDED,
    ArrayRow,
    Slice,
    started,
)

KEPT_BESIDES: Final = (  # what deletes each, in the order of the columns of "kept_besides"
    "forget_between",
    "forget_logs_between",
    "unname_blobs_between",
    "delete_steps_between",
    "delete_signals_between",
)


class SqliteSlices(SliceLeases, SliceEnds):
    """See the module's docstring."""

    def running(self) -> list[RunningSlice]:
        rows = []
        for seq, stop, number, *shared in self._all("running_slices"):
            of = self.array(number)
            rows.append(
                RunningSlice._make(
                    (seq, stop, id_behind(of.id, seq - number), *shared, of.origin, of.options)
                )
            )
        return rows

    def lanes_of_array(self, seq: int) -> ArrayLanes | None:
        rows = self._all("lanes_of_array", {"seq": seq})
        return ArrayLanes(*rows[0]) if rows else None

    def tags_upto(self, seq: int) -> ArrayTags | None:
        rows = self._all("tags_upto", (seq,))
        return ArrayTags(*rows[0]) if rows else None

    # accepted

    def add(self, group: NewArray) -> bool:
        """Add an array; False when some id is there already."""
        # An id may stand in another array or in a row of its own: each table is asked, no constraint spans both.
        first, last = group.id, id_behind(group.id, len(group.payloads) - 1)
        if self.has_between(first, last) or self._all("any_id_between", (first, last))[0][0]:
            return False
        seq, stop = group.seq, group.seq + len(group.payloads)
        # One column for both clocks: below zero, an instant of the wall's (see Slice.due).
        due = group.due if group.at is None else -group.at
        shared = group.created, group.timeout, group.options, group.origin
        self._all("add_array", (seq, stop, first, *shared, pack(group.payloads), group.lanes, group.tags))
        self._all(
            "add_slice",
            {
                "seq": seq,
                "stop": stop,
                "ttl": group.ttl,
                "deadline": group.deadline,
                "route": group.route,
                "state": group.state,
                "priority": group.priority,
                "attempt": group.attempt,
                "lease": group.lease,
                "worker": group.worker,
                "due": due,
                "expires": group.expires,
                "started": group.started,
            },
        )
        return True

    # ended

    def give_back(self, rows: Sequence[Returned]) -> list[Returned]:
        """Have tasks in slices that were leased and have not begun ready again, and take out those that are cancelled; returns
        the rows of the tasks that are in no slice now."""
        by_seq = {row.seq: row for row in rows}
        # Before the runs are read: a task that is taken out cuts the slice that the others are in.
        self.take_out(row.seq for row in rows if row.state != READY)
        # A list: cutting changes the rows that the generator reads.
        for _, start, stop in list(self.runs(row.seq for row in rows if row.state == READY)):
            self.cut(start, stop)
            # One lease covers a slice, so what is true of its first task is true of all.
            first = by_seq[start]
            self._exactly(
                "return_slice", [{"seq": start, "stop": stop, "attempt": first.attempt, "lease": first.lease}]
            )
            for seq in range(start, stop):
                del by_seq[seq]
        return list(by_seq.values())

    def promote(self, rows: Sequence[tuple[int, int, int]]) -> list[Promoted]:
        """Scheduled slices are ready."""
        self._exactly("promote_slice", [(seq,) for seq, _, _ in rows])
        return [Promoted(route, seq, stop) for seq, route, stop in rows]

    def expire(self, now: int, limit: int) -> list[Expired]:
        """Slices that have waited too long, whole ones, until about so many tasks are expired."""
        expired: list[Expired] = []
        for seq, stop, number, route, state in self._all("slices_overdue", (now, limit)):
            self._exactly("expire_slice", [(now, seq, state)])
            self._counts.add(route, EXPIRED, stop - seq, self.share(number, seq, stop))
            of = self.array(number)
            expired.append(Expired(seq, stop, id_behind(of.id, seq - number), route, state, of.origin))
            # Whole slices are one update each: to go over the limit by a part of one costs less than to cut it.
            limit -= stop - seq
            if limit <= 0:
                break
        return expired

    def cancel(self, seqs: Iterable[int], now: int) -> list[int]:
        """Cancel tasks that wait in slices; the numbers of the others, which have rows."""
        left = set(seqs)
        # Tasks in slices only wait here: one that runs has left its slice by ``request_cancel``.
        for one, runs in self.grouped(left):
            for start, stop in runs:
                self.cut(start, stop)
                self._exactly("cancel_slice", [{"seq": start, "stop": stop, "now": now}])
                self._counts.add(one.route, CANCELLED, stop - start, self.share(one.array, start, stop))
                left.difference_update(range(start, stop))
        return sorted(left)

    # a task by itself

    def end_attempts(self, rows: Sequence[EndedAttempt]) -> list[EndedAttempt]:
        """Tasks in leased slices of which an attempt did not succeed get rows of their own; those that have one already."""
        by_seq = {row.seq: row for row in rows}
        left: list[tuple[Slice, list[tuple[int, int]]]] = self.grouped(by_seq)
        given: list[dict[str, Any]] = []
        for one, runs in left:
            of, payloads = self.array(one.array), self.payloads(one.array)
            singles = [by_seq.pop(seq) for start, stop in runs for seq in range(start, stop)]
            payload = [payloads[row.seq - one.array] for row in singles]
            given += map(_ended_alone, singles, payload, repeat(one), repeat(of))
        # While the slices are whole: the statement copies from their rows, and checks their leases by them.
        self._exactly("end_in_slice", given)
        self.cut_out_each(left)
        return list(by_seq.values())

    def take_out(self, seqs: Iterable[int]) -> None:
        """Give tasks rows of their own; those that are in no slice have one already."""
        for one, runs in self.grouped(seqs):
            of, payloads = self.array(one.array), self.payloads(one.array)
            # Only succeeded slices hold results; unpacking them is what costs.
            found = self.results(one) if one.state == SUCCEEDED else None
            singles = [seq for start, stop in runs for seq in range(start, stop)]
            self._exactly(
                "insert_single",
                [
                    (
                        seq,
                        id_behind(of.id, seq - one.array),
                        payloads[seq - one.array],
                        one.route,
                        one.state,
                        one.attempt,
                        one.returned,
                        one.lease,
                        one.worker,
                        of.created,
                        one.started if found is None else started(one, found, seq),
                        one.finished,
                        one.priority,
                        one.due,
                        one.expires,
                        of.timeout,
                        of.options,
                        of.origin,
                        None if found is None else found.results[seq - one.seq],
                        one.seq,
                    )
                    for seq in singles
                ],
            )
            self.cut_out(one, runs)
            # Out of the slice's sum of bytes (cut_out), into that of rows.
            if one.state >= ENDED:
                self._counts.measure(singles)

    # deleted

    def delete(self, seqs: Iterable[int]) -> list[int]:
        """Delete tasks that are in slices, with what is kept of them; the numbers of the others, which have rows."""
        left = set(seqs)
        whole: list[Slice] = []
        gone: list[tuple[int, int]] = []
        arrays: set[int] = set()
        for one, runs in self.grouped(left):
            # Nothing is left of it: no results to write again, one statement for all such slices.
            if runs == [(one.seq, one.stop)]:
                whole.append(one)
            else:
                self.cut_out(one, runs)
            gone += runs
            arrays.add(one.array)
            for start, stop in runs:
                left.difference_update(range(start, stop))
        self.delete_whole(whole)
        self._forget(gone)
        # An array goes with the last slice or row that has a number of it; the statement looks.
        for number in arrays:
            self.drop(number)
        return sorted(left)

    def drop_arrays_of(self, seqs: Iterable[int]) -> None:
        """Rows of tasks were deleted, which may have been the last ones of their arrays."""
        stop = 0
        for seq in sorted(seqs):
            if seq < stop:
                continue  # of the same array as the one before
            for number, behind in self._all("array_upto", (seq,)):
                self.drop(number)
                stop = behind

    def _forget(self, runs: Sequence[tuple[int, int]]) -> None:
        """What is kept of tasks besides their states and results. Mostly there is nothing, which one look tells."""
        if not runs:
            return
        # One look over all of them may find rows of others in between: then a delete finds nothing, which is harmless.
        hull = {"seq": min(runs)[0], "stop": max(stop for _, stop in runs)}
        for name, is_there in zip(KEPT_BESIDES, self._all("kept_besides", hull)[0], strict=True):
            if is_there:
                self._many(name, runs)


def _ended_alone(row: EndedAttempt, payload: bytes, one: Slice, of: ArrayRow) -> dict[str, Any]:
    """The values of the row of a task that leaves a leased slice with the end of an attempt."""
    return {
        **row._asdict(),
        "slice": one.seq,
        "id": id_behind(of.id, row.seq - one.array),
        "payload": payload,
        "created": of.created,
        "timeout": of.timeout,
        "options": of.options,
        "origin": of.origin,
    }
