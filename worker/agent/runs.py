"""Jobs that are neighbours, as one object, and queues of them. Pure.

::

    a grant of a thousand ─► JobRun ─ cut ─► 256 of it ─► a child ─► slices of results
                                   └────► 744 wait

A run is jobs of one lease and one task, of one attempt, whose ids are consecutive, in the order of the ids. As long as the same
happens to all of them, they are one object; what happens to some cuts the run, and what happens to one alone has that one
as a Job. A job that was granted by itself is a run of one.

Invariants of a queue: 1. the jobs are those that were put in and not taken, in their order, however the runs were cut; 2. no run in
it is empty; 3. its length is counted in jobs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, starmap
from typing import Any

from ...common.contract.workers import GrantRow, HeldRow
from ...common.domain.id_runs import IdRun
from ...common.domain.ids import id_behind
from .jobs import Job

Key = tuple[bytes, int]  # the id of a task and its attempt: unique among the jobs in hand


@dataclass(slots=True, eq=False)
class JobRun:
    """``id``, ``ordinal``: of the first job; the others count up from there. The length is that of ``payloads``. Other fields as
    in ``Job``."""

    id: bytes
    attempt: int
    lease: bytes
    queue: str
    name: str
    timeout: float | None
    payloads: Sequence[bytes]
    suspect: bool = False
    number: int = 1
    ordinal: int = 0
    needs: tuple[tuple[str, int], ...] = ()  # of resources whose units are distinguished: see allotting.py
    given: dict[str, list[str]] | None = None  # which units it was given
    is_permitted: bool = False  # it holds permits of limits: see ``Backlog.put``

    def __len__(self) -> int:
        return len(self.payloads)

    @property
    def held(self) -> list[Any]:
        """The form in which ``announce`` and ``release`` name it."""
        return list(HeldRow(IdRun(self.id, len(self.payloads)).to_wire(), self.attempt, self.lease))

    @property
    def end(self) -> int:
        """The ordinal behind the last job's."""
        return self.ordinal + len(self.payloads)

    def ids(self) -> list[bytes]:
        return IdRun(self.id, len(self.payloads)).ids()

    def job(self, place: int) -> Job:
        return Job(
            id_behind(self.id, place),
            self.attempt,
            self.lease,
            self.queue,
            self.name,
            self.timeout,
            self.payloads[place],
            self.suspect,
            self.number,
            # 0: no child has it yet.
            self.ordinal + place if self.ordinal else 0,
        )

    def jobs(self) -> list[Job]:
        return [self.job(place) for place in range(len(self.payloads))]

    def part(self, start: int, stop: int) -> JobRun:
        """The jobs from one place to another, as a run of their own."""
        return JobRun(
            id_behind(self.id, start),
            self.attempt,
            self.lease,
            self.queue,
            self.name,
            self.timeout,
            self.payloads[start:stop],
            self.suspect,
            self.number,
            # As in ``job``: without an ordinal none is made up.
            self.ordinal + start if self.ordinal else 0,
            self.needs,
            is_permitted=self.is_permitted,
        )

    def split(self, places: Iterable[int]) -> list[JobRun]:
        """The same jobs, cut before each of these places that is within it."""
        bounds = sorted({0, len(self), *(place for place in places if 0 < place < len(self))})
        return [self.part(start, stop) for start, stop in pairwise(bounds)]

    def goes_with(self, other: JobRun) -> bool:
        """Whether both may be in one block: runs of one group of a lease share these objects."""
        return (
            # By identity, which is cheaper than comparing texts; equal ones of two leases are simply two blocks.
            self.name is other.name
            and self.lease is other.lease
            and self.queue is other.queue
            and self.timeout is other.timeout
            and self.needs == other.needs
        )

    def overlap(self, wanted: IdRun) -> tuple[int, int] | tuple[()]:
        """From which place to which its jobs are of these tasks."""
        first, low = int.from_bytes(self.id, "big"), int.from_bytes(wanted.first, "big")
        start, stop = max(0, low - first), min(len(self), low - first + wanted.length)
        return (start, stop) if start < stop else ()

    def places_of(self, keys: Container[Key]) -> list[int]:
        attempt = self.attempt
        return [place for place, id in enumerate(self.ids()) if (id, attempt) in keys]

    def without(self, places: Sequence[int]) -> list[JobRun]:
        """What is left, cut at these places, which are in order."""
        bounds = [-1, *places, len(self)]
        return [self.part(before + 1, at) for before, at in pairwise(bounds) if at - before > 1]


def granted_runs(lease: bytes, groups: list[list[Any]]) -> list[JobRun]:
    """The jobs of a lease reply."""
    runs: list[JobRun] = []
    for queue, name, timeout, entries, *more in groups:
        # A tuple, so that runs of one group share it and compare fast.
        needs, is_permitted = tuple(more[0].items()) if more else (), more[1:2] == [True]
        for grant in starmap(GrantRow, entries):
            # Left out by the master where they are the same: for most tasks.
            number = grant.attempt if grant.number is None else grant.number
            payloads, suspect = grant.payload, False
            if isinstance(payloads, bytes):
                payloads, suspect = [payloads], grant.suspect
            runs.append(
                JobRun(
                    grant.id,
                    grant.attempt,
                    lease,
                    queue,
                    name,
                    timeout,
                    payloads,
                    suspect,
                    number,
                    needs=needs,
                    is_permitted=is_permitted,
                )
            )
    return runs


