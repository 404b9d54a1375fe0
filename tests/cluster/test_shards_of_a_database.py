"""Two real masters over one real PostgreSQL with two shards, which they share: what one of them acknowledged is there when its shard has
moved, and when it is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from multiprocessing.managers import BaseManager, RemoteError
from pathlib import Path

import pytest
import tq
from tq.client.cli.masters import of_cluster, state
from tq.client.items.queue import ItemQueue
from tq.common.domain.shards import shard_of_name
from tq.common.runtime.config import MasterSettings
from tq.master import joining
from xprocess import XProcess

from .. import postgres
from .conftest import WorkerFactory
from .programs import Master, Program, eventually, run_program
from .test_gateway import KEY, gateway_options, gateway_port

SHARDS = 2
QUEUES = [
    next(name for n in range(1_000) if shard_of_name(name := f"queue-{n}", SHARDS) == shard)
    for shard in range(SHARDS)
]


class StockManager(BaseManager):
    """Of the standard library, as it is."""


StockManager.register("get_queue")
STANDS_BY, SERVES = r"master\.stands_by", r"master\.started"
# A database and two masters are made, and one of these is waited for until its lease is over.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.serving() as server:
        yield server.create(f"shards_{time.time_ns()}")


@pytest.fixture
def pair(url: str, xprocess: XProcess, tmp_path: Path, programs: list[Program]) -> list[Master]:
    """The second has been given a certificate, and is not started."""
    masters = []
    for name in "ab":
        home = tmp_path / name
        home.mkdir()
        masters.append(Master(xprocess, home, "--store", url, own_certificate=False))
        programs.append(masters[-1])
    first, second = masters
    first.options += ["--shards", SHARDS, *gateway_options(tmp_path)]
    first.start()
    asked = joining.request(MasterSettings(data=second.data)).encode()
    admitted = joining.admit(MasterSettings(data=first.data), asked)[0]
    joining.join(MasterSettings(data=second.data), admitted.encode())
    return masters


def launch(master: Master, pattern: str, *options: object) -> None:
    master.launch(["--bind", master.address, "--data", master.data, *master.options, *options], pattern)


def hosted(app: tq.App) -> dict[str, list[int] | None]:
    return {one.address: one.shards for one in of_cluster(app) if one.serves}


def test_two_masters_share_the_shards_and_those_of_one_that_is_killed_are_taken_by_the_other(
    pair: list[Master], worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    first, second = pair
    notes, addresses = tmp_path / "notes", ",".join(one.address for one in pair)
    worker_factory(slots=2, address=addresses, authkey=first.authkey)
    with tq.App(f"tq://{addresses}", first.authkey) as app:
        eventually(lambda: hosted(app) == {first.address: [0, 1]})
        noted = [app.named("cluster_tasks:noted", queue=queue) for queue in QUEUES]
        tasks = [noted[n % SHARDS].submit(str(notes), n, 0.02) for n in range(200)]
        assert tasks[7].result(timeout=120) == 7
        stock = StockManager(address=("127.0.0.1", int(gateway_port(first))), authkey=KEY.encode())
        stock.connect()
        stays, goes = (stock.get_queue(f"{{{queue}}}items") for queue in QUEUES)
        goes.put("here")
        launch(second, f"{SERVES}|{STANDS_BY}")
        eventually(lambda: hosted(app) == {first.address: [0], second.address: [1]}, 60)
        with pytest.raises(
            RemoteError, match=f"which another master has now, {second.address}: make a manager"
        ):
            goes.qsize()
        stays.put("over the same connection")
        assert stays.get() == "over the same connection"
        tasks += [noted[n % SHARDS].submit(str(notes), n, 0.02) for n in range(200, 400)]
        first.kill()
        assert [task.result(timeout=120) for task in tasks] == list(range(400))
        assert sorted(map(int, notes.read_text().split())) == list(range(400)), "each ran once"
        assert [one.submit(str(notes), 400).result(timeout=120) for one in noted] == [400] * SHARDS
        eventually(lambda: hosted(app) == {second.address: [0, 1]})
        assert ItemQueue(app.session, f"{{{QUEUES[1]}}}items").get(timeout=30) == "here"
        assert first.address not in [one.address for one in of_cluster(app) if state(one) == "serves"]


def test_another_number_of_shards_than_the_databases_is_refused_while_the_first_master_serves(
    pair: list[Master],
) -> None:
    first, second = pair
    words = ("--bind", second.address, "--data", second.data, *second.options, "--shards", 8)
    started = run_program("tq-master", *words, home=second.data.parent)
    assert started.returncode == 2
    assert "has 2 shards, and --shards says 8: how many there are is fixed" in started.stderr
    checked = run_program("tq-master", "check", *words, home=second.data.parent)
    assert "has 2 shards, and --shards says 8" in checked.stdout + checked.stderr
    assert first.running
