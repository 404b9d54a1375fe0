"""A queue of tasks with a bound, on the real programs: a program that waits for room, one that does not, and a task of the queue itself."""

from __future__ import annotations

import queue
import threading
import uuid
from pathlib import Path

import pytest
import tq

from .conftest import Cluster
from .test_commands import Run, parsed, runner, well


@pytest.fixture
def run(cluster: Cluster, home: Path) -> Run:
    return runner(cluster.master, home)


def test_a_map_waits_for_room_and_a_submit_may_be_refused(cluster: Cluster, run: Run) -> None:
    name = f"q-{uuid.uuid4().hex[:8]}"
    echo = cluster.app.named("cluster_tasks:echo", queue=name)
    assert run("pause", name).returncode == 0
    mistyped = run("queues", "set", f"{name}x", "--maxsize", 10)
    assert (mistyped.returncode, f"did you mean {name}? " in mistyped.stderr) == (2, True)
    assert well(run("queues", "set", name, "--maxsize", 10)) == f"at most 10 tasks wait in {name}\n"
    found: list[list[int]] = []
    thread = threading.Thread(target=lambda: found.append(list(echo.map(range(50)).results(timeout=60))))
    thread.start()
    rows = [{"ready": 0}]
    while rows[0]["ready"] < 10:
        rows = [row for row in parsed(run("queues", "--json")) if row["name"] == name] or rows
    assert (rows[0]["ready"], rows[0]["maxsize"], rows[0]["submits_waiting"]) == (10, 10, 1)
    assert f"{name} is full: 1 submit waits for room\n" in well(run("queues"))
    with pytest.raises(tq.Full, match=f"queue {name} is full: 10 of at most 10 tasks wait in it") as refused:
        echo.using(on_full="raise").submit(1)
    assert isinstance(refused.value, queue.Full)
    well(run("resume", name))
    thread.join(60)
    assert found == [list(range(50))]
    assert echo.using(on_full="raise").submit(7).result(timeout=20) == 7
    assert f"{name}x" not in {row["name"] for row in parsed(run("queues", "--json"))}
    assert well(run("queues", "set", name, "--maxsize", 0)) == f"{name} has no bound\n"


def test_a_task_that_submits_to_its_own_full_queue_fails_with_would_deadlock(cluster: Cluster) -> None:
    name = f"q-{uuid.uuid4().hex[:8]}"
    app = tq.App(cluster.app.url, cluster.app.authkey, role="admin")
    app.set_queue(name, maxsize=3)
    handle = cluster.app.named("cluster_tasks:fill_own_queue", queue=name).submit(name)
    with pytest.raises(tq.WouldDeadlock, match=f"submits to its own queue {name}, which is full"):
        handle.result(timeout=60)
    app.set_queue(name, maxsize=0)
