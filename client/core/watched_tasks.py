"""Which tasks are watched, and who listens for their outcomes: by runs of consecutive ids, however many tasks they have. Pure.

::

    add(listener, runs) ─► tasks by themselves: a dict │ runs of several: sorted in their block ─► take(run): the parts of it

Invariants: 1. a task stands in one place: by itself, or in one run; 2. runs never overlap; 3. neighbours of a block that were added
one after the other for the same listener are one run.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

from ...common.domain.id_runs import PLACE_BYTES, IdRun

Listeners = tuple[Hashable, ...]


class WatchedPart(NamedTuple):
    """Tasks of a run that is asked about, from ``start`` to ``stop``."""

    start: int
    stop: int
    listeners: Listeners


_start_of = attrgetter("start")


class _Block:
    """Runs of several tasks whose ids differ only in their place, as parallel lists in order of the places."""

    __slots__ = ("listeners", "starts", "stops")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.stops: list[int] = []
        self.listeners: list[Listeners] = []

    def add(self, start: int, stop: int, listeners: Listeners) -> None:
        """Add a run that overlaps none."""
        at = bisect_left(self.starts, start)
        # Grown, not appended: a map that is submitted in a thousand calls stays one run.
        if at and self.stops[at - 1] == start and self.listeners[at - 1] is listeners:
            self.stops[at - 1] = stop
        else:
            self.starts.insert(at, start)
            self.stops.insert(at, stop)
            self.listeners.insert(at, listeners)

    def take(self, start: int, stop: int) -> list[WatchedPart]:
        """Remove what is between two places; it is returned, by places."""
        begin = bisect_right(self.stops, start)
        end = bisect_left(self.starts, stop)
        if begin >= end:
            return []
        taken = [
            WatchedPart(max(start, first), min(stop, behind), listeners)
            for first, behind, listeners in zip(
                self.starts[begin:end], self.stops[begin:end], self.listeners[begin:end], strict=True
            )
        ]
        # What stands out at both ends is still watched.
        rest = []
        if self.starts[begin] < start:
            rest.append((self.starts[begin], start, self.listeners[begin]))
        if self.stops[end - 1] > stop:
            rest.append((stop, self.stops[end - 1], self.listeners[end - 1]))
        self.starts[begin:end] = [first for first, _, _ in rest]
        self.stops[begin:end] = [behind for _, behind, _ in rest]
        self.listeners[begin:end] = [listeners for _, _, listeners in rest]
        return taken


class WatchedTasks:
    def __init__(self) -> None:
        self._single: dict[bytes, Listeners] = {}
        self._blocks: dict[bytes, _Block] = {}  # by what the ids of a block have in common
        self.tasks = 0  # how many
        self._only: Listeners = (None,)  # the last listener by itself: one tuple for all its tasks

    def add_one(self, listener: Hashable, id: bytes) -> None:
        """As ``add`` of a task by itself."""
        # It may have a listener already, which takes the longer way.
        if id in self._single or self._blocks:
            self.add(listener, (IdRun(id, 1),))
        else:
            self._single[id] = (listener,)
            self.tasks += 1

    def add(self, listener: Hashable, runs: Iterable[IdRun]) -> list[IdRun]:
        """Add a listener to tasks; returns those that had none before."""
        if self._only[0] is not listener:
            self._only = (listener,)
        new: list[IdRun] = []
        for run in runs:
            # Taken out and put back with the new listener: what overlaps is cut on its way.
            known = self.take(run) if self._single or self._blocks else []
            if not known:
                self._put(run, self._only)
                new.append(run)
                continue
            place = 0
            for start, stop, listeners in known:
                if place < start:
                    new.append(run.part(place, start))
                    self._put(new[-1], self._only)
                more = listeners if listener in listeners else (*listeners, listener)
                self._put(run.part(start, stop), more)
                place = stop
            if place < run.length:
                new.append(run.part(place, run.length))
                self._put(new[-1], self._only)
        return new

    def take(self, run: IdRun) -> list[WatchedPart]:
        """Remove the tasks of a run; returns the parts of it that were watched, in order."""
        if run.length == 1:
            listeners = self._single.pop(run.first, None)
            if listeners is not None:
                self.tasks -= 1
                return [WatchedPart(0, 1, listeners)]
        parts = self._take_from_block(run)
        if self._single and run.length > 1:
            singles = self._take_singles(run)
            if singles:
                parts = sorted([*parts, *singles], key=_start_of)
        return parts

    def drop(self, listener: Hashable) -> list[IdRun]:
        """Remove a listener; returns the tasks that have no other."""
        dropped: list[IdRun] = []
        # A list: taking out changes what is walked through.
        for run, listeners in list(self._all()):
            if listener in listeners:
                self.take(run)
                # By identity: listeners need not compare.
                rest = tuple(other for other in listeners if other is not listener)
                if rest:
                    self._put(run, rest)
                else:
                    dropped.append(run)
        return dropped

    def runs(self) -> list[IdRun]:
        return [run for run, _ in self._all()]

    def take_all(self) -> list[Hashable]:
        """Remove everything; returns all listeners."""
        listeners = dict.fromkeys(one for _, listeners in self._all() for one in listeners)
        self._single.clear()
        self._blocks.clear()
        self.tasks = 0
        return list(listeners)

    def _put(self, run: IdRun, listeners: Listeners) -> None:
        self.tasks += run.length
        if run.length == 1:
            self._single[run.first] = listeners
            return
        place, common = run.place, run.first[:-PLACE_BYTES]
        block = self._blocks.get(common)
        if block is None:
            block = self._blocks[common] = _Block()
        block.add(place, place + run.length, listeners)

    def _take_from_block(self, run: IdRun) -> list[WatchedPart]:
        common = run.first[:-PLACE_BYTES]
        block = self._blocks.get(common)
        if block is None:
            return []
        place = run.place
        parts = block.take(place, place + run.length)
        if not block.starts:
            del self._blocks[common]
        self.tasks -= sum(part.stop - part.start for part in parts)
        return [WatchedPart(start - place, stop - place, listeners) for start, stop, listeners in parts]

    def _take_singles(self, run: IdRun) -> list[WatchedPart]:
        """Those of the run that stand by themselves: found from the side that has fewer."""
        single = self._single
        if len(single) < run.length:
            first, last = run.ends()
            places = sorted(run.place_of(id) for id in single if first <= id <= last)
        else:
            places = [place for place, id in enumerate(run.ids()) if id in single]
        self.tasks -= len(places)
        return [WatchedPart(place, place + 1, single.pop(run.id(place))) for place in places]

    def _all(self) -> Iterator[tuple[IdRun, Listeners]]:
        for common, block in self._blocks.items():
            for start, stop, listeners in zip(block.starts, block.stops, block.listeners, strict=True):
                yield IdRun(common + start.to_bytes(PLACE_BYTES, "big"), stop - start), listeners
        for id, listeners in self._single.items():
            yield IdRun(id, 1), listeners


def without(runs: Iterable[IdRun], others: Iterable[IdRun]) -> list[IdRun]:
    """The tasks of ``runs`` that are not among ``others``, in order of their ids."""
    left = WatchedTasks()
    left.add(None, sorted(runs))
    for other in others:
        left.take(other)
    return sorted(left.runs())


def portions(runs: Iterable[IdRun], tasks_max: int) -> Iterator[list[IdRun]]:
    """Runs in portions of at most so many tasks; one that does not fit is cut."""
    some: list[IdRun] = []
    room = tasks_max
    for run in runs:
        place = 0
        while place < run.length:
            stop = min(run.length, place + room)
            some.append(run.part(place, stop))
            room -= stop - place
            place = stop
            if not room:
                yield some
                some, room = [], tasks_max
    if some:
        yield some
