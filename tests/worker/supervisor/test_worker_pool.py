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
