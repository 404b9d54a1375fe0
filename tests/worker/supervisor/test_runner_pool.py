"""What a worker does when a child cannot be started."""

from __future__ import annotations

import asyncio
import errno

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.pool_spec import parse_pool
from tq.worker.agent.jobs import Death
from tq.worker.supervisor import runner_pool

from .bench import Bench, on_a_bench


@pytest.mark.parametrize(
    "refusal",
    [
        OSError(errno.EMFILE, "Too many open files"),
        BlockingIOError(errno.EAGAIN, "no more processes"),
        RuntimeError("can't start new thread"),
        MemoryError(),
    ],
)
def test_a_child_that_cannot_be_started_is_tried_again(
    refusal: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_pool, "RESTART_SECONDS", (0.0, 0.01))

    async def test(bench: Bench) -> None:
        bench.refusals = [refusal, refusal]
        bench.pool.runners.child_died(bench.children[0], Death(-9))
        await bench.until(lambda: len(bench.children) == 2)
        assert bench.actions().count("child.not_started") == 2

    on_a_bench(test)


def test_a_first_child_that_cannot_be_started_ends_the_worker_with_the_reason() -> None:
    async def run() -> None:
        bench = Bench()
        bench.refusals = [OSError(errno.EMFILE, "Too many open files")]
        with pytest.raises(ConfigError, match="Too many open files"):
            await bench.supervisor.load()

    asyncio.run(run())


@pytest.mark.parametrize(("pool", "said"), [("async:5", 1), ("process:1", 0)])
def test_a_pool_in_which_calls_do_not_run_as_one_says_so_once(pool: str, said: int) -> None:
    async def test(bench: Bench) -> None:
        bench.tasks = [["m:f", "default", [], False, 10, b""]]
        runners = bench.pool.runners
        for _ in range(2):
            runners.start_one()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(bench.children) == 3
        assert bench.actions().count("task.runs_alone") == said
        assert runners.agent.durations.together == ({} if said else {"m:f": 10})

    on_a_bench(test, parse_pool(pool))
