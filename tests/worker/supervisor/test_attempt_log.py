"""What a worker logs of attempts that fail."""

from __future__ import annotations

import asyncio

from tq.common.domain.ids import show_id
from tq.common.domain.model import OutcomeNumber
from tq.common.runtime.limited_log import LINES_AT_ONCE
from tq.common.values.failure import Failure
from tq.worker.agent.jobs import Death
from tq.worker.agent.reports import JobReport

from .bench import Bench, on_a_bench

ID = b"i" * 16
BODY = Failure("ValueError", "not in the log").encode()


def end_one(bench: Bench, outcome: OutcomeNumber) -> None:
    bench.give_job()
    [job] = bench.children[0].jobs
    bench.children[0].jobs.clear()
    report = JobReport(job.ordinal, int(outcome), BODY, 1.7e9, 0.1, None)
    bench.pool.agent.child_reported(bench.children[0].number, [report], asyncio.get_running_loop().time())


def test_a_failed_attempt_is_one_line_with_its_task_and_the_type_of_its_error() -> None:
    async def test(bench: Bench) -> None:
        for outcome in (OutcomeNumber.SUCCESS, OutcomeNumber.SNOOZE, OutcomeNumber.ERROR):
            end_one(bench, outcome)
        assert [fields for action, fields in bench.reports if action == "attempt.failed"] == [
            {
                "level": "warning", "task": show_id(ID), "name": "m:f", "queue": "default", "attempt": 1,
                "outcome": "error", "type": "ValueError",
            }
        ]  # fmt: skip
        assert "not in the log" not in str(bench.reports)

    on_a_bench(test)


def test_of_a_thousand_failures_a_few_are_lines() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(1_000):
            end_one(bench, OutcomeNumber.ERROR)
        assert bench.actions().count("attempt.failed") == LINES_AT_ONCE

    on_a_bench(test)


def test_a_child_that_died_is_a_line_with_the_task_that_it_ran() -> None:
    async def test(bench: Bench) -> None:
        bench.give_job()
        bench.pool.runners.child_died(bench.children[0], Death(-11))
        [died] = [fields for action, fields in bench.reports if action == "child.died"]
        assert (died["task"], died["name"], died["attempt"]) == (show_id(ID), "m:f", 1)

    on_a_bench(test)


def test_a_child_that_died_with_nothing_to_do_is_a_line_without_a_task() -> None:
    async def test(bench: Bench) -> None:
        bench.pool.runners.child_died(bench.children[0], Death(-11))
        [died] = [fields for action, fields in bench.reports if action == "child.died"]
        assert "task" not in died

    on_a_bench(test)
