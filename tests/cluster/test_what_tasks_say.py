"""Output and progress of tasks, from the child process through the master to the reader."""

from __future__ import annotations

import signal
import uuid
from pathlib import Path
from typing import Any

import pytest
import tq

from .conftest import Cluster, WorkerFactory
from .programs import eventually, run_program


@pytest.fixture
def app(cluster: Cluster) -> tq.App:
    return cluster.app


def show(cluster: Cluster, home: Path, *arguments: str) -> str:
    environment = {"TQ_URL": cluster.master.url, "TQ_AUTHKEY": cluster.master.authkey}
    done = run_program("tq", "show", *arguments, home=home, environment=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def shown(app: tq.App, handle: tq.Handle[Any]) -> dict[str, Any]:
    row = app.call(["get_tasks"], "show", uuid.UUID(handle.id).bytes)
    assert isinstance(row, dict)
    return row


def test_output_and_progress_are_there_when_the_result_is(app: tq.App) -> None:
    handle = app.submit("cluster_tasks:say", "hello", 3)
    assert handle.result(timeout=20) == 3
    assert handle.attempts[0].log == "hello 0\nhello 1\nhello 2\n"
    assert handle.progress == tq.Progress(done=3, total=3, note="hello")


def test_a_task_that_says_nothing_has_nothing(app: tq.App) -> None:
    handle = app.submit("cluster_tasks:add", 1, 1)
    handle.result(timeout=20)
    assert (handle.attempts[0].log, handle.progress) == ("", None)


def test_output_and_progress_are_seen_while_it_runs_and_followed_to_its_end(
    cluster: Cluster, app: tq.App, home: Path
) -> None:
    gate = home / "gate"
    handle = app.submit("cluster_tasks:say", "hello", 2, str(gate))
    eventually(lambda: handle.attempts and handle.attempts[0].log == "hello 0\nhello 1\n")
    eventually(lambda: handle.progress == tq.Progress(done=2, total=2, note="hello"))
    assert "100%, 2 of 2, hello" in show(cluster, home, handle.id)
    gate.touch()
    assert show(cluster, home, handle.id, "--follow") == "hello 0\nhello 1\nat the end\n"
    assert show(cluster, home, handle.id, "--logs") == "hello 0\nhello 1\nat the end\n"
    assert show(cluster, home, handle.id, "--attempt", "1") == "hello 0\nhello 1\nat the end\n"


def test_only_the_end_of_much_output_is_kept(app: tq.App) -> None:
    handle = app.submit("cluster_tasks:say", "x" * 1_000, 200)
    handle.result(timeout=20)
    log = handle.attempts[0].log
    assert len(log) == 64 * 1024
    assert log.endswith("x 199\n")


def test_a_killed_task_leaves_its_last_lines_and_a_verdict(app: tq.App) -> None:
    handle = app.named("cluster_tasks:say_and_die", max_crashes=1).submit(int(signal.SIGKILL))
    error = handle.exception(timeout=20)
    assert isinstance(error, tq.TaskCrashed)
    assert "likely out of memory" in str(error)
    assert error.detail["last_lines"] == "my last words"
    assert error.detail["peak_memory_bytes"] > 1024 * 1024
    assert handle.attempts[0].log == "my last words\n"


def test_arguments_with_the_name_of_a_secret_are_hidden(cluster: Cluster, app: tq.App, home: Path) -> None:
    handle = app.named("cluster_tasks:add", delay=60).submit({"user": "joe", "password": "geheim"})
    for options in ([], ["--json"]):
        text = show(cluster, home, handle.id, *options)
        assert "joe" in text
        assert "geheim" not in text
    handle.cancel()


def test_a_worker_shows_what_its_tasks_print_and_reports_how_much_memory_it_has(
    worker_factory: WorkerFactory, admin: tq.App
) -> None:
    worker = worker_factory(slots=1)
    admin.submit("cluster_tasks:say", "hello", 1).result(timeout=20)
    eventually(lambda: "hello 0" in worker.log)
    memory = eventually(lambda: admin.call(["get_workers"], "list")[0]["memory_bytes"])
    assert memory > 1024 * 1024
