"""The disk of the database is full while masters, a worker and clients work: nothing acknowledged is lost, and on it goes by itself."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ..cluster.programs import eventually, free_port
from ..postgres import PostgresServer, require
from ..postgres_server import USER
from .disk import SmallDisk, small_disk
from .several_masters import NewTrial
from .test_database_faults import reasons
from .test_disk_faults import endure
from .trial import SECONDS
from .witness import Tasks

pytestmark = [pytest.mark.few, pytest.mark.timeout(300)]
DISK_BYTES = 64 * 1024 * 1024
SMALL = ("max_wal_size=4MB", "min_wal_size=2MB", "shared_buffers=1MB", "wal_keep_size=1GB")
SUBMITS_MAX = 10_000
LARGE = 60_000  # of which some fill a segment of the log, as nothing compresses them


@pytest.fixture
def disk() -> Iterator[tuple[Path, SmallDisk]]:
    """It belongs to the server's own user."""
    folder = Path(tempfile.gettempdir()) / f"tq-database-disk-{os.getpid()}"
    with small_disk(folder, DISK_BYTES) as disk:
        give_to_server(folder)
        yield folder, disk
    folder.rmdir()


def give_to_server(folder: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(folder, USER)


def serving(stack: ExitStack, **options: object) -> PostgresServer:
    require()
    server = PostgresServer(settings=SMALL, durable=True, **options)  # type: ignore[arg-type]
    stack.callback(server.close)
    server.start()
    return server


def test_a_database_whose_tables_have_no_room_refuses_clearly_and_takes_tasks_again_when_they_have(
    whole_run: None,
    masters_trial: NewTrial,
    disk: tuple[Path, SmallDisk],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder, small = disk
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="tq-log-") as elsewhere:
        give_to_server(Path(elsewhere))
        server = serving(stack, parent=folder, initdb=("--wal-segsize=1", f"--waldir={elsewhere}/log"))
        trial = stack.enter_context(masters_trial("database's disk full: tables", server.url()))
        trial.start(masters=2)
        trial.worker()
        endure(trial, small.fill, small.free, "free some space on the disk of the database")
        assert server.is_running
        assert trial.owner() is trial.master
        assert "master.started" not in trial.masters[1].log, "a full disk is no sign of death"
        trial.judge(times=1)


def test_a_database_that_ends_itself_for_lack_of_room_for_its_log_is_waited_for(
    whole_run: None, masters_trial: NewTrial, disk: tuple[Path, SmallDisk]
) -> None:
    folder, small = disk
    port = free_port()
    with ExitStack() as stack:
        server = serving(stack, initdb=("--wal-segsize=1", f"--waldir={folder}/log"))
        trial = stack.enter_context(masters_trial("database's disk full: its log", server.url()))
        trial.start(masters=2, options=[["--http", f"127.0.0.1:{port}"], []])
        trial.worker()
        witness, acknowledged = trial.witness(), list[Tasks]()
        enough = threading.Event()

        def submit() -> None:
            for _ in range(SUBMITS_MAX):
                if enough.is_set():
                    return
                acknowledged.append(witness.submit("cluster_tasks:echo", [(os.urandom(LARGE),)] * 5))

        submitting = threading.Thread(target=submit)
        submitting.start()
        try:
            eventually(lambda: acknowledged, SECONDS)
            small.fill()
            eventually(lambda: any("the database" in reason for reason in reasons(port)), SECONDS)
            before = len(acknowledged)
            small.free()
            since = time.monotonic()

            def goes_on() -> bool:
                if not server.is_running:  # it may also have come back by itself, and have ended again
                    server.start()
                return len(acknowledged) > before + 1

            eventually(goes_on, SECONDS)
            trial.recovered(since, "acknowledged")
        finally:
            enough.set()
            submitting.join(2 * SECONDS)
        assert not submitting.is_alive()
        witness.hear([id for tasks in acknowledged for id in tasks], SECONDS)
        eventually(lambda: not reasons(port), SECONDS)
        trial.judge(times=1)
