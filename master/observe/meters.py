"""The counters of a master's metrics. Pure; the engine's parts report to them, once a batch where possible.

Without ``--http`` there are none of these, and only the little is counted that the master's series are made of. With them, the cost
for each task is one look at its route. Counts of a transaction that failed are not taken back: they count what was tried.

Waiting times are sampled: of each lease reply, up to ``SAMPLES`` evenly spaced tasks of a route represent
all of them. Everything else is exact.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

from ...common.domain.model import OutcomeNumber, StateNumber
from ...common.runtime.histogram import DISK_SECONDS, SECONDS, SIZES, Buckets
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.engine import Engine
from ..store.interface.slices import LeasedSlice
from ..store.interface.store import Store
from ..store.interface.tasks import Leased
from ..tasks.completion import Completion
from ..tasks.dispatch import Dispatch
from ..tasks.leases import LeasedAttempt, LeasedTasks
from ..tasks.meter import TaskMeter
from ..tasks.reports import ReportedSlice
from ..tasks.route import Route
from ..tasks.routes import Routes
from ..tasks.succeeded import leased_parts
from .exemplars import NotedTasks
from .series import Series

TASKS_MAX: Final = 200  # pairs of queue and task with labels of their own; all others share one
OTHER: Final = ("other", "other")
SAMPLES: Final = 8
FASTEST: Final = (-1.0, 0)

Pair = tuple[str, str]  # queue, task


class ProcessMeters:
    """Of a process, whatever shards it has."""

    def __init__(self) -> None:
        self.lag = Buckets(DISK_SECONDS)
        self.events: Counter[str] = Counter()


class MasterMeters:
    """Of a shard."""

    def __init__(self, store: Store, routes: Routes) -> None:
        self._store, self._routes = store, routes
        self._pairs: set[Pair] = set()
        self.submitted: Counter[Pair] = Counter()
        self.started: Counter[Pair] = Counter()
        self.returned: Counter[Pair] = Counter()
        self.retried: Counter[Pair] = Counter()
        self.finished: Counter[tuple[Pair, StateNumber]] = Counter()
        self.unsuccessful: Counter[tuple[Pair, OutcomeNumber]] = Counter()
        self.stale = 0
        self.wait: defaultdict[Pair, Buckets] = defaultdict(lambda: Buckets(SECONDS))
        self.run: defaultdict[Pair, Buckets] = defaultdict(lambda: Buckets(SECONDS))
        self.slow = NotedTasks()  # that stand for the buckets of ``run``
        self.commit, self.calls = Buckets(DISK_SECONDS), Buckets(SIZES)

    def pair(self, route: Route) -> Pair:
        """The labels of a route: its own while there is room."""
        pair = (route.queue.name, route.task)
        if pair not in self._pairs:
            if len(self._pairs) >= TASKS_MAX:
                return OTHER
            self._pairs.add(pair)
        return pair

    def _pair(self, route: int) -> Pair:
        return self.pair(self._routes.by_number[route])

    # reports of the engine's parts

    def accepted(self, groups: Sequence[tuple[Route, int, int]]) -> None:
        """Submitted tasks as they were written: route, state, how many. RUNNING: a worker was waiting."""
        for route, state, tasks in groups:
            pair = self.pair(route)
            self.submitted[pair] += tasks
            if state == StateNumber.RUNNING:
                self.wait[pair].observe(0.0, tasks)

    def leased(self, rows: Sequence[Leased | LeasedSlice], now: int) -> None:
        """Stored tasks that are leased now."""
        first: defaultdict[int, list[int]] = defaultdict(list)
        for row in rows:
            if row.attempt == 1:  # later attempts have waited for their retry
                first[row.route] += range(row.seq, row.stop) if isinstance(row, LeasedSlice) else (row.seq,)
        for route, seqs in first.items():
            self._sample(self.wait[self._pair(route)], seqs, now)

    def _sample(self, wait: Buckets, seqs: list[int], now: int) -> None:
        step = -(-len(seqs) // SAMPLES)
        sample = seqs[step // 2 :: step]
        share, rest = divmod(len(seqs), len(sample))
        for index, created in enumerate(self._store.created(sample)):
            wait.observe(max(0, now - created) / 1000, share + (index < rest))

    def reported(
        self, rows: Sequence[Sequence[Any]], slices: Sequence[ReportedSlice], running: LeasedTasks
    ) -> None:
        """A worker's reports, before they are applied: how long the current attempts ran, and which starts were not counted yet."""
        seconds: defaultdict[int, list[float]] = defaultdict(list)
        started: Counter[int] = Counter()
        slowest: dict[int, tuple[float, int]] = {}  # of each route: the seconds, and the task
        for id, attempt, lease, _, _, _, took, _ in rows:
            held = running.get(id)
            if held is not None and held.lease == lease and held.attempt == attempt:
                seconds[held.route].append(took)
                started[held.route] += held.begun is None
                slowest[held.route] = max(slowest.get(held.route, FASTEST), (took, held.seq))
        for report in slices:
            for start, stop, held, seq in leased_parts(running, report):
                if held is not None:
                    part = report.seconds[start:stop]
                    seconds[held.route] += part
                    longest = max(part)
                    slow = (longest, seq + part.index(longest))
                    slowest[held.route] = max(slowest.get(held.route, FASTEST), slow)
                    counted = sum(seq <= one < seq + stop - start for one in held.begun)
                    started[held.route] += stop - start - counted
        for route, all_seconds in seconds.items():
            self.run[self._pair(route)].observe_all(all_seconds)
            took, seq = slowest[route]
            self.slow.note(self._pair(route), seq, took)
        for route, tasks in started.items():
            self.started[self._pair(route)] += tasks

    def begun(self, route: int) -> None:
        """A worker has reported the start of an attempt before its end."""
        self.started[self._pair(route)] += 1

    def came_back(self, route: int) -> None:
        """A lease ended before its task began."""
        self.returned[self._pair(route)] += 1

    def attempts_ended(
        self, held: LeasedAttempt, outcome: OutcomeNumber, state: StateNumber, times: int
    ) -> None:
        """So many attempts have ended without success, alike; ``state``: the next state of their tasks."""
        pair = self._pair(held.route)
        if (
            held.begun is None and outcome == OutcomeNumber.LOST
        ):  # an attempt with a report is counted in ``reported``
            self.started[pair] += times
        if outcome == OutcomeNumber.BECAME:  # its end is counted when it comes
            return
        self.unsuccessful[pair, outcome] += times
        if not state.is_terminal and outcome != OutcomeNumber.RELEASED:
            self.retried[pair] += times

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        """Tasks have ended, with any outcome."""
        for run, route, _, state, _, _ in tasks:
            self.finished[self._pair(route), StateNumber(state)] += run.length


