"""How a worker ends when it is stopped."""

from __future__ import annotations

import asyncio

from tq.worker.agent.jobs import Death
from tq.worker.agent.watchdog import TICK_SECONDS

from .bench import Bench, on_a_bench


def test_a_worker_that_has_given_up_its_jobs_does_not_look_after_them_any_more() -> None:
    """Its children are killed and die in any order with a tick that was due."""

    async def test(bench: Bench) -> None:
        bench.give_job()
        assert bench.children[0].jobs
        bench.supervisor.stop()
        bench.pool.runners.child_died(bench.children[0], Death(-9, is_ours=True))
        asyncio.get_running_loop().call_later(3 * TICK_SECONDS, bench.happened.set)
        bench.happened.clear()
        await bench.happened.wait()
        assert bench.children[0].was_killed
        assert "worker.bug" not in bench.actions()

    on_a_bench(test)
