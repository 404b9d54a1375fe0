"""``tq doctor`` against real programs: the first step that fails is named, with what to do."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import MasterFactory, WorkerFactory
from .programs import AUTHKEY, Master, run_program

Doctor = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def doctor(home: Path) -> Doctor:
    def run(
        *arguments: object, url: str, authkey: str = AUTHKEY, status: int = 0
    ) -> subprocess.CompletedProcess[str]:
        variables = {"TQ_URL": url, "TQ_AUTHKEY": authkey}
        done = run_program("tq", "doctor", *arguments, home=home, environment=variables)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return run


def levels(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The level of each line by what it is about."""
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    return {about: level for level, about, _ in lines}


def test_a_healthy_cluster_is_found_healthy_and_a_task_goes_there_and_back(
    doctor: Doctor, master: Master, worker_factory: WorkerFactory
) -> None:
    worker_factory()
    done = doctor(url=master.url)
    assert set(levels(done).values()) == {"ok"}
    for text in ("1 connected", "back in", "GB are free", "slowest commit"):
        assert text in done.stdout
    found = json.loads(doctor("--json", url=master.url).stdout)
    assert {"level": "ok", "about": "version"}.items() <= found[3].items()


def test_a_cluster_without_workers_is_told_what_it_lacks(doctor: Doctor, master: Master) -> None:
    done = doctor(url=master.url, status=1)
    assert levels(done)["workers"] == "error"
    assert "start one: tq-worker --connect" in done.stdout
    assert levels(done)["disk"] == "ok"


def test_the_probe_goes_to_the_queue_one_asks_about(
    doctor: Doctor, master: Master, worker_factory: WorkerFactory
) -> None:
    worker_factory(options=("--queue", "mine"))
    done = doctor("--queue", "mine", url=master.url)
    assert levels(done)["probe"] == "ok"


def test_a_paused_queue_is_told_with_the_command_that_resumes_it(
    doctor: Doctor, master: Master, worker_factory: WorkerFactory, home: Path
) -> None:
    worker_factory()
    variables = {"TQ_URL": master.url, "TQ_AUTHKEY": AUTHKEY}
    run_program("tq", "pause", "default", "--reason", "night", home=home, environment=variables)
    done = doctor(url=master.url)
    assert levels(done)["probe"] == "warning"
    assert "tq resume default" in done.stdout


def test_a_wrong_key_is_told_from_a_wrong_address(doctor: Doctor, master: Master) -> None:
    done = doctor(url=master.url, authkey="not the key of this master", status=1)
    assert levels(done) == {"address": "ok", "key": "error"}
    done = doctor(url="tq://127.0.0.1:1", status=1)
    assert levels(done) == {"address": "error"}
    assert "is tq-master running" in done.stdout


def test_a_port_that_is_not_a_masters_is_recognised(doctor: Doctor, master_factory: MasterFactory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    master_factory("--http", f"127.0.0.1:{port}")
    done = doctor(url=f"tq://127.0.0.1:{port}", status=1)
    assert levels(done) == {"address": "ok", "TLS": "error"}
    assert "is it a tq-master's port?" in done.stdout


def test_a_key_that_may_only_look_sends_no_task(
    doctor: Doctor, master_factory: MasterFactory, worker_factory: WorkerFactory, home: Path
) -> None:
    master = master_factory(authkey=None)
    worker_factory(address=master.address, authkey=master.key("worker"))
    variables = {"TQ_URL": master.url, "TQ_AUTHKEY": master.key("admin")}
    added = run_program("tq", "keys", "add", "--role", "viewer", home=home, environment=variables)
    viewer = next(word for word in added.stdout.split() if word.startswith("tq1."))
    done = doctor(url=master.url, authkey=viewer)
    assert levels(done)["probe"] == "warning"
    assert "role viewer" in done.stdout
