"""A worker without sockets, processes or a clock: the shipped agent, and effects that are only recorded.

Children here are a list of jobs that they were sent and have not begun, and the page that says what they have. They begin,
end and die when a test says so; time passes when a test says so.
"""

from __future__ import annotations

import itertools
from array import array
from collections import deque
from collections.abc import Iterable
from typing import Any

from tq.common.domain.id_runs import IdRun, ids_named
from tq.common.domain.indexes import Indexes
from tq.common.domain.model import OutcomeNumber
from tq.common.values.failure import Failure
from tq.worker.agent.agent import Agent
from tq.worker.agent.concurrent_children import Concurrency
from tq.worker.agent.finish_call import FinishCall
from tq.worker.agent.jobs import Death, Job
from tq.worker.agent.reports import JobReport, LeftReport, Report, SliceReport
from tq.worker.agent.runs import JobRun
from tq.worker.agent.watchdog import TICK_SECONDS
from tq.worker.child.start_page import BEGUN, LEFT, RUNS, TAKEN, StartPage

KILL_GRACE_SECONDS = 5.0
LEASE = b"lease"
SHORT, LONG = 0.0005, 1.0  # seconds a task takes: many are read ahead, or none

Row = list[Any]


class SimulatedChild:
    """What a child process knows: its jobs, its page, what it runs, what it has yet to report."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.unstarted: deque[int] = deque()  # ordinals
        self.words = [0] * 32
        self.page = StartPage(self.words)
        self.last_sent = 0
        self.between: tuple[int, Job] | None = None  # the two steps that begin this job
        self.running: Job | None = None
        self.unsaid: list[Report] = []

    def begin(self) -> Job:
        """Come to the next job."""
        assert self.running is None
        ordinal = self.unstarted.popleft()
        assert self.page.begin(ordinal)
        self.running = self.jobs.pop(ordinal)
        return self.running

    def come_to(self) -> Job:
        """The first of the two steps that begin a job: the supervisor counts it as begun."""
        ordinal = self.unstarted.popleft()
        self.words[BEGUN], self.between = ordinal, (ordinal, self.jobs.pop(ordinal))
        return self.between[1]

    def go_on(self) -> bool:
        """The second step. Whether the job has begun; else it was taken back meanwhile, and is left."""
        assert self.between is not None
        (ordinal, job), self.between = self.between, None
        if self.words[TAKEN] < ordinal:
            self.words[RUNS], self.running = ordinal, job
            return True
        self.words[LEFT] = ordinal
        self.unsaid.append(LeftReport(ordinal))
        return False

    def end(
        self, outcome: int = OutcomeNumber.SUCCESS, seconds: float = SHORT, body: bytes | None = b"result"
    ) -> None:
        """What runs is over; it is not reported yet."""
        assert self.running is not None
        self._note(self.running.ordinal, int(outcome), body, seconds)
        self.running = None

    def _note(self, ordinal: int, outcome: int, body: bytes | None, seconds: float) -> None:
        """Results of consecutive ordinals travel together."""
        last = self.unsaid[-1] if self.unsaid else None
        if outcome or body is None:
            self.unsaid.append(JobReport(ordinal, outcome, body, 1.7e9, seconds, None))
        elif isinstance(last, SliceReport) and last.ordinal + len(last.bodies) == ordinal:
            self.unsaid[-1] = SliceReport(
                last.ordinal,
                [*last.bodies, body],
                array("d", [*last.started, 1.7e9]),
                array("d", [*last.seconds, seconds]),
            )
        else:
            self.unsaid.append(SliceReport(ordinal, [body], array("d", [1.7e9]), array("d", [seconds])))


class Workshop:
    """An agent and lists of the effects it had."""

    def __init__(
        self,
        slots: int = 2,
        *,
        connected: bool = True,
        places: int = 0,
        indexes: Indexes | None = None,
        **limits: int,
    ) -> None:
        """``places``: how many jobs each child runs at a time; 0: one after the other. ``indexes``: see ``worker/agent/allotting.py``."""
        self.now, self.reports = 1_000.0, list[tuple[str, dict[str, Any]]]()
        self.sims: dict[int, SimulatedChild] = {}
        self.leases: deque[int] = deque()  # what unanswered lease calls want
        self.finishing: deque[list[Row]] = deque()  # the rows of unanswered finish calls
        self.gathers: list[float] = []  # the moments up to which reports are gathered
        self.released: list[Row] = []
        self.starts: deque[list[bytes]] = deque()  # unanswered announcements of suspects
        self.given: dict[int, dict[str, list[str]]] = {}  # units of resources, by ordinal
        self.notices: list[tuple[int, int, str]] = []
        self.signals: list[tuple[int, bool]] = []
        self.dumped: list[int] = []
        self.swift: list[bool] = []  # whether reports may wait for the jobs of each block that was sent
        self.retired: list[int] = []
        self.replaced: list[int] = []
        self.beats: dict[int, tuple[int, int]] = {}  # of loops that stand still
        self.starved_share = 0.0  # of the time that loops have no processor,
        self.own_threads_share = 0.0  # and that threads of their own process have Python's lock
        self._beats = itertools.count()
        # Calls for what waiting tasks wait for
        self.lends: deque[tuple[int, bytes, list[IdRun], int]] = deque()
        self.lent_started = 0
        self.refused: list[tuple[int, int, str]] = []
        self.begun_rows: list[list[Row]] = []  # what runs, each time it was reported besides the heartbeats
        self._ids = itertools.count(1)
        self.agent = Agent(
            self,
            self,
            slots * max(1, places),
            lent=self,
            kill_grace_seconds=KILL_GRACE_SECONDS,
            report=lambda action, **fields: self.reports.append((action, fields)),
            concurrent=Concurrency(places, self) if places else None,
            indexes=indexes,
            **limits,
        )
        for _ in range(slots):
            self.hire()
        if connected:
            self.agent.connect([], self.now)

    # effects.ChildEffects and MasterEffects

    def send(self, child: int, runs: list[JobRun], *, is_swift: bool) -> None:
        sim, jobs = self.sims[child], jobs_of(runs)
        assert [job.ordinal for job in jobs] == list(range(jobs[0].ordinal, jobs[-1].ordinal + 1))
        assert len({(job.lease, job.name) for job in jobs}) == 1
        assert jobs[0].ordinal > sim.words[TAKEN]
        sim.last_sent = jobs[-1].ordinal
        self.swift.append(is_swift)
        for run in runs:
            if run.given:
                assert run is runs[0]
                assert len(jobs) == 1 or run.name in self.agent.durations.together
                self.given[run.ordinal] = run.given
        for job in jobs:
            sim.jobs[job.ordinal] = job
            sim.unstarted.append(job.ordinal)

    def begun(self, child: int, *, for_certain: bool = False) -> int:
        page = self.sims[child].page
        return page.runs if for_certain else page.begun

    def take_back(self, child: int) -> int:
        sim = self.sims[child]
        begun = sim.page.take_back(sim.last_sent)
        for ordinal in sim.unstarted:
            del sim.jobs[ordinal]
        sim.unstarted.clear()
        return begun

    def notify(self, child: int, ordinal: int, kind: str) -> None:
        self.notices.append((child, ordinal, kind))

    def signal(self, child: int, *, kill: bool) -> None:
        self.signals.append((child, kill))

    def dump(self, child: int) -> None:
        self.dumped.append(child)

    def retire(self, child: int) -> None:
        assert not self.sims[child].unstarted
        assert self.sims[child].running is None
        self.retired.append(child)

    def replace(self, child: int) -> None:
        self.replaced.append(child)

    def beat(self, child: int) -> tuple[int, int]:
        return self.beats.get(child, (next(self._beats), 0))

    def starved(self, child: int, now: float) -> tuple[float, float]:
        return now * self.starved_share, now * self.own_threads_share

    def stack(self, child: int, ordinal: int) -> str:
        return f"the stack of job {ordinal}"

    def start_lent(self) -> None:
        self.lent_started += 1

    def refuse_wait(self, child: int, wait: int, why: str) -> None:
        self.refused.append((child, wait, why))

    def lend(self, token: int, waiter: bytes, runs: list[IdRun], want: int) -> None:
        self.lends.append((token, waiter, runs, want))

    def began(self, rows: list[Row]) -> None:
        self.begun_rows.append(rows)

    def lease(self, want: int) -> None:
        self.leases.append(want)

    def finish(self, call: FinishCall) -> None:
        self.call = call
        self.finishing.append(call.rows())

    def finish_later(self, seconds: float) -> None:
        self.gathers.append(self.now + seconds)

    def release(self, held: list[Row]) -> None:
        self.released.extend(one_by_one(held))

    def starting(self, ids: list[bytes]) -> None:
        self.starts.append(ids)

    # children

    def hire(self, number: int = 0, *, is_lent: bool = False) -> int:
        """One more child says that it is ready; its number."""
        number = number or max(self.sims, default=0) + 1
        self.sims[number] = SimulatedChild()
        self.agent.child_ready(number, self.now, is_lent=is_lent)
        return number

    def begin(self, child: int) -> bytes:
        return self.sims[child].begin().id

    def report(self, child: int) -> None:
        """Bring what it has to tell."""
        unsaid, self.sims[child].unsaid = self.sims[child].unsaid, []
        self.agent.child_reported(child, unsaid, self.now)

    def run(
        self,
        child: int,
        outcome: int = OutcomeNumber.SUCCESS,
        seconds: float = SHORT,
        body: bytes = b"result",
    ) -> bytes:
        """Begin, end and tell one job; its id."""
        id = self.begin(child)
        self.sims[child].end(outcome, seconds, body)
        self.report(child)
        return id

    def die(self, child: int, code: int = -9) -> None:
        sim = self.sims.pop(child)
        self.agent.child_died(child, Death(code), sim.page.begun, self.now)

    def running(self) -> list[bytes]:
        return [sim.running.id for sim in self.sims.values() if sim.running is not None]

    # children that run many jobs at a time

    def begin_all(self, child: int) -> list[int]:
        """Begin all that it was sent; the ordinals."""
        sim, begun = self.sims[child], list[int]()
        while sim.unstarted:
            begun.append(sim.unstarted.popleft())
            assert sim.page.begin(begun[-1])
        return begun

    def end(
        self, child: int, *ordinals: int, outcome: int = OutcomeNumber.SUCCESS, seconds: float = LONG
    ) -> None:
        """These jobs end, in this order, and are reported."""
        for ordinal in ordinals:
            self.sims[child].jobs.pop(ordinal)
        body = b"result" if outcome == OutcomeNumber.SUCCESS else None
        reports = [JobReport(one, int(outcome), body, 1.7e9, seconds, None) for one in ordinals]
        self.agent.child_reported(child, reports, self.now)

    def stand_still(self, child: int, holder: int) -> None:
        """Its loop stands still from now on, in code of this job; 0: of none."""
        self.beats[child] = (next(self._beats), holder)

    def has(self, action: str) -> bool:
        return any(one == action for one, _ in self.reports)

    # the master

    def tasks(self, count: int, *, attempt: int = 1, suspect: bool = False) -> list[Row]:
        """Entries of a lease reply."""
        entries = [[next(self._ids).to_bytes(16, "big"), attempt, b"payload"] for _ in range(count)]
        return [[*entry, True] if suspect else entry for entry in entries]

    def grant(
        self,
        tasks: int | list[Row] = 1,
        *,
        name: str = "m:f",
        timeout: float | None = None,
        lease: bytes = LEASE,
        needs: dict[str, int] | None = None,
    ) -> list[bytes]:
        """Answer the oldest lease call; the ids."""
        entries = self.tasks(tasks) if isinstance(tasks, int) else tasks
        self.leases.popleft()
        group: Row = ["q", name, timeout, as_granted(entries)]
        self.agent.granted(lease, [[*group, needs] if needs else group], self.now)
        return [entry[0] for entry in entries]

    @property
    def jobs(self) -> list[Job]:
        """What the agent has in hand that is not over, as far as it knows."""
        return jobs_of(self.agent.runs)

    @property
    def held(self) -> list[Row]:
        """Every lease in hand, a row for each."""
        return one_by_one(self.agent.held)

    def acknowledge(self, stale: Iterable[int] = ()) -> list[Row]:
        """Answer the finish call; its rows."""
        rows = self.finishing.popleft()
        self.agent.finished(list(stale), self.now)
        return rows

    def cut(self) -> None:
        """The line breaks; what was asked is never answered."""
        self.agent.disconnect()
        self.leases.clear()
        self.finishing.clear()
        self.starts.clear()

    # time

    def wait(self, seconds: float) -> None:
        """Let time pass in ticks."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + TICK_SECONDS)
            self.agent.tick(self.now)

    def warm_up(self, name: str = "m:f", seconds: float = SHORT, count: int = 3) -> None:
        """Run some, so that it is known how long they take."""
        for _ in range(count):
            self.grant(1, name=name)
            [number] = [number for number, sim in self.sims.items() if sim.unstarted]
            self.run(number, seconds=seconds)
            self.acknowledge()


def jobs_of(runs: Iterable[JobRun]) -> list[Job]:
    return [job for run in runs for job in run.jobs()]


def one_by_one(rows: Iterable[Row]) -> list[Row]:
    """A row for each task, where a row may name a run of them."""
    return [[id, *rest] for named, *rest in rows for id in ids_named([named])]


def as_granted(entries: list[Row]) -> list[Row]:
    """Neighbours as a master grants them: as runs."""
    granted: list[Row] = []
    following = -1
    for id, attempt, payload, *rest in entries:
        if int.from_bytes(id, "big") == following and granted[-1][1] == attempt and not rest:
            granted[-1][2].append(payload)
        else:
            granted.append([id, attempt, payload, *rest] if rest else [id, attempt, [payload]])
        following = -1 if rest else int.from_bytes(id, "big") + 1
    return granted


def outcome_of(row: Row) -> OutcomeNumber:
    return OutcomeNumber(row[3])


def failure_of(row: Row) -> Failure:
    return Failure.decode(row[4])
