"""A client's history with TQ_HISTORY: its submits and the outcomes that it received."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tq
from tq.common.runtime.history import VARIABLE, digest
from tq.common.values.codec import encode

from .. import jobs
from ..conftest import MasterInMemory


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def events(directory: Path) -> list[dict[str, Any]]:
    files = directory.glob("client-*.jsonl")
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def test_submits_and_outcomes_are_written_down(history: Path, app: tq.App, master: MasterInMemory) -> None:
    task = app.task(jobs.double)
    master.functions[task.name] = jobs.double
    assert task.submit(4).result(timeout=5) == 8
    with app.batch():
        task.using(delivery="at_most_once").submit(5)
    recorded = events(history)
    assert [event["what"] for event in recorded] == [
        "submitting",
        "acknowledged",
        "received",
        "submitting",
        "acknowledged",
    ]
    assert [event["once"] for event in recorded if event["what"] == "submitting"] == [False, True]
    [outcome] = [event for event in recorded if event["what"] == "received"]
    assert (outcome["state"], outcome["digest"]) == (tq.State.SUCCEEDED.number, digest(encode(8)))


def test_a_refused_submit_is_not_acknowledged(history: Path, app: tq.App, master: MasterInMemory) -> None:
    master.refusals["submit"] = tq.StoreError("the disk is full")
    with pytest.raises(tq.StoreError):
        app.task(jobs.double).submit(1)
    assert [event["what"] for event in events(history)] == ["submitting"]


def test_without_the_variable_nothing_is_written(tmp_path: Path, app: tq.App, master: MasterInMemory) -> None:
    app.task(jobs.double).submit(1)
    assert events(tmp_path) == []
    assert type(app.session.link).__name__ == "ClientLink"
