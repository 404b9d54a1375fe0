"""``tq doctor`` before real programs: each fault is found at its step, reported with a remedy, and ends the check."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from xprocess import XProcess

from .conftest import Cluster, MasterFactory, WorkerFactory
from .programs import Master, run_program

SKEWED = """
import sys, time
from tq.master.engine import clock
from tq.master.net import server
ahead_ns = 90_000_000_000
time_ns = time.time_ns
time.time_ns = lambda: time_ns() + ahead_ns
from tq.master.cli import main
main()
"""


class Seen(NamedTuple):
    status: int
    levels: dict[str, str]
    texts: dict[str, str]


def doctor(home: Path, *arguments: object, **environment: str) -> Seen:
    done = run_program("tq", "doctor", "--json", *arguments, home=home, environment=environment)
    assert done.stderr == "", done
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    levels = {row["about"]: row["level"] for row in rows}
    return Seen(done.returncode, levels, {row["about"]: row["text"] for row in rows})


def of(master: Master, key: str | None = None) -> dict[str, str]:
    return {"TQ_URL": master.url, "TQ_AUTHKEY": key or master.authkey}


def failed_at(seen: Seen, about: str, words: str) -> None:
    """The last step is the one that failed; those before it went well."""
    assert seen.status == 1
    assert list(seen.levels)[-1] == about, seen
    assert seen.levels[about] == "error"
    assert words in seen.texts[about], seen.texts[about]
    assert all(level == "ok" for name, level in seen.levels.items() if name != about), seen


def test_a_sound_cluster_is_all_ok(cluster: Cluster, home: Path) -> None:
    seen = doctor(home, **of(cluster.master))
    for of_this_machine in ("disk", "commit", "round trip", "workers"):
        assert seen.levels.pop(of_this_machine) in ("ok", "warning"), seen
    steps = ("address", "TLS", "pin", "key", "versions", "clock", "probe")
    assert seen.levels == dict.fromkeys(steps, "ok"), seen
    assert seen.status == 0
    assert "TLSv1.3" in seen.texts["TLS"]
    assert "role admin, for every queue" in seen.texts["key"]
    assert "back in" in seen.texts["probe"]


def test_a_person_reads_lines_and_may_send_a_task_of_his_own(cluster: Cluster, home: Path) -> None:
    arguments = ("doctor", "--probe", "cluster_tasks:echo", 7)
    done = run_program("tq", *arguments, home=home, environment=of(cluster.master))
    assert done.returncode == 0, done
    assert done.stdout.startswith("ok       address     ")
    assert "cluster_tasks:echo: stored in" in done.stdout


def test_without_any_setting_it_says_what_to_set(home: Path) -> None:
    failed_at(doctor(home), "address", "no master is named")


def test_without_a_key_it_still_looks_at_the_master(cluster: Cluster, home: Path) -> None:
    seen = doctor(home, TQ_URL=cluster.master.url)
    assert seen.levels == {"key": "error", "address": "ok", "TLS": "ok"}
    assert "--authkey-file" in seen.texts["key"]


def test_a_port_without_a_listener(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        seen = doctor(home, TQ_URL=f"tq://127.0.0.1:{port}", TQ_AUTHKEY="a key for tests")
    failed_at(seen, "address", "no program listens")


def test_a_host_that_is_none(home: Path) -> None:
    seen = doctor(home, TQ_URL="tq://no-such-host.invalid", TQ_AUTHKEY="a key for tests")
    failed_at(seen, "address", "no address is known for no-such-host.invalid")


@pytest.fixture
def http_port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_web_server_at_the_port(home: Path, http_port: int) -> None:
    seen = doctor(home, TQ_URL=f"tq://127.0.0.1:{http_port}", TQ_AUTHKEY="a key for tests")
    failed_at(seen, "TLS", "does not speak TLS")


def test_a_port_that_says_nothing(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        seen = doctor(home, TQ_URL=f"tq://127.0.0.1:{port}", TQ_AUTHKEY="a key for tests")
    failed_at(seen, "TLS", "says nothing within")


def test_a_wrong_key(cluster: Cluster, home: Path) -> None:
    seen = doctor(home, **of(cluster.master, "another key than the right one"))
    failed_at(seen, "key", "the key was refused")


def test_a_key_of_another_master_and_one_for_another_use(master_factory: MasterFactory, home: Path) -> None:
    master = master_factory(authkey=None)
    token = master.key("client")
    failed_at(doctor(home, **of(master, master.key("worker"))), "key", "is a worker key")
    seen = doctor(home, **of(master, token))
    assert (seen.status, seen.levels["workers"], list(seen.levels)[-1]) == (1, "error", "workers")
    assert "none is connected" in seen.texts["workers"]
    assert "role client, for every queue" in seen.texts["key"]
    master.terminate()
    for name in ("master.crt", "master.key"):
        (master.data / name).unlink()
    master.options.append("--new-certificate")
    master.start()
    failed_at(doctor(home, **of(master, token)), "pin", "its data directory was recreated")


def test_a_task_that_fails_and_one_that_no_worker_serves(cluster: Cluster, home: Path) -> None:
    seen = doctor(home, "--probe", "cluster_tasks:unserved", **of(cluster.master))
    assert "no worker serves cluster_tasks:unserved" in seen.texts["probe"]
    seen = doctor(home, "--probe", "cluster_tasks:echo", 1, 2, 3, **of(cluster.master))
    assert (seen.status, seen.levels["probe"]) == (1, "error")
    assert "ran and failed" in seen.texts["probe"]


def test_the_task_goes_to_the_queue_one_asks_about(
    master: Master, worker_factory: WorkerFactory, home: Path
) -> None:
    worker_factory(options=("--queue", "mine"))
    assert doctor(home, "--queue", "mine", **of(master)).levels["probe"] == "ok"
    assert "no worker serves from queue default" in doctor(home, **of(master)).texts["probe"]


def test_a_paused_queue_is_reported_with_the_command_that_resumes_it(
    master: Master, worker_factory: WorkerFactory, home: Path
) -> None:
    worker_factory()
    run_program("tq", "pause", "default", "--reason", "night", home=home, environment=of(master))
    seen = doctor(home, **of(master))
    assert seen.levels["probe"] == "warning"
    assert "paused (night), so no task was sent; tq resume default" in seen.texts["probe"]


def test_a_key_that_may_only_look_sends_no_task(
    master_factory: MasterFactory, worker_factory: WorkerFactory, home: Path
) -> None:
    master = master_factory(authkey=None)
    worker_factory(address=master.address, authkey=master.key("worker"))
    added = run_program(
        "tq", "keys", "add", "--role", "viewer", home=home, environment=of(master, master.key("admin"))
    )
    seen = doctor(home, **of(master, added.stdout.split()[0]))
    assert seen.levels["probe"] == "warning"
    assert "role viewer" in seen.texts["key"]


def test_a_master_whose_clock_is_wrong(xprocess: XProcess, home: Path) -> None:
    master = Master(xprocess, home)
    master.command = [sys.executable, "-c", SKEWED]
    try:
        master.start()
        seen = doctor(home, **of(master))
        assert seen.levels["clock"] == "warning"
        assert "90.0 s ahead of this one" in seen.texts["clock"]
        assert seen.levels["address"] == "ok"
    finally:
        master.end()


def test_a_bad_call_is_reported(home: Path) -> None:
    done: subprocess.CompletedProcess[str] = run_program("tq", "doctor", "7", home=home)
    assert done.returncode == 2
    assert "name it by --probe" in done.stderr
