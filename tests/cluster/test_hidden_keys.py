"""What a task finds of the key that its worker was started with, by looking at the worker's process."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import tq
from xprocess import XProcess

from .conftest import AppFactory, MasterFactory, WorkerFactory
from .programs import Master, Program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc to look into")


def core_limit(limits: str) -> list[str]:
    found = re.search(r"^Max core file size +(\S+) +(\S+)", limits, re.MULTILINE)
    assert found
    return [*found.groups()]


def test_a_task_finds_no_key_in_its_workers_process(
    master_factory: MasterFactory, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    """The worker is given its key in TQ_AUTHKEY, as the other tests do. Root may read what other users may not."""
    master = master_factory(authkey=None)
    worker_factory(1, address=master.address, authkey=master.key("worker"), by_exec=True)
    app = app_factory(master.url, master.key("client"))
    [environ, cmdline, status, limits, mine] = app.submit("cluster_tasks:supervisor_shows").result(timeout=30)
    secret = master.key("worker").split(".")[2]
    assert "tq-worker" in cmdline
    for text in (environ, cmdline, status):
        assert secret not in text
    assert core_limit(limits)[0] == "0"
    assert core_limit(mine)[1] == core_limit(limits)[1]


def test_a_key_in_the_masters_environment_is_not_shown_either(
    xprocess: XProcess, home: Path, programs: list[Program]
) -> None:
    key = "correct horse battery staple of the environment"
    master = Master(xprocess, home, by_exec=True)
    programs.append(master)
    master.environment["TQ_AUTHKEY"] = key
    master.start()
    with tq.App(master.url, key) as app:  # it is the key that it took
        assert app.call(["get_queues"], "list") == []
    try:
        shown = Path(f"/proc/{master.pid}/environ").read_bytes()
    except PermissionError:  # not root: not to be read at all
        return
    assert b"PATH=" in shown
    assert key.encode() not in shown
