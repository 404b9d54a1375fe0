"""Reports that the master refuses, from a real worker: each costs its own attempt and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import tq

from .conftest import WorkerFactory

SECONDS = 20.0


@pytest.mark.parametrize("after", [2.0**1000, float("inf"), float("nan"), -5.0])
def test_a_report_the_master_refuses_costs_its_attempt_and_not_the_connection(
    app: tq.App, worker_factory: WorkerFactory, after: float
) -> None:
    worker = worker_factory(slots=1)
    before = app.named("cluster_tasks:add").starmap((number, 1) for number in range(50))
    poison = app.submit("cluster_tasks:retry_unchecked", after)
    later = app.named("cluster_tasks:add").starmap((number, 2) for number in range(50))
    with pytest.raises(tq.TaskError, match="the master refused the report of this attempt"):
        poison.result(timeout=SECONDS)
    assert list(before.results(timeout=SECONDS)) == list(range(1, 51))
    assert list(later.results(timeout=SECONDS)) == list(range(2, 52))
    assert worker.log.count("task.report_refused") == 1
    assert poison.id in worker.log
    assert "worker.disconnected" not in worker.log
    assert worker.terminate() == 0


def test_a_wish_that_no_delay_may_have_is_reported_where_it_was_made(
    cluster: tuple[object, tq.App], tmp_path: Path
) -> None:
    _, app = cluster
    handle = app.submit("cluster_tasks:ask_again", str(tmp_path / "tries"), float("inf"))
    with pytest.raises(tq.TaskError) as caught:
        handle.result(timeout=SECONDS)
    assert "tq.Retry(after=…): after must be a number, not inf" in str(caught.value)
