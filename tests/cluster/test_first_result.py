"""From a client over the master to a worker's child and back."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
import tq

from . import cluster_tasks
from .conftest import AppFactory, Cluster, MasterFactory, WorkerFactory
from .programs import run_program


@pytest.fixture
def app(cluster: Cluster) -> tq.App:
    return cluster.app


def test_a_task_gives_its_result(app: tq.App) -> None:
    handle = app.submit("cluster_tasks:add", 1, b=2)
    assert handle.result(timeout=20) == 3
    assert handle.state == tq.State.SUCCEEDED
    [attempt] = handle.attempts
    assert attempt.attempt == 1


def test_a_task_of_an_imported_module_is_found_by_its_name(app: tq.App) -> None:
    add = app.task(name="cluster_tasks:add")(lambda a, b: a + b)
    assert add.submit(20, 22).result(timeout=20) == 42
    assert cluster_tasks.add(20, 22) == 42


def test_a_thousand_results_come_back_in_order(app: tq.App) -> None:
    handles = app.named("cluster_tasks:add").starmap((number, 1) for number in range(1_000))
    assert list(handles.results(timeout=30)) == list(range(1, 1_001))


def test_results_come_as_they_are_ready(app: tq.App) -> None:
    handles = [app.submit("cluster_tasks:add", number, 0) for number in range(50)]
    assert sorted(handle.result() for handle in tq.as_completed(handles, timeout=30)) == list(range(50))


def test_an_exception_arrives_with_type_message_and_traceback(app: tq.App) -> None:
    with pytest.raises(tq.TaskError, match="LookupError: no such thing") as caught:
        app.submit("cluster_tasks:fail", "no such thing").result(timeout=20)
    assert caught.value.type == "LookupError"
    assert caught.value.message == "no such thing"
    assert "raise LookupError(message)" in caught.value.traceback
    assert "child.py" not in caught.value.traceback


def test_values_keep_their_types(app: tq.App) -> None:
    value = {"tuple": (1, 2.5, None), "set": {1, 2}, "bytes": b"\x00\xff", 7: 10**40, "text": "ü"}
    assert app.submit("cluster_tasks:echo", value).result(timeout=20) == value


def test_a_large_value_goes_there_and_back(app: tq.App) -> None:
    value = bytes(range(256)) * 16_384  # 4 MiB
    assert app.submit("cluster_tasks:echo", value).result(timeout=20) == value


def test_a_task_knows_itself(app: tq.App) -> None:
    handle = app.named("cluster_tasks:about_me", queue="img").submit()
    assert handle.result(timeout=20) == [handle.id, 1, "img", "cluster_tasks:about_me", 32]


def test_a_task_hands_out_tasks_of_its_own(app: tq.App) -> None:
    assert app.submit("cluster_tasks:total", [1, 2, 3]).result(timeout=30) == 6


def test_a_child_has_no_key(app: tq.App) -> None:
    assert "TQ_AUTHKEY" not in app.submit("cluster_tasks:environment_names").result(timeout=20)


def test_a_coroutine_is_a_task_like_any_other(app: tq.App) -> None:
    assert app.submit("cluster_tasks:soon", 7).result(timeout=20) == 7


def test_handles_can_be_awaited(app: tq.App) -> None:
    async def both() -> list[int]:
        add = app.named("cluster_tasks:add")
        handles = [await add.asubmit(number, 1) for number in (1, 2)]
        return list(await asyncio.wait_for(asyncio.gather(*handles), 20))

    assert asyncio.run(both()) == [2, 3]


def test_threads_share_an_app(app: tq.App) -> None:
    results: list[int] = []

    def submit(number: int) -> None:
        results.append(app.submit("cluster_tasks:add", number, 0).result(timeout=30))

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(20))


def test_another_client_finds_a_task_by_its_id(
    app: tq.App, cluster: Cluster, app_factory: AppFactory
) -> None:
    id = app.submit("cluster_tasks:add", 1, 1).id
    assert app_factory(cluster.master.url, cluster.master.authkey).get(id).result(timeout=20) == 2


def test_an_id_that_was_never_submitted_is_unknown_at_once(app: tq.App) -> None:
    with pytest.raises(tq.UnknownTask, match="no task has the id"):
        app.get("01890000-0000-7000-8000-000000000000")


def test_keys_made_at_the_first_start_open_their_doors(
    master_factory: MasterFactory, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    master = master_factory(authkey=None)
    worker_factory(address=master.address, authkey=master.key("worker"))
    app = app_factory(master.url, master.key("client"))
    assert app.submit("cluster_tasks:add", 1, 2).result(timeout=20) == 3
    assert "tq1." not in master.log
    assert f"start this one with --bind 0.0.0.0:{master.address.rpartition(':')[2]})" in master.log


def test_the_tq_command_submits_and_waits(cluster: Cluster, home: Path) -> None:
    environment = {"TQ_URL": cluster.master.url, "TQ_AUTHKEY": cluster.master.authkey}
    done = run_program(
        "tq", "submit", "cluster_tasks:add", "1", "2", "--wait", home=home, environment=environment
    )
    assert (done.returncode, done.stdout.strip()) == (0, "3"), done.stderr
