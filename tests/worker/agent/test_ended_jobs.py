"""What came of jobs: every one of a slice has its own row, with its own attempt and lease."""

from __future__ import annotations

from tq.common.domain.model import OutcomeNumber
from tq.worker.agent.ended_jobs import EndedJobs
from tq.worker.agent.jobs import Job
from tq.worker.agent.outbox import Outbox
from tq.worker.agent.reports import SliceReport
from tq.worker.agent.task_durations import TaskDurations


def job(number: int, lease: bytes) -> Job:
    return Job(bytes([number]) * 16, number, lease, "q", "m:f", None, b"payload")


def test_a_slice_is_a_row_for_each_job_and_one_measurement_of_all() -> None:
    durations, outbox = TaskDurations(), Outbox()
    watched: list[tuple[Job, int, bytes | None, float]] = []
    ended = EndedJobs(durations, outbox)
    ended.watch = lambda *what: watched.append(what)
    jobs = [job(1, b"one"), job(2, b"two")]
    ended.slice(jobs, SliceReport(7, [b"a", b"b"], [5.0, 6.0], [0.001, 0.003]))
    rows = outbox.take_call()
    assert [(row.id, row.attempt, row.lease) for row in rows] == [
        (one.id, one.attempt, one.lease) for one in jobs
    ]
    assert [(row.outcome, row.body, row.started, row.seconds, row.after) for row in rows] == [
        (OutcomeNumber.SUCCESS, b"a", 5.0, 0.001, None),
        (OutcomeNumber.SUCCESS, b"b", 6.0, 0.003, None),
    ]
    assert watched == [(jobs[0], 0, b"a", 0.001), (jobs[1], 0, b"b", 0.003)]
    assert durations.batch_size("m:f") == 2
