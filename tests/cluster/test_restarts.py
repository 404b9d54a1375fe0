"""What a restarted master and a restarted worker still know."""

from __future__ import annotations

from pathlib import Path

import pytest
import tq

from .cluster_tasks import count
from .conftest import AppFactory, MasterFactory, WorkerFactory
from .programs import Master, eventually, run_program


def test_results_outlive_the_master(
    app: tq.App, master: Master, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    worker_factory()
    good, bad = app.submit("cluster_tasks:add", 1, 1), app.submit("cluster_tasks:fail", "no")
    assert good.result(timeout=20) == 2
    assert bad.exception(timeout=20) is not None
    master.restart()
    later = app_factory(master.url, master.authkey)
    assert later.get(good.id).result(timeout=20) == 2
    with pytest.raises(tq.TaskError, match="LookupError: no"):
        later.get(bad.id).result(timeout=20)


def test_waiting_tasks_outlive_the_master(app: tq.App, master: Master, worker_factory: WorkerFactory) -> None:
    ready = app.submit("cluster_tasks:add", 1, 1)
    delayed = app.named("cluster_tasks:add", delay=3).submit(2, 2)
    later = app.named("cluster_tasks:add", delay=3600).submit(3, 3)
    master.restart()
    worker_factory()
    assert ready.result(timeout=20) == 2
    assert delayed.result(timeout=20) == 4
    assert later.state == tq.State.SCHEDULED


def test_a_pause_outlives_the_master(admin: tq.App, master: Master, worker_factory: WorkerFactory) -> None:
    admin.call(["get_task_queue", "default"], "pause", "for a reason")
    handle = admin.submit("cluster_tasks:add", 1, 1)
    master.restart()
    worker_factory()
    with pytest.raises(TimeoutError):
        handle.result(timeout=1)
    admin.call(["get_task_queue", "default"], "resume")
    assert handle.result(timeout=20) == 2


def test_a_wait_goes_on_over_a_restart_of_the_master(
    app: tq.App, master: Master, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker_factory()
    started, release = tmp_path / "started", tmp_path / "release"
    handles = [app.submit("cluster_tasks:hold", str(started), str(release)) for _ in range(2)]
    waiting = tq.as_completed(handles, timeout=40)
    eventually(lambda: count(str(started)) == 2)
    master.restart()
    release.touch()
    assert len([handle.result() for handle in waiting]) == 2


def test_a_restarted_worker_goes_on(app: tq.App, worker_factory: WorkerFactory) -> None:
    worker = worker_factory()
    assert app.submit("cluster_tasks:add", 1, 1).result(timeout=20) == 2
    worker.restart()
    assert app.submit("cluster_tasks:add", 2, 2).result(timeout=20) == 4


def test_a_worker_waits_for_a_master_that_is_not_there_yet(
    app: tq.App, master: Master, worker_factory: WorkerFactory
) -> None:
    assert app.submit("cluster_tasks:add", 0, 0).state == tq.State.READY
    master.kill()
    worker = worker_factory(start=False)
    worker.start(pattern=r"worker\.waiting")
    master.start()
    assert app.submit("cluster_tasks:add", 1, 1).result(timeout=30) == 2


def test_keys_outlive_the_master(
    master_factory: MasterFactory, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    master = master_factory(authkey=None)
    keys = {role: master.key(role) for role in ("admin", "client", "worker")}
    worker_factory(address=master.address, authkey=keys["worker"])
    master.restart()
    assert {role: master.key(role) for role in keys} == keys
    app = app_factory(master.url, keys["client"])
    assert app.submit("cluster_tasks:add", 1, 1).result(timeout=20) == 2
    assert "key.replaced" not in master.log
    (master.data / "admin.key").unlink()
    master.restart()
    assert master.key("admin") != keys["admin"]
    assert "another key is made; the old one stays valid" in master.log


def test_memory_durability_forgets_and_says_so(
    master_factory: MasterFactory, app_factory: AppFactory
) -> None:
    master = master_factory("--durability", "memory")
    assert "nothing survives this process" in master.log
    handle = app_factory(master.url, master.authkey).submit("cluster_tasks:add", 1, 1)
    master.restart()
    with pytest.raises(tq.UnknownTask):
        app_factory(master.url, master.authkey).get(handle.id)


def test_a_worker_takes_only_the_queues_it_was_started_for(
    admin: tq.App, worker_factory: WorkerFactory
) -> None:
    worker_factory(options=("--queue", "gpu"))
    other = admin.submit("cluster_tasks:add", 1, 1)
    assert admin.named("cluster_tasks:add", queue="gpu").submit(2, 2).result(timeout=20) == 4
    assert other.state == tq.State.READY
    [worker] = admin.call(["get_workers"], "list")
    assert worker["queues"] == ["gpu"]
    assert worker["slots"] == 2
    assert "cluster_tasks:add" in worker["tasks"]


def test_a_master_is_started_again_in_the_shell_of_its_clients(master_factory: MasterFactory) -> None:
    """There TQ_AUTHKEY has a client's key, which is none for the master."""
    master = master_factory(authkey=None)
    client = master.key("client")
    master.environment["TQ_AUTHKEY"] = client
    master.restart()
    with tq.App(master.url, client) as app:
        assert app.call(("get_master",), "info")["pid"] == master.pid
    checked = run_program(
        "tq-master", "check", "--data", master.data, home=master.data, environment=master.environment
    )
    assert (
        "warning  key         TQ_AUTHKEY: the join token in TQ_AUTHKEY is for clients and workers"
        in checked.stdout
    )
