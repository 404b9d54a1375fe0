"""Blocks of jobs: what is in one, and when what came of it leaves."""

from __future__ import annotations

from tq.worker.agent.task_durations import SWIFT_SECONDS
from tq.worker.agent.watchdog import LOOK_SECONDS

from ..workshop import Workshop


def test_a_result_does_not_wait_for_the_next_tick_when_the_job_after_it_is_slow() -> None:
    shop = Workshop(slots=1)
    shop.warm_up()
    shop.grant(3)
    over = shop.begin(1)
    shop.sims[1].end()
    shop.begin(1)
    shop.now += LOOK_SECONDS
    assert shop.agent.look(shop.now), "as long as jobs are queued it is looked again"
    assert shop.notices == []
    shop.now += LOOK_SECONDS
    shop.agent.look(shop.now)
    assert [kind for _, _, kind in shop.notices] == ["flush"]
    shop.report(1)
    assert [row[0] for row in shop.acknowledge()] == [over]


def test_an_idle_worker_is_not_looked_at() -> None:
    shop = Workshop(slots=1)
    assert not shop.agent.look(shop.now)
    shop.grant(1)
    assert not shop.agent.look(shop.now), "one job keeps nothing back"


def test_reports_may_wait_for_tasks_that_are_known_to_be_short_only() -> None:
    shop = Workshop(slots=1)
    shop.warm_up(seconds=SWIFT_SECONDS / 2, count=2)
    assert shop.swift == [False, True], "of the first one nothing is known"
    shop.warm_up(name="m:slow", seconds=SWIFT_SECONDS, count=2)
    assert shop.swift[2:] == [False, False]


def test_a_block_is_of_one_lease_and_one_task() -> None:
    """The shop asserts that of every block."""
    shop = Workshop(slots=1)
    shop.warm_up()
    ids = shop.grant(2, lease=b"first" + bytes(11))
    ids += shop.grant(2, lease=b"second" + bytes(10))
    assert len(shop.sims[1].unstarted) >= 2
    while len(ids) > 0:
        assert shop.run(1) == ids.pop(0)
