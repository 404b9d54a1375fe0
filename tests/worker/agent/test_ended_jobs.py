"""What came of jobs: a slice of results is one thing, and every job of it has its own attempt and lease."""

from __future__ import annotations

from array import array
from types import SimpleNamespace

from tq.common.domain.model import OutcomeNumber
from tq.worker.agent.ended_jobs import EndedJobs
from tq.worker.agent.jobs import Job
from tq.worker.agent.outbox import Outbox
from tq.worker.agent.reports import SliceReport
from tq.worker.agent.runs import JobRun
from tq.worker.agent.task_durations import TaskDurations


def run(first: int, count: int, attempt: int, lease: bytes) -> JobRun:
    return JobRun(first.to_bytes(16, "big"), attempt, lease, "q", "m:f", None, [b"payload"] * count)


def test_a_slice_of_several_runs_is_reported_for_each_and_measured_once() -> None:
    durations, outbox = TaskDurations(), Outbox()
    watched: list[tuple[Job, int, bytes | None, float]] = []
    ended = EndedJobs(durations, SimpleNamespace(outbox=outbox))
    ended.watch = lambda *what: watched.append(what)
    runs = [run(1, 2, 5, b"one"), run(9, 1, 6, b"two")]
    times = array("d", [5.0, 6.0, 7.0]), array("d", [0.001, 0.002, 0.003])
    ended.slice(runs, SliceReport(7, [b"a", b"b", b"c"], *times))
    call = outbox.take_call()
    assert call is not None
    jobs = [job for one in runs for job in one.jobs()]
    assert [row[:3] for row in call.rows()] == [(job.id, job.attempt, job.lease) for job in jobs]
    assert [(row.outcome, row.body, row.started, row.seconds, row.after) for row in call.rows()] == [
        (OutcomeNumber.SUCCESS, b"a", 5.0, 0.001, None),
        (OutcomeNumber.SUCCESS, b"b", 6.0, 0.002, None),
        (OutcomeNumber.SUCCESS, b"c", 7.0, 0.003, None),
    ]
    assert watched == [(jobs[0], 0, b"a", 0.001), (jobs[1], 0, b"b", 0.002), (jobs[2], 0, b"c", 0.003)]
    assert durations.batch_size("m:f") == 2
