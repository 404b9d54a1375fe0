"""Functions around tasks, with real programs: a child process, and a thread in its place."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import tq

from .conftest import AppFactory, WorkerFactory
from .programs import Master, eventually

pytestmark = pytest.mark.usefixtures("template")

WAIT_SECONDS = 30.0
AROUND = [
    *["before double", "after double: success 8"],
    *["before double_later", "awaited before double_later", "after double_later: success 8"],
    *["before fail", "after fail: error KeyError('nothing')"],
]


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOOKS_NOTES", str(tmp_path / "notes"))
    return tmp_path / "notes"


@pytest.fixture
def hooked_tasks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module as a user's program finds it: by its own name."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("hooked_tasks")


@pytest.fixture
def resource_tasks(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("resource_tasks")


def test_functions_run_around_tasks_and_around_the_child(notes: Path, hooked_tasks: Any) -> None:
    with tq.throwaway_cluster(hooked_tasks.app, slots=1):
        first = hooked_tasks.double.submit(4)
        assert first.result(WAIT_SECONDS) == 8
        assert hooked_tasks.double_later.submit(4).result(WAIT_SECONDS) == 8
        assert hooked_tasks.fail.submit().exception(WAIT_SECONDS) is not None
        assert (
            hooked_tasks.double.submit(4).result(WAIT_SECONDS) == 8
        )  # what the start has set is there again
        [attempt] = first.attempts
        assert "hook @app.after hooked_tasks:task_ends raised" in attempt.log
        assert "RuntimeError: a hook that raises" in attempt.log
    lines = notes.read_text("utf-8").splitlines()
    assert lines == ["starts", *AROUND, *AROUND[:2], "stops"]


def test_they_run_in_a_thread_of_the_program(
    notes: Path, hooked_tasks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with tq.local(1, workers="threads") as q:
        assert q.submit(hooked_tasks.double.function, 4).result(WAIT_SECONDS) == 8
        assert q.submit(hooked_tasks.double_later.function, 4).result(WAIT_SECONDS) == 8
    lines = notes.read_text("utf-8").splitlines()
    assert lines == ["starts", *AROUND[:5], "stops"]
    assert "hook @app.on_child_start hooked_tasks:child_starts_badly raised" in caplog.text


def test_resources_are_made_once_in_a_child_and_closed_at_its_end(notes: Path, resource_tasks: Any) -> None:
    query, fetch = resource_tasks.query, resource_tasks.fetch
    with tq.throwaway_cluster(resource_tasks.app, slots=1) as app:
        down = query.submit("t").exception(WAIT_SECONDS)
        assert "the resource resource_tasks:db could not be made: OSError: the server is down" in str(down)
        notes.with_name("notes.up").touch()
        assert query.submit("t").result(WAIT_SECONDS) == "t db 5"
        assert query.submit("t", limit=1).result(WAIT_SECONDS) == "t db 1"
        assert list(query.map("ab").results(WAIT_SECONDS)) == ["a db 5", "b db 5"]
        assert fetch.submit("u").result(WAIT_SECONDS) == "u session of db 1"
        assert resource_tasks.calls_the_other.submit("c").result(WAIT_SECONDS) == "c db 7"
        with pytest.raises(TypeError, match="conn is a resource, which the worker makes; leave it out"):
            query.submit("t", conn=5)
        by_name = app.submit("resource_tasks:query", "t", conn="mine").exception(WAIT_SECONDS)
        assert "conn is a resource, which the worker makes" in str(by_name)
    assert notes.read_text("utf-8").splitlines() == [
        *["db opens", "db opens", "session opens"],
        *["session closes", "db closes", "stops"],
    ]


def test_resources_of_a_thread_of_the_program(notes: Path, resource_tasks: Any) -> None:
    notes.with_name("notes.up").touch()
    with tq.local(1, workers="threads") as q:
        assert q.submit(resource_tasks.query.function, "t").result(WAIT_SECONDS) == "t db 5"
        assert q.submit(resource_tasks.fetch.function, "u").result(WAIT_SECONDS) == "u session of db 1"
        assert q.submit(resource_tasks.calls_the_other.function, "c").result(WAIT_SECONDS) == "c db 7"
    assert notes.read_text("utf-8").splitlines() == [
        *["db opens", "session opens"],
        *["session closes", "db closes", "stops"],
    ]


@pytest.mark.parametrize("pool", ["async:4", "thread:4"])
def test_a_child_that_runs_many_tasks_has_one_of_each(notes: Path, resource_tasks: Any, pool: str) -> None:
    notes.with_name("notes.up").touch()
    with tq.throwaway_cluster(resource_tasks.app, pools=[pool]):
        handles = [resource_tasks.query.submit(table) for table in "abcdef"]
        assert [one.result(WAIT_SECONDS) for one in handles] == [f"{table} db 5" for table in "abcdef"]
        if pool.startswith("async"):
            fetched = resource_tasks.fetch.map(["u", "v"]).results(WAIT_SECONDS)
            assert list(fetched) == ["u session of db 1", "v session of db 1"]
    session = ["session opens", "session closes"] if pool.startswith("async") else []
    assert notes.read_text("utf-8").splitlines() == ["db opens", *session, "db closes", "stops"]


def test_functions_run_around_each_of_many_tasks(notes: Path, hooked_tasks: Any) -> None:
    with tq.throwaway_cluster(hooked_tasks.app, pools=["async:4"]):
        assert hooked_tasks.double_later.submit(4).result(WAIT_SECONDS) == 8
        assert hooked_tasks.fail.submit().exception(WAIT_SECONDS) is not None
    assert notes.read_text("utf-8").splitlines() == ["starts", *AROUND[2:], "stops"]


def test_a_child_is_replaced_by_age_and_closes_what_it_has_made(
    notes: Path, master: Master, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    notes.with_name("notes.up").touch()
    tasks = Path(__file__).with_name("resource_tasks.py")
    worker = worker_factory(1, tasks=tasks, options=("--max-seconds-per-child", 0.5))
    app = app_factory(master.url, master.authkey)
    assert app.submit("resource_tasks:query", "t").result(WAIT_SECONDS) == "t db 5"
    eventually(lambda: "db closes" in notes.read_text("utf-8"), WAIT_SECONDS)
    assert app.submit("resource_tasks:query", "t").result(WAIT_SECONDS) == "t db 5"
    worker.end()
    assert notes.read_text("utf-8").count("db opens") == 2
