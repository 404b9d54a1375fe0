"""Attempts as a function and as people see them, on a real cluster whose workers read ahead."""

from __future__ import annotations

import pytest
import tq

from .conftest import Cluster
from .programs import eventually


@pytest.fixture
def app(cluster: Cluster) -> tq.App:
    return cluster.app


def test_what_was_read_ahead_and_handed_back_is_no_repetition(app: tq.App) -> None:
    """Many short tasks make a worker read far ahead; the long ones behind them are handed back and handed out again."""
    late = app.named("cluster_tasks:attempt_after")
    with app.batch():
        quick = [app.named("cluster_tasks:add").submit(n, n) for n in range(1500)]
        slow = [late.submit(0.3) for _ in range(16)]
    running: list[int] = []

    def is_over() -> bool:
        [queue] = [row for row in app.call(("get_queues",), "list") if row["name"] == "default"]
        running.append(queue["running"])
        return all(handle.done() for handle in slow)

    eventually(is_over, 60)
    assert [handle.result(timeout=60) for handle in slow] == [1] * 16
    assert [handle.result(timeout=60) for handle in quick] == [2 * n for n in range(1500)]
    assert {len(handle.attempts) for handle in slow} == {1}
    assert 1 <= max(running) <= 2, "there are two slots"


def test_a_task_is_running_when_it_runs_and_not_before(app: tq.App) -> None:
    late = app.named("cluster_tasks:attempt_after")
    first, second = late.submit(1.5), late.submit(1.5)
    behind = late.submit(0.0)
    eventually(lambda: (first.state, second.state) == (tq.State.RUNNING, tq.State.RUNNING))
    assert behind.state == tq.State.READY
    assert [attempt.outcome for attempt in first.attempts] == [None]
    assert [handle.result(timeout=60) for handle in (first, second, behind)] == [1, 1, 1]
