"""The attempts that are leased at the moment: records shared by what grants, ends and takes back leases. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any, NamedTuple

from ...common.domain.id_runs import PLACE_BYTES
from ..engine.clock import Now
from ..engine.part import Part
from ..store.interface.store import Picture
from .placements import Placements
from .results import drops_results
from .route import ParkedLease


class LeasedAttempt(NamedTuple):
    """One leased attempt: the data of its row that are needed in memory, and the worker that has it."""

    seq: int
    route: int
    attempt: int  # the fence: grows with every lease
    number: int  # of the attempt as shown to people: leases that were returned unstarted are not counted
    lease: bytes
    worker: int  # its number in the store
    suspect: bool  # a worker was lost before while it held this task: see Membership.starting
    origin: int | None = None  # see origins.py; None: it was submitted
    # Steady ms at which it began, as reported by its worker; None: not reported, it may wait there
    begun: int | None = None
    drops: bool = False  # what it returns is not kept: see results.py


class LeaseReply(NamedTuple):
    """The answer to a lease call: groups of ``[queue, task, timeout, [[id, attempt, payload], …]]``; of a slice the first id and
    a list of payloads. The entry of a suspect, or of an attempt whose number differs from ``attempt``, has these two as well."""

    parked: ParkedLease
    lease: bytes
    groups: list[list[Any]]


class SliceLease:
    """Neighbours of an array that are leased together, until each of them has ended or was given back."""

    __slots__ = (
        "attempt",
        "begun",
        "drops",
        "first",
        "lease",
        "number",
        "origin",
        "prefix",
        "route",
        "seq",
        "stop",
        "worker",
    )

    def __init__(
        self,
        seq: int,
        stop: int,
        id: bytes,
        route: int,
        attempt: int,
        number: int,
        lease: bytes,
        worker: int,
        origin: int | None,
        begun: dict[int, int] | None = None,
        *,
        drops: bool = False,
    ) -> None:
        self.seq, self.stop = seq, stop  # of the first one that is still leased, and behind the last one
        self.prefix = id[:-PLACE_BYTES]
        # What a number and the end of its id differ by
        self.first = int.from_bytes(id[-PLACE_BYTES:], "big") - seq
        self.route, self.attempt, self.number = route, attempt, number
        self.lease, self.worker, self.origin, self.drops = lease, worker, origin, drops
        self.begun = {} if begun is None else begun  # steady ms, of those whose start was reported

    def id(self, seq: int) -> bytes:
        return self.prefix + (self.first + seq).to_bytes(PLACE_BYTES, "big")

    def ids(self) -> list[bytes]:
        return list(map(self.id, range(self.seq, self.stop)))

    def holds(self, seq: int) -> bool:
        return self.seq <= seq < self.stop

    def behind(self, seq: int) -> SliceLease:
        """Those from this one on, as a slice."""
        whose = self.lease, self.worker, self.origin
        return SliceLease(
            seq,
            self.stop,
            self.id(seq),
            self.route,
            self.attempt,
            self.number,
            *whose,
            self.begun,
            drops=self.drops,
        )

    def one(self, seq: int) -> LeasedAttempt:
        """One of its tasks by itself."""
        begun = self.begun.get(seq)
        whose = self.lease, self.worker, False, self.origin, begun, self.drops
        return LeasedAttempt(seq, self.route, self.attempt, self.number, *whose)


class _Neighbours:
    """Leased slices whose ids begin alike, in the order of their ids. No two overlap, and none reaches where the next one began
    when it was added."""

    __slots__ = ("slices", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []  # where each began when it was added: the last bytes of its first id
        self.slices: list[SliceLease] = []

    def add(self, slice: SliceLease) -> None:
        start, stop = slice.first + slice.seq, slice.first + slice.stop
        place = bisect_right(self.starts, start)
        if (place and (before := self.slices[place - 1]).first + before.seq > start) or (
            place < len(self.starts) and self.starts[place] < stop
        ):
            # First tasks of a neighbour were given back, and are leased again now: where it began is no longer its place.
            self.starts = [one.first + one.seq for one in self.slices]
            place = bisect_right(self.starts, start)
        self.starts.insert(place, start)
        self.slices.insert(place, slice)

    def of(self, end: int) -> SliceLease | None:
        """The slice with the task whose id ends so."""
        place = bisect_right(self.starts, end) - 1
        if place >= 0 and self.slices[place].holds(end - self.slices[place].first):
            return self.slices[place]
        return None

    def drop(self, slice: SliceLease) -> None:
        place = bisect_right(self.starts, slice.first + slice.seq) - 1
        # Its first tasks may have ended since it was added, so that a later start is found first.
        while self.slices[place] is not slice:
            place -= 1
        del self.starts[place], self.slices[place]


class LeasedTasks(MutableMapping[bytes, LeasedAttempt]):
    """All leased tasks by id: each by itself, or in the slice of an array that it was leased with. What they hold of their workers is
    counted in ``placements``."""

    def __init__(self, placements: Placements | None = None) -> None:
        self.alone: dict[bytes, LeasedAttempt] = {}  # see ``add_plain``
        self._slices: dict[bytes, _Neighbours] = {}  # by what their ids have in common
        self._placements = placements or Placements()
        self._placed, self._places = self._placements.lanes, self._placements.places

    def _hold(self, held: LeasedAttempt | SliceLease, tasks: int) -> None:
        self._places.hold(held.worker, tasks)
        if self._placed and held.route in self._placed:
            self._placements.hold(held.worker, held.route, tasks)

    def add_plain(self, worker: int, held: Sequence[tuple[bytes, LeasedAttempt]]) -> None:
        """New tasks of plain lanes are leased to a worker."""
        # Without a look at what they ask for: a task that asks for something stands in line, and is never leased before it is stored.
        self._places.hold(worker, len(held))
        self.alone.update(held)

    def add(self, slice: SliceLease) -> None:
        self._hold(slice, slice.stop - slice.seq)
        self._put(slice)

    def _put(self, slice: SliceLease) -> None:
        neighbours = self._slices.get(slice.prefix)
        if neighbours is None:
            neighbours = self._slices[slice.prefix] = _Neighbours()
        neighbours.add(slice)

    def place(self, id: bytes) -> tuple[SliceLease, int] | None:
        """The slice and the number of a task that is leased in one."""
        neighbours = self._slices.get(id[:-PLACE_BYTES])
        if neighbours is None:
            return None
        end = int.from_bytes(id[-PLACE_BYTES:], "big")
        slice = neighbours.of(end)
        return None if slice is None else (slice, end - slice.first)

    def let(self, slice: SliceLease, seq: int, count: int = 1) -> None:
        """So many tasks of a slice, from this one on, are leased no longer. In the midst of it, those behind become a slice of
        their own."""
        stop = seq + count
        self._hold(slice, -count)
        if slice.begun:
            for one in range(seq, stop):
                slice.begun.pop(one, None)
        if slice.seq == seq:
            if stop == slice.stop:
                neighbours = self._slices[slice.prefix]
                neighbours.drop(slice)
                if not neighbours.slices:
                    del self._slices[slice.prefix]
            slice.seq = stop
        elif stop == slice.stop:
            slice.stop = seq
        else:
            # Shortened before the tail is put in: neighbours must not overlap.
            tail, slice.stop = slice.behind(stop), seq
            self._put(tail)

    def take_out(self, id: bytes) -> None:
        """A task of a slice has a row of its own from now on."""
        place = self.place(id)
        if place is not None:
            slice, seq = place
            self._hold(slice, 1)  # what ``let`` gives back
            self.alone[id] = slice.one(seq)
            self.let(slice, seq)

    def of_worker(self, worker: int) -> Iterator[tuple[bytes, LeasedAttempt]]:
        """The tasks that a worker has, by its number."""
        yield from ((id, held) for id, held in self.alone.items() if held.worker == worker)
        for slice in self._all():
            if slice.worker == worker:
                yield from ((slice.id(seq), slice.one(seq)) for seq in range(slice.seq, slice.stop))

    def by_worker(self) -> dict[int, Counter[int]]:
        """How many tasks of each lane each worker has."""
        tasks: dict[int, Counter[int]] = {}
        for held in self.alone.values():
            tasks.setdefault(held.worker, Counter())[held.route] += 1
        for slice in self._all():
            tasks.setdefault(slice.worker, Counter())[slice.route] += slice.stop - slice.seq
        return tasks

    def clear(self) -> None:
        self.alone.clear()
        self._slices.clear()
        # What they hold is counted again as they are loaded.
        self._placements.clear_held()

    # a mapping of tasks

    def __getitem__(self, id: bytes) -> LeasedAttempt:
        held = self._look(id)
        if held is None:
            raise KeyError(id)
        return held

    def get(self, id: bytes, default: Any = None) -> Any:
        held = self._look(id)
        return default if held is None else held

    def _look(self, id: bytes) -> LeasedAttempt | None:
        held = self.alone.get(id)
        if held is not None or not self._slices:
            return held
        place = self.place(id)
        return None if place is None else place[0].one(place[1])

    def __setitem__(self, id: bytes, held: LeasedAttempt) -> None:
        place = self.place(id)
        if place is None:
            before = self.alone.get(id)
            if before is not None:
                self._hold(before, -1)
            self._hold(held, 1)
            self.alone[id] = held
        # In a slice, only its start may differ from its neighbours.
        elif held.begun is not None:
            place[0].begun[held.seq] = held.begun

    def __delitem__(self, id: bytes) -> None:
        held = self.alone.pop(id, None)
        if held is None:
            place = self.place(id)
            if place is None:
                raise KeyError(id)
            self.let(*place)
        else:
            self._hold(held, -1)

    def __iter__(self) -> Iterator[bytes]:
        yield from self.alone
        for slice in self._all():
            yield from slice.ids()

    def __len__(self) -> int:
        return len(self.alone) + sum(slice.stop - slice.seq for slice in self._all())

    def __contains__(self, id: object) -> bool:
        return id in self.alone or (isinstance(id, bytes) and self.place(id) is not None)

    def _all(self) -> Iterator[SliceLease]:
        return (slice for neighbours in self._slices.values() for slice in neighbours.slices)


class Leases(Part):
    """All leased tasks. Code that grants, ends or takes back a lease changes ``running`` directly, because this happens
    for every task."""

    def __init__(self, placements: Placements | None = None) -> None:
        self.running = LeasedTasks(placements)
        self.cancelling: set[bytes] = set()  # ids of those with a requested cancel; their rows record it too
        self._cancel_listeners: list[Callable[[bytes], None]] = []

    def listen_to_cancels(self, listener: Callable[[bytes], None]) -> None:
        self._cancel_listeners.append(listener)

    def cancel_asked(self, id: bytes) -> None:
        """Have the worker that runs this task cancel it."""
        for listener in self._cancel_listeners:
            listener(id)

    def load(self, picture: Picture, now: Now) -> None:
        self.running.clear()
        self.cancelling.clear()
        for row in picture.running:
            number = row.attempt - row.returned
            whose = row.lease, row.worker, False, row.origin, None, drops_results(row.options)
            self.running[row.id] = LeasedAttempt(row.seq, row.route, row.attempt, number, *whose)
            if row.cancel:
                self.cancelling.add(row.id)
        for slice in picture.slices:
            number = slice.attempt - slice.returned
            where = slice.seq, slice.stop, slice.id, slice.route
            of_worker = slice.lease, slice.worker, slice.origin
            drops = drops_results(slice.options)
            self.running.add(SliceLease(*where, slice.attempt, number, *of_worker, drops=drops))