class JobQueue:
    """A queue of jobs. Where jobs have ordinals, these grow from the first to the last."""

    def __init__(self, runs: Iterable[JobRun] = ()) -> None:
        self._runs = deque(runs)
        self._length = sum(map(len, self._runs))

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[JobRun]:
        return iter(self._runs)

    @property
    def first(self) -> JobRun:
        """The run in front. The queue is not empty."""
        return self._runs[0]

    def put(self, runs: Iterable[JobRun]) -> None:
        for run in runs:
            self._runs.append(run)
            self._length += len(run)

    def put_first(self, runs: Sequence[JobRun]) -> None:
        """In front of all others, in their own order."""
        # ``extendleft`` turns the order round.
        self._runs.extendleft(reversed(runs))
        self._length += sum(map(len, runs))

    def take_first(self, most: int) -> list[JobRun]:
        return self._take(most, first=True)

    def take_last(self, most: int) -> list[JobRun]:
        """The last ones, in their order."""
        return self._take(most, first=False)[::-1]

    def take_alike(self, most: int, *, together: bool = False) -> list[JobRun]:
        """The first job and those right behind it that may be in one block with it, at most so many in all. ``together``: they are to run as
        one call, for which each is at its first attempt: one that is tried again runs by itself."""
        if together and self._runs[0].number > 1:
            most = 1
        first, count = self._runs[0], 0
        for run in self._runs:
            # A suspect goes alone: its child may die of it, and would take the others along.
            if count >= most or not run.goes_with(first) or (run.suspect and count):
                break
            if together and run.number != first.number:
                break
            count += len(run)
        return self.take_first(min(count, most))

    def take_of(self, keys: Container[Key]) -> list[JobRun]:
        """The jobs of these attempts."""
        taken: list[JobRun] = []
        rest: list[JobRun] = []
        for run in self._runs:
            places = run.places_of(keys)
            taken += [run.part(place, place + 1) for place in places]
            rest += run.without(places) if places else [run]
        if taken:
            self._runs = deque(rest)
            self._length -= len(taken)
        return taken

    def take_within(self, wanted: Sequence[IdRun]) -> list[JobRun]:
        """The jobs of these tasks."""
        taken: list[JobRun] = []
        rest: list[JobRun] = []
        for run in self._runs:
            bounds = sorted(bound for one in wanted for bound in run.overlap(one))
            for part in run.split(bounds) if bounds else [run]:
                (taken if bounds and any(part.overlap(one) for one in wanted) else rest).append(part)
        if taken:
            self._runs = deque(rest)
            self._length -= sum(map(len, taken))
        return taken

    def take_all(self) -> list[JobRun]:
        return self._take(self._length, first=True)

    def _take(self, most: int, *, first: bool) -> list[JobRun]:
        """From one end, in the order from that end."""
        runs, taken = self._runs, list[JobRun]()
        while most > 0 and runs:
            run = runs.popleft() if first else runs.pop()
            length = len(run)
            if length > most:
                if first:
                    runs.appendleft(run.part(most, length))
                    run = run.part(0, most)
                else:
                    runs.append(run.part(0, length - most))
                    run = run.part(length - most, length)
            most -= len(run)
            self._length -= len(run)
            taken.append(run)
        return taken

    # by ordinals

    def count_to(self, ordinal: int) -> int:
        """How many jobs have this ordinal or a lower one."""
        count = 0
        for run in self._runs:
            # Ordinals grow along the queue: what follows is higher.
            if run.end > ordinal + 1:
                return count + max(0, ordinal + 1 - run.ordinal)
            count += len(run)
        return count

    def job(self, ordinal: int) -> Job | None:
        """The job of this ordinal."""
        for run in self._runs:
            if run.ordinal <= ordinal < run.end:
                return run.job(ordinal - run.ordinal)
        return None

    def last_to(self, ordinal: int) -> Job | None:
        """The last job with this ordinal or a lower one."""
        found: JobRun | None = None
        for run in self._runs:
            if run.ordinal > ordinal:
                break
            found = run
        return None if found is None else found.job(min(ordinal, found.end - 1) - found.ordinal)

    def take_exactly(self, ordinal: int, count: int) -> list[JobRun]:
        """So many jobs from the front, whose ordinals count up from this one. Empty: those in front are not these."""
        following, end = ordinal, ordinal + count
        for run in self._runs:
            if following >= end or run.ordinal != following:
                break
            following = run.end
        # Looked at as a whole before anything is taken: a false report must leave the jobs as they are, for they run elsewhere.
        return self.take_first(count) if count > 0 and following >= end else []
