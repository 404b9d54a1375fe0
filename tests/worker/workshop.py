"""A worker without sockets, processes or a clock: the shipped agent, and effects that are only recorded.

Children here are two lists: jobs they were sent and tickets they have not read. They begin, end and die
when a test says so; time passes when a test says so.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable
from typing import Any

from tq.common.domain.model import OutcomeNumber
from tq.common.values.failure import Failure
from tq.worker.agent.agent import Agent
from tq.worker.agent.jobs import Death, Job, JobReport
from tq.worker.agent.watchdog import TICK_SECONDS

KILL_GRACE_SECONDS = 5.0
LEASE = b"lease"
SHORT, LONG = 0.0005, 1.0  # seconds a task takes: many are read ahead, or none

Row = list[Any]


class SimulatedChild:
    """What a child process knows: its jobs, the tickets in its pipe, what it runs, what it has yet to tell."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.tickets: deque[int] = deque()
        self.running: Job | None = None
        self.unsaid: list[JobReport] = []

    def begin(self) -> Job:
        """Read a ticket."""
        assert self.running is None
        self.running = self.jobs.pop(self.tickets.popleft())
        return self.running

    def end(
        self, outcome: int = OutcomeNumber.SUCCESS, seconds: float = SHORT, body: bytes | None = b"result"
    ) -> None:
        """What runs is over; it is not reported yet."""
        assert self.running is not None
        self.unsaid.append(JobReport(self.running.ordinal, int(outcome), body, 1.7e9, seconds, None))
        self.running = None


class Workshop:
    """An agent and lists of the effects it had."""

    def __init__(self, slots: int = 2, *, connected: bool = True, **limits: int) -> None:
        self.now, self.reports = 1_000.0, list[tuple[str, dict[str, Any]]]()
        self.sims: dict[int, SimulatedChild] = {}
        self.leases: deque[int] = deque()  # what unanswered lease calls want
        self.finishing: deque[list[Row]] = deque()  # the rows of unanswered finish calls
        self.released: list[Row] = []
        self.starts: deque[list[bytes]] = deque()  # unanswered announcements of suspects
        self.notices: list[tuple[int, int, str]] = []
        self.signals: list[tuple[int, bool]] = []
        self.dumped: list[int] = []
        self.retired: list[int] = []
        self.begun_rows: list[list[Row]] = []  # what runs, each time it was reported besides the heartbeats
        self._ids = itertools.count(1)
        self.agent = Agent(
            self,
            self,
            slots,
            kill_grace_seconds=KILL_GRACE_SECONDS,
            report=lambda action, **fields: self.reports.append((action, fields)),
            **limits,
        )
        for _ in range(slots):
            self.hire()
        if connected:
            self.agent.connect([], self.now)

    # effects.ChildEffects and MasterEffects

    def send(self, child: int, jobs: list[Job]) -> None:
        sim = self.sims[child]
        for job in jobs:
            assert job.ordinal not in sim.jobs
            sim.jobs[job.ordinal] = job
            sim.tickets.append(job.ordinal)

    def unread(self, child: int) -> int:
        return len(self.sims[child].tickets)

    def take_back(self, child: int) -> list[int]:
        sim = self.sims[child]
        taken = list(sim.tickets)
        sim.tickets.clear()
        for ordinal in taken:
            del sim.jobs[ordinal]
        return taken

    def notify(self, child: int, ordinal: int, kind: str) -> None:
        self.notices.append((child, ordinal, kind))

    def signal(self, child: int, *, kill: bool) -> None:
        self.signals.append((child, kill))

    def dump(self, child: int) -> None:
        self.dumped.append(child)

    def retire(self, child: int) -> None:
        assert not self.sims[child].tickets
        assert self.sims[child].running is None
        self.retired.append(child)

    def began(self, rows: list[Row]) -> None:
        self.begun_rows.append(rows)

    def lease(self, want: int) -> None:
        self.leases.append(want)

    def finish(self, rows: list[Row], blobs: list[Row] | None) -> None:
        self.finishing.append(rows)
        self.named = blobs

    def release(self, held: list[Row]) -> None:
        self.released += held

    def starting(self, ids: list[bytes]) -> None:
        self.starts.append(ids)

    # children

    def hire(self, number: int = 0) -> int:
        """One more child says that it is ready; its number."""
        number = number or max(self.sims, default=0) + 1
        self.sims[number] = SimulatedChild()
        self.agent.child_ready(number, self.now)
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
        self.agent.child_died(child, Death(code), list(sim.tickets), self.now)

    def running(self) -> list[bytes]:
        return [sim.running.id for sim in self.sims.values() if sim.running is not None]

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
    ) -> list[bytes]:
        """Answer the oldest lease call; the ids."""
        entries = self.tasks(tasks) if isinstance(tasks, int) else tasks
        self.leases.popleft()
        self.agent.granted(lease, [["q", name, timeout, entries]], self.now)
        return [entry[0] for entry in entries]

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
            [number] = [number for number, sim in self.sims.items() if sim.tickets]
            self.run(number, seconds=seconds)
            self.acknowledge()


def outcome_of(row: Row) -> OutcomeNumber:
    return OutcomeNumber(row[3])


def failure_of(row: Row) -> Failure:
    return Failure.decode(row[4])
