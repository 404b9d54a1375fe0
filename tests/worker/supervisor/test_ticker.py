"""A worker ticks on, whatever happens in one tick."""

from __future__ import annotations

import pytest

from .bench import Bench, on_a_bench


def test_a_bug_in_one_tick_is_logged_and_the_next_tick_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(bench: Bench) -> None:
        ticks = 0
        agent = bench.pool.agent

        def tick(now: float) -> None:
            nonlocal ticks
            ticks += 1
            bench.happened.set()
            if ticks == 1:
                raise KeyError("this was not foreseen")

        monkeypatch.setattr(agent, "tick", tick)
        bench.give_job()
        await bench.until(lambda: ticks > 2)
        [fields] = [fields for action, fields in bench.reports if action == "worker.bug"]
        assert "this was not foreseen" in fields["error"]

    on_a_bench(test)
