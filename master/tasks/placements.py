"""Which workers have room for tasks that ask for something, see common/domain/placing.py: what each worker announced, and what the tasks
that are leased to it hold. Pure.

::

    announced ─► labels, resources ─┐
                                    ├─► Place: what is free of it ─► room for so many tasks of a lane
    leases ─► how many by lane ─────┘        └─► minus what is kept for the first one that fits nowhere

A task holds what it needs from its lease to the end of that, whatever ends it: every lease that begins or ends is in ``LeasedTasks``,
which counts it here. So nothing has to be given back by hand, and after a restart the count is that of the leases that the store has.

Invariant: ``held`` is the number of leased tasks by worker and lane, of lanes whose tasks ask for something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import Any, NamedTuple

from ...common.domain.placing import ANYWHERE, Place, Placing, keep
from .places import FreePlaces


class Seat(NamedTuple):
    """A connected worker. ``serves``: the kind of worker that it is, see ``route.Capability``."""

    serves: object
    labels: Mapping[str, str]
    resources: Mapping[str, int]


class Placements:
    """``held``, ``lanes``: by number; changed by what keeps leases and lanes."""

    def __init__(self) -> None:
        self.places = FreePlaces()  # of all workers and tasks, whatever they ask for
        self.lanes: dict[int, Placing] = {}  # those whose tasks ask for something
        self.held: dict[int, Counter[int]] = {}  # by worker, then by lane
        self._seats: dict[int, Seat] = {}
        self._places: dict[int, Place] = {}  # as of now; made when they are asked for
        self._fitting: tuple[tuple[int, ...], set[int]] | None = None  # for these lanes, without what is kept
        self.version = 0  # grows with whatever may change who has room

    def clear(self) -> None:
        """Lanes and workers are numbered otherwise from now on."""
        self.lanes.clear()
        self._seats.clear()
        self.places.clear()
        self._changed()

    def forget(self, lane: int) -> None:
        """Another lane may get its number."""
        if self.lanes.pop(lane, None) is not None:
            self._changed()

    def clear_held(self) -> None:
        self.held.clear()
        self.places.leased.clear()
        self._changed()

    def hold(self, worker: int, lane: int, tasks: int) -> None:
        """So many more tasks, or fewer, are leased to a worker."""
        held = self.held.setdefault(worker, Counter())
        held[lane] += tasks
        if not held[lane]:
            del held[lane]
            if not held:
                del self.held[worker]
        self._changed()

    def announced(self, worker: int, seat: Seat) -> None:
        if self._seats.get(worker) != seat:
            self._seats[worker] = seat
            self._changed()

    def gone(self, worker: int) -> None:
        self.places.gone(worker)
        if self._seats.pop(worker, None) is not None:
            self._changed()

    def _changed(self) -> None:
        self.version += 1
        self._places.clear()
        self._fitting = None

    # questions

    def placing(self, lane: int) -> Placing:
        return self.lanes.get(lane, ANYWHERE)

    def amounts(self, worker: int) -> dict[str, int]:
        """What the leases of a worker hold, in thousandths."""
        sums: dict[str, int] = {}
        for lane, tasks in self.held.get(worker, {}).items():
            for name, amount in self.placing(lane).needs:
                sums[name] = sums.get(name, 0) + amount * tasks
        return sums

    def place(self, worker: int) -> Place:
        """A worker as it is now: what it has and has free, without what is kept. One that is not connected has nothing."""
        seat = self._seats.get(worker)
        return Place({}, {}) if seat is None else Place.of(seat.labels, seat.resources, self.amounts(worker))

    def fitting(self, lanes: tuple[int, ...]) -> set[int]:
        """The workers that have room for a task of one of these lanes, whatever is kept."""
        if self._fitting is None or self._fitting[0] != lanes:
            asked = [self.placing(lane) for lane in lanes]
            places = ((worker, self.place(worker)) for worker in self._seats)
            fitting = {worker for worker, place in places if any(map(place.room, asked))}
            self._fitting = lanes, fitting
        return self._fitting[1]

    def room(self, worker: int, lane: int) -> int:
        """How many tasks of a lane a worker has room for now, but for what is kept for others."""
        return self._place(worker).room(self.placing(lane))

    def _place(self, worker: int) -> Place:
        place = self._places.get(worker)
        if place is None:
            place = self._places[worker] = self.place(worker)
        return place

    def scratch(self, worker: int) -> Place:
        """The same as a copy, to try what fits together."""
        place = self._place(worker)
        return Place(place.labels, place.resources, dict(place.free))

    def keep_for(self, waiting: Iterable[tuple[int, Container[Any]]]) -> None:
        """Keep workers for lanes whose first task fits on none now. ``waiting``: in the order of their first tasks, a lane and which kinds of
        workers serve it. What is kept is that until something changes, or ``waiting`` does."""
        self._places.clear()
        for lane, served_by in waiting:
            placing = self.placing(lane)
            serving = [worker for worker, seat in self._seats.items() if seat.serves in served_by]
            fitting = [worker for worker in serving if self._place(worker).room(placing)]
            if not fitting and placing.needs:  # where nothing is held, what is free is no question
                keep(placing, [self._place(worker) for worker in serving if self._seats[worker].resources])
