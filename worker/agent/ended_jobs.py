"""What came of jobs, as it is measured and put into the outbox. Pure.

::

    a report of a child, or its death ─► EndedJobs ─┬► TaskDurations
                                                    ├► the event pipe, if there is one
                                                    └► Outbox
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from ...common.contract.workers import ReportRow
from ...common.domain.model import OutcomeNumber
from .concurrent_child import UnderWay
from .concurrent_death import given_up
from .ended import EndedSlice
from .jobs import Job
from .outbox import Outbox
from .outboxes import Outboxes
from .reports import JobReport, SliceReport
from .runs import JobRun
from .task_durations import TaskDurations

SUCCESS: Final = int(OutcomeNumber.SUCCESS)


class HasOutbox(Protocol):
    """Which outbox it is may change, before anything has ended."""

    @property
    def outbox(self) -> Outbox | Outboxes: ...


class EndedJobs:
    """``watch``: called with every job that ends, its outcome, its body and its seconds. ``watch_unsuccessful``: called with
    those that ended otherwise than with a result."""

    def __init__(self, durations: TaskDurations, side: HasOutbox) -> None:
        self._durations, self._side = durations, side
        self.watch: Callable[[Job, int, bytes | None, float], None] | None = None
        self.watch_unsuccessful: Callable[[Job, int, bytes | None], None] | None = None

    def one(self, job: Job, report: JobReport) -> None:
        """A child has reported this job."""
        self._durations.record(job.name, report.seconds)
        self.put(job, *report[1:])

    def slice(self, runs: list[JobRun], report: SliceReport) -> None:
        """A child has reported results of these jobs, which are of one task."""
        self._durations.record_all(runs[0].name, report.seconds)
        # Jobs as objects are made only for who watches: `tq dev` and tests.
        if self.watch is not None:
            jobs = [job for run in runs for job in run.jobs()]
            for job, body, seconds in zip(jobs, report.bodies, report.seconds, strict=True):
                self.watch(job, SUCCESS, body, seconds)
        # A child's slice may span runs of several leases; a report is of one.
        start = 0
        for run in runs:
            stop = start + len(run)
            bodies, started = report.bodies[start:stop], report.started[start:stop]
            seconds_of_run, size_bytes = report.seconds[start:stop], sum(map(len, bodies))
            self._side.outbox.put_slice(
                EndedSlice(run.id, run.attempt, run.lease, bodies, started, seconds_of_run, size_bytes)
            )
            start = stop

    def give_up(self, job: Job, about: UnderWay, now: float) -> None:
        """It did not end at its hard limit: the attempt is over all the same."""
        outcome, failure = given_up(job, about)
        self.put(job, outcome, failure.encode(), now, max(0.0, now - about.since), None)

    def put(
        self,
        job: Job,
        outcome: int,
        body: bytes | None,
        started: float,
        seconds: float,
        after: float | None,
        blobs: list[bytes] | None = None,
    ) -> None:
        if self.watch is not None:
            self.watch(job, outcome, body, seconds)
        if outcome and self.watch_unsuccessful is not None:
            self.watch_unsuccessful(job, outcome, body)
        # ``int``: enums do not travel.
        row = ReportRow(job.id, job.attempt, job.lease, int(outcome), body, started, seconds, after)
        self._side.outbox.put(row, blobs or ())
