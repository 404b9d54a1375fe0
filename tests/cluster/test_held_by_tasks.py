"""What tasks hold of managers' queues and locks is their own process's, not their worker's."""

from __future__ import annotations

from pathlib import Path

import pytest
import tq
from tq.client.items.queue import ItemQueue
from tq.client.locks.locks import Lock

from .conftest import MasterFactory, ProxyFactory, WorkerFactory
from .programs import Master, eventually, let_pass

TASKS = Path(__file__).with_name("holding_tasks.py")
GRACE_SECONDS = 1.0


@pytest.fixture
def master(master_factory: MasterFactory) -> Master:
    return master_factory("--grace-seconds", GRACE_SECONDS)


def test_what_a_task_held_is_free_when_its_process_died_and_what_it_waited_for_goes_to_others(
    app: tq.App, worker_factory: WorkerFactory
) -> None:
    worker = worker_factory(slots=1, tasks=TASKS)
    queue = ItemQueue(app.session, "x")
    queue.put("first")
    handle = app.named("holding_tasks:take_and_die").using(max_crashes=1).submit("x")
    with pytest.raises(tq.TaskCrashed):
        handle.result(timeout=30)
    lock = Lock(app.session, "x")
    assert lock.acquire(timeout=10 * GRACE_SECONDS)
    assert lock.token == 2
    assert queue.get(timeout=10 * GRACE_SECONDS) == "first"
    queue.put("second")
    assert queue.get(timeout=10 * GRACE_SECONDS) == "second"
    assert worker.running


def test_what_a_task_holds_stays_its_own_over_a_lost_connection_of_its_worker(
    app: tq.App, master: Master, proxy_factory: ProxyFactory, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    proxy = proxy_factory(master.port)
    worker_factory(slots=1, tasks=TASKS, address=proxy.address, authkey=master.authkey)
    started, release = tmp_path / "started", tmp_path / "release"
    handle = app.submit("holding_tasks:hold_lock", "x", str(started), str(release))
    eventually(started.exists)
    connections = proxy.accepted
    proxy.cut()
    eventually(lambda: proxy.accepted > connections)
    let_pass(2 * GRACE_SECONDS)
    assert not Lock(app.session, "x").acquire(False)
    release.touch()
    assert handle.result(timeout=30) is True
    assert len(handle.attempts) == 1
    assert Lock(app.session, "x").acquire(timeout=10 * GRACE_SECONDS)
