"""The tables of arrays and slices: how they are read, and how a slice is split."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from heapq import merge
from typing import Any, Final, NamedTuple

from ....common.domain.ids import id_behind
from ....common.domain.model import StateNumber
from ....common.wire.frames import pack, unpack
from ..interface.store import Inconsistent
from .counts import ENDED, SqliteCounts
from .part import SqlitePart
from .slice_groups import gaps_between

READY: Final = int(StateNumber.READY)
RUNNING: Final = int(StateNumber.RUNNING)
SUCCEEDED: Final = int(StateNumber.SUCCEEDED)
CANCELLED: Final = int(StateNumber.CANCELLED)
EXPIRED: Final = int(StateNumber.EXPIRED)
# Lists of payloads and results that are kept unpacked; an array has at most a thousand tasks
UNPACKED_MAX: Final = 8
ARRAYS_KNOWN_MAX: Final = 1_024  # whose rows are kept; a row never changes while its array is there
PAGE: Final = 100  # slices read at a time


class Slice(NamedTuple):
    seq: int
    stop: int
    array: int
    route: int
    state: int
    priority: int
    attempt: int
    returned: int
    lease: bytes | None
    worker: int | None
    due: int | None  # below zero: an instant of the wall's clock
    expires: int | None
    started: int | None
    finished: int | None


class ReadySlice(NamedTuple):
    priority: int
    seq: int
    stop: int
    array: int


class ArrayRow(NamedTuple):
    """What the tasks of an array share."""

    id: bytes
    created: int
    timeout: float | None
    options: bytes | None
    origin: int | None
    stop: int  # the number behind that of its last task
    size: int  # bytes of all payloads


class SliceResults(NamedTuple):
    seconds: Sequence[float]
    results: Sequence[bytes | None]


class SliceTable(SqlitePart):
    def __init__(
        self,
        all: Callable[..., list[Any]],
        many: Callable[[str, Sequence[Any]], int],
        exactly: Callable[[str, Sequence[Any]], None],
        counts: SqliteCounts,
    ) -> None:
        super().__init__(all, many, exactly)
        self._counts = counts
        self._payloads: dict[int, list[bytes]] = {}  # by array: the last ones that were leased from
        self._arrays: dict[int, ArrayRow] = {}

    def forget(self) -> None:
        """What was read in a transaction that is rolled back may never have been."""
        self._payloads.clear()
        self._arrays.clear()

    # reading

    def at(self, seq: int) -> Slice | None:
        """The slice that a task is in."""
        rows = self._all("slice_upto", (seq,))
        return Slice(*rows[0]) if rows and seq < rows[0][1] else None

    def around(self, seqs: Sequence[int]) -> list[Slice]:
        """The slices that these tasks are in, in order; one that has left its array may be between or behind them."""
        return [Slice._make(row) for row in self._all("slices_around", (json.dumps(seqs),))]

    def number_of(self, id: bytes) -> int | None:
        """The number of the task that was accepted with this id in an array; it may have left it, or be deleted."""
        rows = self._all("array_upto_id", (id,))
        if not rows:
            return None
        seq, stop, first = rows[0]
        # Ids of an array are consecutive numbers, so that none but the first is stored.
        number = seq + int.from_bytes(id, "big") - int.from_bytes(first, "big")
        return int(number) if number < stop else None

    def has_between(self, first: bytes, last: bytes) -> bool:
        """Whether an array has a task with one of these ids."""
        rows = self._all("array_upto_id", (last,))
        if not rows:
            return False
        seq, stop, id = rows[0]
        # No two arrays share an id: one that begins further down ends before this one begins.
        return bool(int.from_bytes(id, "big") + stop - seq > int.from_bytes(first, "big"))

    def array(self, seq: int) -> ArrayRow:
        known = self._arrays.get(seq)
        if known is None:
            known = ArrayRow(*self._all("array_of", (seq,))[0])
            # Dicts keep the order of insertion: the oldest goes.
            while len(self._arrays) >= ARRAYS_KNOWN_MAX:
                del self._arrays[next(iter(self._arrays))]
            self._arrays[seq] = known
        return known

    def id(self, one: Slice, seq: int) -> bytes:
        return id_behind(self.array(one.array).id, seq - one.array)

    def payloads(self, array: int) -> list[bytes]:
        known = self._payloads.get(array)
        if known is None:
            known = unpack(self._all("array_payloads", (array,))[0][0])
            while len(self._payloads) >= UNPACKED_MAX:
                del self._payloads[next(iter(self._payloads))]
            self._payloads[array] = known
        return known

    def payload_size(self, seq: int) -> int:
        """Of a task that has a row of its own."""
        rows = self._all("payload_size", (seq,))
        return int(rows[0][0]) if rows else 0

    def results(self, one: Slice) -> SliceResults:
        """Of a slice that succeeded."""
        seconds, results = self._all("slice_results", (one.seq,))[0]
        return SliceResults(floats_of(seconds), unpack(results))

    def newest(self, before: int) -> Iterator[Slice]:
        """Slices of tasks before that number, newest first."""
        while rows := self._all("slices_before", (before, PAGE)):
            yield from map(Slice._make, rows)
            before = rows[-1][0]

    def newest_of(self, states: Collection[int], before: int) -> Iterator[Slice]:
        """The same, of those in these states."""
        # Only those states have an index by state: the others are filtered while all slices are walked.
        if not are_unsuccessful(states):
            return (one for one in self.newest(before) if not states or one.state in states)
        return merge(*(self._newest_of_state(state, before) for state in states), key=lambda one: -one.seq)

    def _newest_of_state(self, state: int, before: int) -> Iterator[Slice]:
        while rows := self._all("slices_of_state_before", (state, before, PAGE)):
            yield from map(Slice._make, rows)
            before = rows[-1][0]

    # splitting

    def runs(self, seqs: Iterable[int]) -> Iterator[tuple[Slice, int, int]]:
        """Tasks that are in slices, as runs of neighbours: the slice, the first task and the one behind the last."""
        todo = sorted(set(seqs))
        place = 0
        for one in self.around(todo):
            while place < len(todo) and todo[place] < one.seq:
                place += 1  # it has a row of its own
            while place < len(todo) and todo[place] < one.stop:
                start, stop = todo[place], todo[place] + 1
                place += 1
                # One run of neighbours: a portion may be thousands of tasks.
                while place < len(todo) and todo[place] == stop and stop < one.stop:
                    stop, place = stop + 1, place + 1
                yield one, start, stop

    def grouped(self, seqs: Iterable[int]) -> list[tuple[Slice, list[tuple[int, int]]]]:
        """The same, all runs of a slice together. They are read before any slice is changed."""
        found: dict[Slice, list[tuple[int, int]]] = {}
        for one, start, stop in self.runs(seqs):
            found.setdefault(one, []).append((start, stop))
        return list(found.items())

    def cut(self, seq: int, stop: int) -> Slice:
        """Have a slice begin at ``seq`` and another at ``stop``; the statement that follows ends the first there."""
        one = self.at(seq)
        if one is None or one.stop < stop:
            raise Inconsistent(f"slices: tasks {seq} to {stop} are not in one slice")
        if one.seq < seq:
            # The row in front stays with the old number; the second part begins at ``seq``.
            self.split(one, seq)
        # Does nothing where the slice ends there: its condition is ``stop > :at``.
        self._all("split_slice", {"seq": seq, "at": stop})
        return one

    def cut_out(self, one: Slice, runs: Sequence[tuple[int, int]]) -> None:
        """Take tasks out of a slice; what is before, between and behind them stays, as slices."""
        self.keep(one, gaps_between(one.seq, one.stop, runs))

    def cut_out_each(self, parts: Sequence[tuple[Slice, Sequence[tuple[int, int]]]]) -> None:
        """The same for several slices, which have not ended."""
        whole: list[int] = []
        for one, runs in parts:
            if gaps := gaps_between(one.seq, one.stop, runs):
                self.keep(one, gaps)
            else:
                whole.append(one.seq)
        if whole and self._many("delete_slices", [(json.dumps(whole),)]) != len(whole):
            raise Inconsistent("slices: one to be cut is not there")

    def split(self, one: Slice, at: int) -> None:
        self.keep(one, [(one.seq, at), (at, one.stop)])

    def keep(self, one: Slice, pieces: Sequence[tuple[int, int]]) -> None:
        """Of a slice only these pieces stay, each as a slice, with its results. They are read once and written once."""
        found = self.results(one) if one.state == SUCCEEDED else None
        gone, size = one.stop - one.seq, self.size(one)
        if found is None and len(pieces) > 2:
            many = [piece for piece in pieces if piece[0] != one.seq]
            self._all("copy_pieces", {"seq": one.seq, "pieces": json.dumps(many)})
            gone -= sum(stop - start for start, stop in many)
            if one.state >= ENDED:
                size -= sum(self.share(one.array, *piece) for piece in many)
            pieces = [piece for piece in pieces if piece[0] == one.seq]
        for start, stop in reversed(pieces):  # the first one stands in the row of the whole
            part = slice(start - one.seq, stop - one.seq)
            seconds = results = None
            if found is not None:
                seconds, results = array("f", found.seconds[part]).tobytes(), pack(found.results[part])
            values = {"seq": one.seq, "start": start, "stop": stop, "seconds": seconds, "results": results}
            self._all("shorten_slice" if start == one.seq else "copy_slice", values)
            gone -= stop - start
            if one.state >= ENDED:
                size -= self.share(one.array, start, stop) + len(results or b"")
        # The row of the whole was given to no piece.
        if not pieces or pieces[0][0] != one.seq:
            self._exactly("delete_slice", [(one.seq,)])
        if one.state >= ENDED:
            self._counts.add(one.route, one.state, -gone, -size)

    def delete_whole(self, slices: Sequence[Slice]) -> None:
        """Whole slices, in one statement however many there are."""
        if not slices:
            return
        seqs = json.dumps([one.seq for one in slices])
        # Before the rows are deleted, which the sums of their lanes are reduced by.
        found = dict(self._all("results_sizes", (seqs,)))
        for one in slices:
            if one.state >= ENDED:
                size = self.share(one.array, one.seq, one.stop) + found[one.seq]
                self._counts.add(one.route, one.state, one.seq - one.stop, -size)
        if self._many("delete_slices", [(seqs,)]) != len(slices):
            raise Inconsistent("slices: one to be deleted is not there")

    # what they take

    def drop(self, number: int) -> None:
        """Delete an array if no task of it is left."""
        if self._many("drop_array", [{"array": number}]):
            self._payloads.pop(number, None)
            self._arrays.pop(number, None)

    def share(self, array: int, seq: int, stop: int) -> int:
        """The bytes of arguments that tasks of an array have: each an equal part, in whole bytes that add up to all of them."""
        of = self.array(array)
        # By two roundings and not by one of the length: parts of an array that is cut must add up to what was counted of the whole.
        tasks = of.stop - array
        return of.size * (stop - array) // tasks - of.size * (seq - array) // tasks

    def size(self, one: Slice) -> int:
        """The bytes of arguments and results of a slice that ended; 0 of others."""
        if one.state < ENDED:
            return 0
        return self.share(one.array, one.seq, one.stop) + int(self._all("results_size", (one.seq,))[0][0])


def are_unsuccessful(states: Collection[int]) -> bool:
    """Whether all are of tasks that ended without success: of those there is an index."""
    return bool(states) and min(states) > SUCCEEDED


def floats_of(packed: bytes) -> array[float]:
    floats = array("f")
    floats.frombytes(packed)
    return floats


def started(one: Slice, found: SliceResults, seq: int) -> int:
    """When a task of a slice that succeeded had begun."""
    return (one.finished or 0) - int(found.seconds[seq - one.seq] * 1000)
