"""Arrays whose tasks stand in different lanes: maps whose limit keys or tenants alternate from task to task. Pure but for the store.

Such an array is stored as any other is, and leased, ended, counted and shown by its slices, which all stand in the *mixed* lane of their
route. Which lane each task takes its turn in is said by a column beside the payloads: the different keys once, and a byte or two a task. ::

    store    arrays   payloads … · lanes [a.example, b.example] 0 1 0 0 1 …
             slices   ├─ leased ─┤├─────────── ready ───────────┤       of the mixed lane
    memory   a.example   ready 2 3 …                                    eight bytes for each task that is ready
             b.example   ready 4 …

So a lane has what stands in it by itself (``Route.counts``, as the store counts it) and its share of mixed arrays (``Route.share``). What moves a task
of a mixed array names its number, and by that its lane's turn and permits follow.

Invariant: an array is here as long as one of its tasks has not ended; and of each lane the ready tasks of these arrays are in its share.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, NamedTuple, NoReturn

from ...common.domain.id_runs import IdRun
from ...common.domain.model import TASK_ID_BYTES
from ...common.wire.frames import pack, unpack
from ..store.interface.store import Inconsistent, Picture, Store
from ..store.interface.tasks import NamedTasks
from .codes import Codes, codes_of, counted, packed_codes, unpacked_codes
from .lane_share import LaneShare, first_tasks
from .lanes import Chosen, Lanes
from .route import READY, RUNNING, LaneKey, LanePlace, Route

COUNTED_MAX: Final = 8  # neighbours whose lanes are remembered


class Mixture(NamedTuple):
    """In which of some lanes each of some tasks stands."""

    lanes: Sequence[Route]
    codes: Codes

    def part(self, start: int, stop: int) -> Mixture:
        return Mixture(self.lanes, self.codes[start:stop])

    def made_by(self, lane: Callable[[Route], Route]) -> Mixture:
        """The same with other lanes of the same keys, those that it has."""
        own = self.own()
        return Mixture([lane(one) for one in own.lanes], own.codes)

    def own(self) -> Mixture:
        """The same with no lanes but those that it has."""
        if len(set(self.codes)) == len(self.lanes):
            return self
        numbers = {code: number for number, code in enumerate(dict.fromkeys(self.codes))}
        codes = codes_of(map(numbers.__getitem__, self.codes), len(numbers))
        return Mixture([self.lanes[code] for code in numbers], codes)

    def packed(self, priority: int) -> bytes:
        """As the store keeps it: what it takes to make the lanes again, if they are forgotten."""
        keys = [[lane.key.tenant, lane.key.limits] for lane in self.lanes]
        return pack([priority, keys, packed_codes(self.codes)])


class MixedArray:
    """One that has tasks which have not ended."""

    __slots__ = ("id", "mixture", "open", "rank", "seq", "stop")

    def __init__(self, seq: int, id: bytes, rank: int, mixture: Mixture) -> None:
        self.seq, self.stop = seq, seq + len(mixture.codes)
        self.id = int.from_bytes(id, "big")  # of the first one, as a number
        self.rank, self.mixture = rank, mixture
        self.open = 0  # tasks of it that have not ended

    def lane(self, seq: int) -> Route:
        return self.mixture.lanes[self.mixture.codes[seq - self.seq]]

    def codes(self, seq: int, stop: int) -> Codes:
        return self.mixture.codes[seq - self.seq : stop - self.seq]

    def counts(self, seq: int, stop: int) -> Mapping[int, int]:
        """How many of these tasks each lane has, by code."""
        return counted(self.mixture.codes, len(self.mixture.lanes), seq - self.seq, stop - self.seq)

    def __lt__(self, other: MixedArray) -> bool:
        return self.seq < other.seq


class MixedArrays:
    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        lane: Callable[[Route, LaneKey], Route],
        unused: Callable[[Route], None],
        runs_no_more: Callable[[Route, int], None],
    ) -> None:
        """``lane``: of a route, by its key. ``unused``: called with a lane that has nothing in these arrays any
        more. ``runs_no_more``: with a lane of which so many tasks are leased no longer."""
        self._store, self._lanes, self._lane, self._unused = store, lanes, lane, unused
        self._runs_no_more = runs_no_more
        self._arrays: list[MixedArray] = []  # by number
        self._by_id: list[tuple[int, MixedArray]] = []  # by id
        # Of tasks that were asked for last: a lease asks several times for the same ones.
        self._counted: dict[tuple[int, int], Mapping[int, int]] = {}

    def load(self, picture: Picture, mixed: Iterable[Route]) -> None:
        """Take the store's: what it has in the mixed lanes and has not ended."""
        self._arrays, self._by_id = [], []
        self._counted.clear()
        by_number = {one.number: one for one in mixed}
        # Only mixed lanes are asked for: others keep their counts alone.
        for number, route in by_number.items():
            for seq, stop, state in self._store.waiting_in(number):
                self._found(route, seq, stop, state)
        for row in picture.running:
            if row.route in by_number:
                self._found(by_number[row.route], row.seq, row.seq + 1, RUNNING)
        for slice in picture.slices:
            if slice.route in by_number:
                self._found(by_number[slice.route], slice.seq, slice.stop, RUNNING)

    def _found(self, mixed: Route, seq: int, stop: int, state: int) -> None:
        for one, start, end in self._parts(mixed, seq, stop):
            one.open += end - start
            for lane in one.mixture.lanes:
                lane.has_large = True  # the size of what is stored is unknown
            self._arrived(one, start, end, state)

    # lanes

    def lane_of(self, stored: Route, seq: int) -> Route:
        """The lane in which a task takes its turn: that which the store has, unless its array is here."""
        one = self._known(seq) if stored.key.is_mixed else None
        return stored if one is None else one.lane(seq)

    def by_lane(self, stored: Route, run: IdRun) -> Iterator[tuple[Route, IdRun]]:
        """Tasks of one row or slice that have not ended, as neighbours that take the turn of one lane."""
        if not stored.key.is_mixed:
            yield stored, run
            return
        for one, start, stop in self._of_run(run):
            at = start
            for code, same in groupby(one.codes(start, stop)):
                tasks = sum(1 for _ in same)
                id = one.id + at - one.seq
                yield one.mixture.lanes[code], IdRun(id.to_bytes(TASK_ID_BYTES, "big"), tasks)
                at += tasks

    def lanes_of(self, stored: Route, seq: int, stop: int) -> Iterator[tuple[Route, int]]:
        """The lanes of a row or slice, and how many tasks of it each has."""
        if not stored.key.is_mixed:
            yield stored, stop - seq
            return
        for one, start, end in self._parts(stored, seq, stop):
            for code, tasks in self._counts(one, start, end).items():
                yield one.mixture.lanes[code], tasks

    def each_lane(self, stored: Route, seq: int, stop: int) -> list[Route]:
        """The lane of each task of a row or slice."""
        if not stored.key.is_mixed:
            return [stored] * (stop - seq)
        parts = self._parts(stored, seq, stop)
        return [one.mixture.lanes[code] for one, start, end in parts for code in one.codes(start, end)]

    def named(self, chosen: Iterable[Chosen], want: int, least: int | None) -> list[NamedTasks]:
        """The first so many tasks of lanes that were chosen, which the store does not find by their lanes. ``least``: none of a lower
        priority."""
        having = [(lane, lane.share, room) for lane, room in chosen if lane.share is not None and room]
        first = first_tasks(
            [(share, room) for _, share, room in having], want, None if least is None else -least
        )
        return [NamedTasks(having[place][0].number, -rank, seqs) for place, rank, seqs in first]

    # what becomes of their tasks

    def accepted(self, one: MixedArray, state: int) -> None:
        one.open = one.stop - one.seq
        self._keep(one)
        self._arrived(one, one.seq, one.stop, state)

    def moved(self, mixed: Route, seq: int, stop: int, before: int, after: int) -> None:
        for one, start, end in self._parts(mixed, seq, stop):
            self._moved(one, start, end, before, after)

    def ended(self, run: IdRun, before: int, after: int) -> None:
        for one, start, stop in list(self._of_run(run)):
            self._moved(one, start, stop, before, after)

    def left(self, mixed: Route, seq: int, stop: int) -> None:
        """Ready tasks stand in lanes of their own from now on, in the store as well."""
        for one, start, end in list(self._parts(mixed, seq, stop)):
            self._departed(one, start, end, READY, READY)
            one.open -= end - start
            if not one.open:
                self._forget(one)

    def _moved(self, one: MixedArray, seq: int, stop: int, before: int, after: int) -> None:
        self._departed(one, seq, stop, before, after)
        one.open += (stop - seq) * ((after <= RUNNING) - (before <= RUNNING))
        self._arrived(one, seq, stop, after)
        # Its column of lanes is in the store: an operator who retries one of its tasks has it read again.
        if not one.open:
            self._forget(one)

    def _departed(self, one: MixedArray, seq: int, stop: int, before: int, after: int) -> None:
        if before > RUNNING:
            return
        lanes = one.mixture.lanes
        for code, tasks in self._counts(one, seq, stop).items():
            lane = lanes[code]
            lane.tenant.counts[before] -= tasks
            if before == READY:
                (lane.share or _no_share(lane)).discard_between(one.rank, seq, stop)
                if after != RUNNING:
                    self._lanes.left(lane)
            elif before == RUNNING:
                (lane.share or _no_share(lane)).running -= tasks
                self._runs_no_more(lane, tasks)

    def _arrived(self, one: MixedArray, seq: int, stop: int, after: int) -> None:
        if after > RUNNING:
            return
        lanes = one.mixture.lanes
        if after == READY:
            for code, seqs in _by_code(one.codes(seq, stop), seq).items():
                lane = lanes[code]
                lane.tenant.counts[READY] += len(seqs)
                (lane.share or _no_share(lane)).add(one.rank, seqs)
                if not lane.struck:
                    self._lanes.ready(lane, LanePlace(one.rank, seqs[0]))
            return
        for code, tasks in self._counts(one, seq, stop).items():
            lane = lanes[code]
            lane.tenant.counts[after] += tasks
            if after == RUNNING:
                (lane.share or _no_share(lane)).running += tasks

    def _counts(self, one: MixedArray, seq: int, stop: int) -> Mapping[int, int]:
        """How many of these tasks each lane has, by code."""
        found = self._counted.get((seq, stop))
        if found is None:
            if len(self._counted) >= COUNTED_MAX:
                self._counted.clear()
            found = self._counted[seq, stop] = one.counts(seq, stop)
        return found

    # which arrays are here

    def _parts(self, mixed: Route, seq: int, stop: int) -> Iterator[tuple[MixedArray, int, int]]:
        """Neighbours, by the arrays that they are in."""
        while seq < stop:
            one = self._of(mixed, seq)
            end = min(stop, one.stop)
            yield one, seq, end
            seq = end

    def _of_run(self, run: IdRun) -> Iterator[tuple[MixedArray, int, int]]:
        """The same by their ids: none of the arrays has ended."""
        id, left = int.from_bytes(run.first, "big"), run.length
        while left:
            at = bisect_right(self._by_id, id, key=_id) - 1
            one = self._by_id[at][1] if at >= 0 else None
            if one is None or id >= one.id + one.stop - one.seq:
                raise Inconsistent("a task of the mixed lane is in no array that is known")
            start = one.seq + id - one.id
            stop = min(one.stop, start + left)
            yield one, start, stop
            id, left = id + stop - start, left - (stop - start)

    def _known(self, seq: int) -> MixedArray | None:
        at = bisect_right(self._arrays, seq, key=_seq) - 1
        return self._arrays[at] if at >= 0 and seq < self._arrays[at].stop else None

    def _of(self, mixed: Route, seq: int) -> MixedArray:
        """The array of a task. One of which all tasks had ended is read again: an operator has one of them done once more."""
        if (known := self._known(seq)) is not None:
            return known
        found = self._store.lanes_of_array(seq)
        if found is None or found.lanes is None:
            raise Inconsistent("a task of the mixed lane is in no mixed array")
        priority, keys, codes = unpack(found.lanes)
        made = (
            mixed.key._replace(tenant=tenant, limits=tuple(map(tuple, limits)), is_mixed=False)
            for tenant, limits in keys
        )
        lanes = [self._lane(mixed.plain, key) for key in made]
        one = MixedArray(found.seq, found.id, -priority, Mixture(lanes, unpacked_codes(codes, len(lanes))))
        self._keep(one)
        return one

    def _keep(self, one: MixedArray) -> None:
        insort(self._arrays, one)
        insort(self._by_id, (one.id, one))
        for lane in one.mixture.lanes:
            if lane.share is None:
                lane.share = LaneShare()
            lane.share.arrays += 1

    def _forget(self, one: MixedArray) -> None:
        del self._arrays[bisect_right(self._arrays, one.seq, key=_seq) - 1]
        del self._by_id[bisect_right(self._by_id, one.id, key=_id) - 1]
        for lane in one.mixture.lanes:
            share = lane.share or _no_share(lane)
            share.arrays -= 1
            if not share.arrays:
                lane.share = None
                self._unused(lane)


def _by_code(codes: Sequence[int], seq: int) -> dict[int, array[int]]:
    """The numbers of tasks, the first of which has this one, by their codes."""
    found = {code: array("q") for code in set(codes)}
    add = {code: numbers.append for code, numbers in found.items()}
    for number, code in enumerate(codes, seq):
        add[code](number)
    return found


def _no_share(lane: Route) -> NoReturn:
    """It has one as long as an array with the lane is here."""
    raise Inconsistent(f"lane {lane.number} has no share of a mixed array that is known")


def _seq(one: MixedArray) -> int:
    return one.seq


def _id(one: tuple[int, MixedArray]) -> int:
    return one[0]
