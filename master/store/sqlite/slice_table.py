"""The tables of arrays and slices: how they are read, and how a slice is split."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from ....common.domain.ids import id_behind
from ....common.domain.model import StateNumber
from ....common.wire.frames import pack, unpack
from ..interface.store import Inconsistent
from .part import SqlitePart

READY: Final = int(StateNumber.READY)
RUNNING: Final = int(StateNumber.RUNNING)
SUCCEEDED: Final = int(StateNumber.SUCCEEDED)
UNPACKED_MAX: Final = (
    8  # lists of payloads and results that are kept unpacked; an array has at most a thousand tasks
)
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


class ArrayRow(NamedTuple):
    """What the tasks of an array share."""

    id: bytes
    created: int
    timeout: float | None
    options: bytes | None
    origin: int | None


class SliceResults(NamedTuple):
    seconds: Sequence[float]
    results: Sequence[bytes | None]


class SliceTable(SqlitePart):
    def __init__(
        self,
        all: Callable[..., list[Any]],
        many: Callable[[str, Sequence[Any]], int],
        exactly: Callable[[str, Sequence[Any]], None],
    ) -> None:
        super().__init__(all, many, exactly)
        self._payloads: dict[int, list[bytes]] = {}  # by array: the last ones that were leased from

    def forget(self) -> None:
        """What was read in a transaction that is rolled back may never have been."""
        self._payloads.clear()

    # reading

    def at(self, seq: int) -> Slice | None:
        """The slice that a task is in."""
        rows = self._all("slice_upto", (seq,))
        return Slice(*rows[0]) if rows and seq < rows[0][1] else None

    def number_of(self, id: bytes) -> int | None:
        """The number of the task that was accepted with this id in an array; it may have left it, or be deleted."""
        rows = self._all("array_upto_id", (id,))
        if not rows:
            return None
        seq, stop, first = rows[0]
        number = seq + int.from_bytes(id, "big") - int.from_bytes(first, "big")
        return int(number) if number < stop else None

    def array(self, seq: int) -> ArrayRow:
        return ArrayRow(*self._all("array_of", (seq,))[0])

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

    def results(self, one: Slice) -> SliceResults:
        """Of a slice that succeeded."""
        seconds, results = self._all("slice_results", (one.seq,))[0]
        return SliceResults(floats_of(seconds), unpack(results))

    def newest(self, before: int) -> Iterator[Slice]:
        """Slices of tasks before that number, newest first."""
        while rows := self._all("slices_before", (before, PAGE)):
            yield from map(Slice._make, rows)
            before = rows[-1][0]

    # splitting

    def runs(self, seqs: Iterable[int]) -> Iterator[tuple[Slice, int, int]]:
        """Tasks that are in slices, as runs of neighbours: the slice, the first task and the one behind the last."""
        todo = sorted(set(seqs))
        place = 0
        while place < len(todo):
            start = todo[place]
            one = self.at(start)
            place += 1
            if one is None:
                continue
            stop = start + 1
            while place < len(todo) and todo[place] == stop and stop < one.stop:
                stop, place = stop + 1, place + 1
            yield one, start, stop

    def cut_running(self, seq: int, stop: int) -> None:
        """Have a slice begin at ``seq`` and another at ``stop``; the statement that follows ends the first there."""
        one = self.at(seq)
        if one is None or one.stop < stop:
            raise Inconsistent(f"slices: tasks {seq} to {stop} are not in one slice")
        if one.seq < seq:
            self.split(one, seq)
        self._all("split_slice", {"seq": seq, "at": stop})

    def cut_out(self, one: Slice, start: int, stop: int) -> None:
        """Take tasks out of a slice; what is before and behind them stays, as slices."""
        if stop < one.stop:
            self.split(one, stop)
            one = one._replace(stop=stop)
        if one.seq < start:
            self.split(one, start)
        self._exactly("delete_slice", [(start,)])

    def split(self, one: Slice, at: int) -> None:
        found = self.results(one) if one.state == SUCCEEDED else None
        self._all("split_slice", {"seq": one.seq, "at": at})
        self._exactly("shorten_slice", [{"seq": one.seq, "at": at}])
        if found is not None:
            place = at - one.seq
            halves = (one.seq, slice(None, place)), (at, slice(place, None))
            self._exactly(
                "put_results",
                [
                    (array("f", found.seconds[part]).tobytes(), pack(found.results[part]), seq)
                    for seq, part in halves
                ],
            )


def floats_of(packed: bytes) -> array[float]:
    floats = array("f")
    floats.frombytes(packed)
    return floats


def started(one: Slice, found: SliceResults, seq: int) -> int:
    """When a task of a slice that succeeded had begun."""
    return (one.finished or 0) - int(found.seconds[seq - one.seq] * 1000)
