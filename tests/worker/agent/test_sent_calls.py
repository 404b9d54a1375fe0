"""Which jobs of a child run as one call, and how many calls its jobs are."""

from __future__ import annotations

from tq.worker.agent.runs import JobQueue, JobRun
from tq.worker.agent.sent_calls import SentCalls


def run(first: int, jobs: int) -> JobRun:
    return JobRun(first.to_bytes(16, "big"), 1, b"lease", "q", "m:f", None, [b""] * jobs, ordinal=first)


def test_jobs_of_a_call_count_as_one_and_others_each() -> None:
    calls, jobs = SentCalls(), JobQueue([run(1, 3)])
    assert calls.count(jobs) == 3
    for first, runs in ((4, [run(4, 2), run(6, 3)]), (9, [run(9, 5)])):
        jobs.put(runs)
        calls.sent(range(first, runs[-1].end), jobs)
    assert calls.count(jobs) == 3 + 1 + 1
    jobs.put([run(14, 2)])
    assert calls.count(jobs) == 3 + 1 + 1 + 2


def test_a_job_is_asked_for_its_own_call() -> None:
    calls, jobs = SentCalls(), JobQueue([run(4, 5)])
    calls.sent(range(4, 9), jobs)
    assert [calls.with_job(one) for one in (3, 4, 8, 9)] == [None, range(4, 9), range(4, 9), None]


def test_what_was_taken_back_counts_no_more_and_what_is_over_is_forgotten() -> None:
    calls, jobs = SentCalls(), JobQueue([run(1, 5)])
    calls.sent(range(1, 6), jobs)
    jobs.put([run(6, 5)])
    calls.sent(range(6, 11), jobs)
    jobs.take_last(5)
    assert calls.count(jobs) == 1
    jobs.take_first(5)
    jobs.put([run(20, 5)])
    calls.sent(range(20, 25), jobs)
    assert [calls.with_job(one) for one in (1, 6, 20)] == [None, None, range(20, 25)]
    assert calls.count(jobs) == 1
