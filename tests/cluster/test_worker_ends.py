"""How a real worker ends: one signal, two, three; with jobs running, waiting and reporting.

The master here would wait ten minutes for a worker that is gone without a goodbye. Whatever is handed back within
seconds was handed back by the goodbye.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import tq

from .conftest import MasterFactory, WorkerFactory
from .programs import Master, Worker, eventually, stalled
from .test_drain import Held

SECONDS = 45.0  # of a busy machine; far less than the master's grace
GRACE_SECONDS = 600


@pytest.fixture
def master(master_factory: MasterFactory) -> Master:
    return master_factory("--grace-seconds", GRACE_SECONDS, "--lease-seconds", 2 * GRACE_SECONDS)


def listed(app: tq.App) -> list[dict[str, Any]]:
    return list(app.call(("get_workers",), "list"))


def signals(worker: Worker, count: int) -> None:
    """SIGTERM so many times, each after the one before it has been acted on."""
    for number in range(count):
        worker.signal(signal.SIGTERM)
        if number == 0:
            eventually(lambda: "worker.draining" in worker.log)


def test_a_worker_with_nothing_to_do_is_gone_from_the_list_when_it_has_ended(
    app: tq.App, worker_factory: WorkerFactory
) -> None:
    worker = worker_factory()
    assert len(listed(app)) == 1
    assert worker.terminate() == 0
    assert listed(app) == []
    assert "worker.disconnected" not in worker.log


def test_a_worker_that_is_killed_is_still_listed(app: tq.App, worker_factory: WorkerFactory) -> None:
    worker_factory().kill()
    eventually(lambda: [one["state"] for one in listed(app)] == ["reconnecting"])


def test_three_workers_ended_by_two_signals_cost_a_task_nothing(
    app: tq.App, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    held = Held(app, tmp_path, tasks=2, max_crashes=1)
    for round in range(3):
        worker = worker_factory(slots=1)
        held.wait_for_starts(round + 1)
        signals(worker, 2)
        assert worker.wait() == 1
        assert [handle.state for handle in held.handles] == [tq.State.READY] * 2
        assert listed(app) == []
    held.let_go()
    worker_factory(slots=1)
    assert all(handle.result(timeout=SECONDS) for handle in held.handles)
    assert not {"crash", "lost", "error"} & {name for attempts in held.outcomes() for name in attempts}


def test_nothing_is_leased_to_a_worker_that_drains(
    app: tq.App, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker = worker_factory(slots=2)
    held = Held(app, tmp_path, tasks=1)
    held.wait_for_starts(1)
    signals(worker, 1)
    eventually(lambda: [one["state"] for one in listed(app)] == ["draining"])
    later = app.submit("cluster_tasks:add", 1, 1)
    held.let_go()
    assert worker.wait() == 0
    assert later.state == tq.State.READY
    assert later.attempts == []


def test_what_has_ended_when_the_second_signal_comes_is_reported_and_not_run_again(
    app: tq.App, master: Master, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker = worker_factory(slots=3)
    helds = []
    for name in "123":
        (tmp_path / name).mkdir()
        helds.append(Held(app, tmp_path / name, tasks=1))
        helds[-1].wait_for_starts(1)
    first, second, running = helds
    with stalled([master.pid]):
        for count, held in enumerate((first, second), 1):  # one report is under way, one waits for its answer
            held.let_go()
            eventually(lambda count=count: worker.log.count("let go") == count)  # type: ignore[misc]
        signals(worker, 2)
        eventually(lambda: not worker.children())  # both were acted on
    assert worker.wait() == 1
    assert [held.handles[0].state for held in (first, second)] == [tq.State.SUCCEEDED] * 2
    assert running.handles[0].state == tq.State.READY


def test_a_third_signal_waits_for_nothing(
    app: tq.App, master: Master, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker = worker_factory(slots=1)
    held = Held(app, tmp_path, tasks=1)
    held.wait_for_starts(1)
    with stalled([master.pid]):
        signals(worker, 2)
        eventually(lambda: not worker.children())  # the second was acted on
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 1
        assert "the worker was stopped without waiting for the master" in worker.log
        assert "no answer to its goodbye" not in worker.log


def test_two_signals_without_a_master_end_a_worker_at_once(
    app: tq.App, master: Master, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker = worker_factory(slots=1)
    held = Held(app, tmp_path, tasks=1)
    held.wait_for_starts(1)
    master.kill()
    signals(worker, 2)
    assert worker.wait() == 1
