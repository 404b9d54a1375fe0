"""A pool of a worker: what is said of it at the start."""

from __future__ import annotations

from tq.common.runtime.pool_spec import parse_pool

from .bench import Bench, on_a_bench


def test_functions_that_an_async_pool_runs_in_threads_are_named_once() -> None:
    async def test(bench: Bench) -> None:
        [fields] = [fields for action, fields in bench.reports if action == "pool.threads"]
        assert fields == {"pool": "async:5", "tasks": "m:f"}

    on_a_bench(test, parse_pool("async:5"))


def test_of_processes_nothing_is_said() -> None:
    async def test(bench: Bench) -> None:
        assert "pool.threads" not in bench.actions()

    on_a_bench(test)


def test_a_pool_is_called_what_it_was_started_as_and_threads_in_a_program_are_threads() -> None:
    async def test(bench: Bench) -> None:
        bench.pool.agent.slots = 10
        assert bench.pool.as_said == ("thread:10", 10)
        bench.pool._is_in_program = False
        assert bench.pool.as_said == ("async:5x1-4", 10)

    on_a_bench(test, parse_pool("async:5x1-4@fetch"))