class BothMeters:
    """A ``TaskMeter`` that is two: what is always counted, and what is for ``--http``."""

    def __init__(self, first: TaskMeter, second: TaskMeter) -> None:
        self._first, self._second = first, second

    @property
    def stale(self) -> int:
        return self._first.stale

    @stale.setter
    def stale(self, reports: int) -> None:
        self._first.stale = reports

    def accepted(self, groups: Sequence[tuple[Route, int, int]]) -> None:
        self._first.accepted(groups)
        self._second.accepted(groups)

    def leased(self, rows: Sequence[Leased | LeasedSlice], now: int) -> None:
        self._first.leased(rows, now)
        self._second.leased(rows, now)

    def reported(
        self, rows: Sequence[Sequence[Any]], slices: Sequence[ReportedSlice], running: LeasedTasks
    ) -> None:
        self._first.reported(rows, slices, running)
        self._second.reported(rows, slices, running)

    def begun(self, route: int) -> None:
        self._first.begun(route)
        self._second.begun(route)

    def came_back(self, route: int) -> None:
        self._first.came_back(route)
        self._second.came_back(route)

    def attempts_ended(
        self, held: LeasedAttempt, outcome: OutcomeNumber, state: StateNumber, times: int
    ) -> None:
        self._first.attempts_ended(held, outcome, state, times)
        self._second.attempts_ended(held, outcome, state, times)


def count(engine: Engine) -> MasterMeters:
    """MasterMeters that count everything from now on."""
    meters = MasterMeters(engine.store, engine.part(Routes))
    completion = engine.part(Completion)
    dispatch = engine.part(Dispatch)
    both = BothMeters(meters, engine.part(Series).meter)
    dispatch.meters = dispatch.parked.meters = both
    completion.meters = completion.unsuccessful.meters = both
    engine.endings.listen(meters.ended)
    return meters
