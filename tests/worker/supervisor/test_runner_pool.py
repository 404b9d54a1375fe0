"""What a worker does when a child cannot be started."""

from __future__ import annotations

import asyncio
import errno

import pytest
from tq.common.errors import ConfigError
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
