"""Tasks that need tasks of other shards, with real programs: shards of one process, of two, and of two masters over one PostgreSQL; each is killed
while a task waits for two thousand."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tq
from tq.client.cli.masters import of_cluster
from tq.common.domain.shards import shard_of_name
from tq.common.runtime.config import MasterSettings
from tq.master import joining
from xprocess import XProcess

from .. import postgres
from .conftest import AppFactory, MasterFactory, WorkerFactory
from .programs import Master, Program, eventually
from .test_shards import call, two_free_ports

MODULE = Path(__file__).with_name("edge_tasks.py")
SHARDS = 4
MEMBERS = 2_000
SECONDS = 100.0  # of a machine that has little time, with a restart
pytestmark = pytest.mark.timeout(300)


def queue_in(shard: int) -> str:
    return next(name for n in range(1_000) if shard_of_name(name := f"queue-{n}", SHARDS) == shard)


class Needs:
    """Programs over a cluster of several shards. ``notes``: a line for each run of the task that needs them all."""

    def __init__(self, app: tq.App, folder: Path) -> None:
        self.app, self.notes = app, folder / "notes"

    def task(self, name: str, queue: str) -> tq.Task[..., int]:
        return self.app.named(f"edge_tasks:{name}").using(queue=queue)

    def chain(self) -> None:
        """Over the queues of three shards, and back to the first."""
        plus, double = (self.task(name, queue_in(shard)) for name, shard in (("plus", 1), ("double", 2)))
        last = self.task("plus", queue_in(0)).submit(1)
        for task in (double, plus, double):
            last = task.submit(last)
        assert last.result(SECONDS) == 10

    def join(self, amid: Callable[[], None]) -> None:
        """``amid``: done while some of the tasks that one needs have ended, and others not."""
        members = self.task("plus", "{spread}members").map(range(MEMBERS))
        joined = self.task("total", queue_in(3)).submit(members, str(self.notes))
        members[MEMBERS // 10].result(SECONDS)
        amid()
        assert joined.result(SECONDS) == sum(range(1, MEMBERS + 1))
        assert self.notes.read_text("utf-8") == f"{MEMBERS}\n", "it runs once, with all of them"

    def content(self) -> None:
        """What a result names is in the shard of its task."""
        page = self.task("page", queue_in(1)).submit(300_000)
        assert self.task("measured", queue_in(2)).submit(page).result(SECONDS) == 300_000

    def failure(self) -> None:
        bad = self.task("plus", queue_in(1)).submit("no number")
        with pytest.raises(tq.DependencyFailed, match=f"edge_tasks:plus {bad.id} failed"):
            self.task("double", queue_in(2)).submit(bad).result(SECONDS)


def test_shards_of_one_process_pass_on_what_tasks_of_others_need_through_its_death(
    master_factory: MasterFactory, worker_factory: WorkerFactory, app_factory: AppFactory, tmp_path: Path
) -> None:
    master = master_factory("--shards", SHARDS)
    worker_factory(slots=2, tasks=MODULE, address=master.address, authkey=master.authkey)
    needs = Needs(app_factory(master.url, master.authkey), tmp_path)
    needs.chain()
    needs.content()
    needs.failure()
    needs.join(master.restart)


def test_shards_of_two_processes_do_so_through_the_death_of_one_and_of_both(
    master_factory: MasterFactory, worker_factory: WorkerFactory, app_factory: AppFactory, tmp_path: Path
) -> None:
    port = two_free_ports()
    master = master_factory("--shards", SHARDS, "--processes", 2, "--bind", f"127.0.0.1:{port}")
    master.port = port
    eventually(lambda: "processes.started" in master.log, SECONDS)
    worker_factory(slots=2, tasks=MODULE, address=master.address, authkey=master.authkey)
    app = app_factory(master.url, master.authkey)
    needs = Needs(app, tmp_path)
    needs.chain()

    other = int(call(master, 3, ["get_master"], "info")["pid"])
    needs.join(lambda: os.kill(other, signal.SIGKILL))
    needs.notes.unlink()
    needs.join(master.restart)
    assert master.terminate() == 0
    assert not any(log.stat().st_size for log in master.data.rglob("*-wal")), "each store was closed whole"


@pytest.fixture
def pair(xprocess: XProcess, tmp_path: Path, programs: list[Program]) -> Iterator[list[Master]]:
    """Two masters over a database of their own."""
    with postgres.serving() as server:
        url, masters = server.create(f"edges_{time.time_ns()}"), []
        for name in "ab":
            home = tmp_path / name
            home.mkdir()
            masters.append(Master(xprocess, home, "--store", url, "--shards", SHARDS, own_certificate=False))
            programs.append(masters[-1])
        first, second = masters
        first.start()
        asked = joining.request(MasterSettings(data=second.data)).encode()
        admitted = joining.admit(MasterSettings(data=first.data), asked)[0]
        joining.join(MasterSettings(data=second.data), admitted.encode())
        launch(second)
        yield masters
        for one in reversed(masters):
            one.end()


def launch(master: Master) -> None:
    master.launch(
        ["--bind", master.address, "--data", master.data, *master.options],
        r"master\.stands_by|master\.started",
    )


def test_masters_that_share_a_database_do_so_through_the_death_of_one(
    pair: list[Master], worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    first, second = pair
    addresses = ",".join(one.address for one in pair)
    worker_factory(slots=2, tasks=MODULE, address=addresses, authkey=first.authkey)
    with tq.App(f"tq://{addresses}", first.authkey) as app:
        eventually(
            lambda: sorted(len(one.shards or []) for one in of_cluster(app) if one.serves) == [2, 2], SECONDS
        )
        needs = Needs(app, tmp_path)
        needs.chain()
        needs.join(second.kill)
