"""Limits of tasks with real programs: what runs, what a limit holds back, what operators change, and what a kill gives back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tq

from .conftest import WorkerFactory
from .programs import Master, eventually, let_pass, run_program

UNCHANGED_SECONDS = 0.5  # in which nothing more may start


class Gate:
    """Tasks that have begun when their file is there, and end when the gate is open."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.release = str(home / "release")

    def started(self) -> int:
        return len(list(self._home.glob("started-*")))

    def calls(self, count: int) -> list[tuple[str, str]]:
        return [(str(self._home / f"started-{number}"), self.release) for number in range(count)]

    def open(self) -> None:
        Path(self.release).touch()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def asked(master: Master, home: Path, *arguments: str) -> Any:
    """What ``tq limits … --json`` prints."""
    done = run_program(
        "tq", "limits", *arguments, "--url", master.url, "--json", home=home, environment=admin(master)
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def admin(master: Master) -> dict[str, str]:
    return {"TQ_AUTHKEY": master.key("admin")}


def test_an_operator_sees_what_a_limit_holds_back_and_changes_it_at_once(
    master: Master, worker_factory: WorkerFactory, app: tq.App, gate: Gate, tmp_path: Path
) -> None:
    worker_factory(slots=3)
    hold = app.named("cluster_tasks:hold", limits=[tq.Limit("gate", max_running=1)])
    handles = hold.starmap(gate.calls(3))
    eventually(lambda: gate.started() == 1)
    let_pass(UNCHANGED_SECONDS)
    assert gate.started() == 1
    [row] = asked(master, tmp_path, "ls")
    assert (row["name"], row["running"], row["waiting"]) == ("gate", 1, 2)
    why = run_program(
        "tq", "why", handles[2].id, "--url", master.url, home=tmp_path, environment=admin(master)
    )
    assert "the limit gate holds it back: 1 of at most 1" in " ".join(why.stdout.split())
    assert app.submit("cluster_tasks:add", 1, 2).result(timeout=20) == 3
    tq.App(master.url, master.key("admin"), role="admin").set_limit("gate", max_running=2)
    eventually(lambda: gate.started() == 2)
    asked(master, tmp_path, "set", "gate", "--max-running", "3")
    eventually(lambda: gate.started() == 3)
    refused = run_program(
        "tq", "limits", "rm", "gate", "--url", master.url, home=tmp_path, environment=admin(master)
    )
    assert "tasks that run or wait under it: 3" in refused.stderr
    gate.open()
    assert len(list(handles.results(timeout=20))) == 3


def test_no_more_run_than_a_limit_lets_when_workers_and_the_master_are_killed(
    master: Master, worker_factory: WorkerFactory, app: tq.App, gate: Gate, tmp_path: Path
) -> None:
    workers = [worker_factory(slots=2), worker_factory(slots=2)]
    hold = app.named("cluster_tasks:hold", limits=[tq.Limit("gate", max_running=2)], max_crashes=9)
    handles = hold.starmap(gate.calls(6))
    eventually(lambda: gate.started() == 2)
    master.kill()
    master.start()
    eventually(lambda: asked(master, tmp_path, "ls")[0]["running"] == 2)
    let_pass(UNCHANGED_SECONDS)
    assert gate.started() == 2
    for worker in workers:
        worker.kill()
    worker_factory(slots=4)
    let_pass(UNCHANGED_SECONDS)
    assert gate.started() == 2
    gate.open()
    assert len(list(handles.results(timeout=60))) == 6
    [row] = asked(master, tmp_path, "ls")
    assert (row["running"], row["waiting"]) == (0, 0)
