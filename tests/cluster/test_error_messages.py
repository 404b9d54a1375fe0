"""The messages that docs/errors.md shows, each produced for real."""

from __future__ import annotations

import re
import socket
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tq
from tq.client.blobs.blobs import SessionBlobs
from tq.client.cli.help import PAGE, sections
from tq.common.errors import topic
from tq.common.runtime.config import MasterSettings, load_settings
from tq.common.values.blob import Blob
from tq.common.values.codec import decode
from tq.common.values.failure import Failure, to_error
from tq.master.store.sqlite.remedies import store_error

from .cluster_tasks import add
from .conftest import Cluster, WorkerFactory

UNKNOWN_ID = "01890000-0000-7000-8000-000000000000"
Raising = Callable[[Cluster, Path], object]
EXAMPLE = re.compile(r"```text\n(.*?)\n```", re.DOTALL)


class Thing:
    """A class of one's own."""


def stranger(cluster: Cluster, home: Path) -> None:
    """A server at the port that speaks another protocol."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            connection.sendall(b"220 mail.example.org ESMTP\r\n")
            connection.recv(1024)
            connection.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            ask(f"tq://127.0.0.1:{server.getsockname()[1]}", "some key of some master")
        finally:
            thread.join(10)


def no_server(cluster: Cluster, home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ask(f"tq://127.0.0.1:{taken.getsockname()[1]}", "some key of some master")


def ask(url: str, authkey: str, role: str = "client") -> None:
    with tq.App(url, authkey, role=role, connect_timeout=10.0) as app:
        app.call(["get_task_queue", "default"], "pause", "")


def broken(cluster: Cluster, home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        app = tq.App(f"tq://127.0.0.1:{taken.getsockname()[1]}", "some key", connect_timeout=0.5)
        with app, tq.Executor(app=app) as executor:
            executor.submit(add, 1, 1).result(timeout=20)


def misspelt(cluster: Cluster, home: Path) -> None:
    (home / "master.toml").write_text("lease_secs = 5\n")
    load_settings(MasterSettings, home / "master.toml", {}, {})


def conflicting(cluster: Cluster, home: Path) -> None:
    add = cluster.app.named("cluster_tasks:add").using(key=str(home))
    add.submit(1, 1)
    add.submit(2, 2)


def task(name: str, *arguments: Any, cancel: bool = False, **options: Any) -> Raising:
    def run(cluster: Cluster, home: Path) -> None:
        handle = cluster.app.named(f"cluster_tasks:{name}", **options).submit(*arguments)
        if cancel:
            handle.cancel()
        handle.result(timeout=30)

    return run


def directive(error: Exception) -> Raising:
    def run(cluster: Cluster, home: Path) -> None:
        raise error

    return run


def broken_store(cluster: Cluster, home: Path) -> None:
    raise store_error(sqlite3.OperationalError("database or disk is full"))


def fallen(cluster: Cluster, home: Path) -> None:
    failing = cluster.app.submit("cluster_tasks:fail", "no such row")
    cluster.app.submit("cluster_tasks:add", failing, 1).result(30)


def lost(cluster: Cluster, home: Path) -> None:
    raise to_error(tq.State.LOST.number, Failure("", ""))


CASES: dict[type[BaseException], Raising] = {
    tq.InvalidArgument: lambda cluster, _: cluster.app.named("m:f", retry=3),
    tq.NotSerializable: lambda cluster, _: cluster.app.submit("m:f", 1, [{}, {"when": Thing()}]),
    tq.NotNamed: lambda cluster, _: cluster.app.task(lambda x: x).submit(1),
    tq.ConfigError: misspelt,
    tq.Unreachable: no_server,
    tq.BrokenCluster: broken,
    tq.ProtocolError: stranger,
    tq.Rejected: lambda cluster, _: ask(cluster.master.url, "not the key of this master"),
    tq.Forbidden: lambda cluster, _: ask(cluster.master.url, cluster.master.authkey),
    tq.UnknownObject: lambda cluster, _: cluster.app.call(["get_nothing"], "look"),
    tq.UnknownTask: lambda cluster, _: cluster.app.get(UNKNOWN_ID),
    tq.UnknownBlob: lambda cluster, _: Blob(
        b"h" * 32, 8, fetcher=cluster.app.session.part(SessionBlobs).of(0)
    ).read(),
    tq.TaskConflict: conflicting,
    tq.StoreError: broken_store,
    tq.DecodeError: lambda cluster, _: decode(b"\xc1"),
    tq.TaskError: task("fail", "no such row"),
    tq.DependencyFailed: fallen,
    tq.TaskTimeout: task("sleep", 60, timeout=0.3),
    tq.TaskCrashed: task("leave", 3, max_crashes=2),
    tq.TaskCancelled: task("add", 1, 1, delay=60, cancel=True),
    tq.TaskExpired: task("add", 1, 1, delay=60, expires=0.2),
    tq.TaskLost: lost,
    TimeoutError: lambda cluster, _: cluster.app.submit("elsewhere:job").result(timeout=0.1),
    tq.Retry: directive(tq.Retry()),
    tq.Snooze: directive(tq.Snooze(60)),
    tq.Discard: directive(tq.Discard("no such customer")),
}
NOT_HERE = {
    tq.Full,
    tq.QuotaExceeded,
    tq.RemoteError,
    tq.ResourceFailed,
    tq.StoreFull,
    tq.TqError,
    tq.TimeLimit,
    tq.CancelRequested,
    tq.FlowFailed,
    tq.LeaseLost,
    tq.NotOwner,  # tests/master/standby/test_door.py
    tq.StepChanged,
    tq.Suspended,
    tq.WouldDeadlock,
    tq.WrongShard,
}  # their own tests raise them


def test_every_error_is_produced_here_or_known_to_be_elsewhere() -> None:
    explained = {name for name, text in sections(PAGE.read_text("utf-8")).items() if text.startswith("### ")}
    assert explained == {topic(kind) for kind in {*CASES, *NOT_HERE}}


@pytest.mark.parametrize("kind", CASES)
def test_the_message_is_the_one_of_the_page(cluster: Cluster, home: Path, kind: type[Exception]) -> None:
    shown = EXAMPLE.search(sections(PAGE.read_text("utf-8"))[topic(kind)])
    assert shown is not None
    pattern = ".*".join(map(re.escape, re.split("…", shown[1])))
    with pytest.raises(kind) as raised:
        CASES[kind](cluster, home)
    assert type(raised.value) is kind
    message = str(raised.value)
    assert re.search(pattern, message), f"the page shows {shown[1]!r}, it is {message!r}"


def test_a_command_names_the_section_in_a_second_line(cluster: Cluster, home: Path) -> None:
    from .programs import run_program

    environment = {"TQ_URL": cluster.master.url, "TQ_AUTHKEY": cluster.master.authkey}
    done = run_program("tq", "show", UNKNOWN_ID, home=home, environment=environment)
    first, second = done.stderr.splitlines()
    assert first.startswith(f"tq: no task has the id {UNKNOWN_ID}")
    assert second == "tq: see: tq help unknowntask"


def test_a_traceback_of_a_worker_names_the_section(worker_factory: WorkerFactory, app: tq.App) -> None:
    """A task that submits what cannot be sent: its error was raised on the worker, and is explained here."""
    worker_factory(1)
    error = app.submit("cluster_tasks:submit_nonsense").exception(timeout=30)
    assert error is not None
    assert error.type == "tq.common.errors.NotNamed"
    assert error.traceback.rstrip().endswith("see: tq help notnamed")
