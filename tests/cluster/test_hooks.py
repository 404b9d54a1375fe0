"""Functions around tasks, with real programs: a child process, and a thread in its place."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import tq

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
