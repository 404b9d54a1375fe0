"""Health pages and the service manager's socket of the real programs."""

from __future__ import annotations

import json
import re
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from xprocess import XProcess

from .conftest import MasterFactory, WorkerFactory
from .programs import Master, Program, eventually, run_program


def page(program: Program, path: str) -> tuple[int, Any]:
    """Status and content of a page of a program that was started with ``--http 127.0.0.1:0``."""
    found = re.findall(r"http\.started .*address=(\S+)", program.log)
    try:
        with urllib.request.urlopen(f"http://{found[-1]}{path}", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_master_reports_that_it_is_alive_and_ready(master_factory: MasterFactory) -> None:
    master = master_factory("--http", "127.0.0.1:0")
    for path in ("/livez", "/readyz"):
        status, body = page(master, path)
        assert (status, body["ok"], body["reasons"]) == (200, True, [])


def test_a_worker_is_ready_while_it_is_connected(
    master_factory: MasterFactory, worker_factory: WorkerFactory
) -> None:
    master = master_factory()
    worker = worker_factory(address=master.address, authkey=master.authkey, options=("--http", "127.0.0.1:0"))
    assert eventually(lambda: page(worker, "/readyz")[0] == 200)
    master.kill()
    status, body = eventually(lambda: (answer := page(worker, "/readyz"))[0] == 503 and answer)
    assert (status, body["reasons"]) == (503, ["it is not connected to a master"])
    assert page(worker, "/livez")[0] == 200  # nothing a restart of it would mend
    master.start()
    assert eventually(lambda: page(worker, "/readyz")[0] == 200)


def test_a_public_address_is_warned_about(master_factory: MasterFactory) -> None:
    master = master_factory("--http", "127.1:0")  # loopback, though it does not look so
    assert "warning http.public" in master.log


def test_a_port_in_use_is_named_with_the_option_that_chooses_another(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_program(
            "tq-master", "--bind", "127.0.0.1:0", "--data", "data", "--http", address, home=home
        )
    assert done.returncode == 2
    assert f"cannot serve health and metrics on {address}" in done.stderr
    assert "choose another address with --http" in done.stderr


def test_a_service_manager_is_notified_of_start_progress_and_end(
    xprocess: XProcess, programs: list[Program], home: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(20)
        manager.bind(str(home / "notify"))
        master = Master(xprocess, home)
        programs.append(master)
        master.environment = {"NOTIFY_SOCKET": str(home / "notify"), "WATCHDOG_USEC": "400000"}
        master.start()
        assert manager.recv(1_000).startswith(b"READY=1\nSTATUS=ready: workers 0")
        assert manager.recv(1_000) == b"WATCHDOG=1"
        master.signal(signal.SIGTERM)
        notification = b""
        while not notification.startswith(b"STOPPING=1"):
            notification = manager.recv(1_000)
        assert master.wait() == 0
