"""Three real masters over one real PostgreSQL: one serves, two stand by, and one of these takes over."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import tq
from tq.client.cli.masters import of_cluster, state
from tq.common.runtime.config import MasterSettings
from tq.master import joining
from tq.master.store.postgres.tenure import LEASE_SECONDS
from xprocess import XProcess

from .. import postgres
from .conftest import WorkerFactory
from .programs import Master, Program, eventually, let_pass, run_program

STANDS_BY = r"master\.stands_by"
KILLED_SECONDS_MAX = 20.0  # from the kill to the first new start; 10 on a machine that is alone


class Trio(NamedTuple):
    owner: Master
    others: list[Master]

    @property
    def addresses(self) -> str:
        return ",".join(one.address for one in (*self.others, self.owner))


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.PostgresServer]:
    with postgres.serving() as server:
        yield server


def stand_by(master: Master) -> None:
    master.launch(["--bind", master.address, "--data", master.data, *master.options], STANDS_BY)


@pytest.fixture
def trio(
    server: postgres.PostgresServer, xprocess: XProcess, tmp_path: Path, programs: list[Program]
) -> Trio:
    url = server.create(f"take_over_{time.time_ns()}")
    masters = []
    for name in ("a", "b", "c"):
        home = tmp_path / name
        home.mkdir()
        masters.append(Master(xprocess, home, "--store", url, own_certificate=False))
        programs.append(masters[-1])
    owner, *others = masters
    owner.start()
    for other in others:
        joining.join(
            MasterSettings(data=other.data),
            joining.admit(
                MasterSettings(data=owner.data),
                joining.request(MasterSettings(data=other.data)).encode(),
            )[0].encode(),
        )
        stand_by(other)
    return Trio(owner, others)


def serving(masters: list[Master]) -> Master | None:
    """The one that has begun to serve, by its log."""
    return next((one for one in masters if "master.started" in one.log), None)


@pytest.mark.few
@pytest.mark.timeout(150)  # three masters are made, and one is waited for until its lease is over
def test_another_master_takes_over_from_one_that_is_killed_and_from_one_that_ends(
    trio: Trio, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    notes, key = tmp_path / "notes", trio.owner.authkey
    workers = [worker_factory(slots=1, address=trio.addresses, authkey=key) for _ in range(2)]
    with tq.App(f"tq://{trio.addresses}", key) as app:
        tasks = [app.submit("cluster_tasks:noted", str(notes), number, 0.02) for number in range(200)]
        assert tasks[5].result(timeout=20) == 5
        eventually(lambda: len(of_cluster(app)) == 3)  # the one that serves reads who is here once a second
        listed = of_cluster(app)
        assert [state(one) for one in listed] == ["serves", "stands by", "stands by"]
        assert {one.address for one in listed} == {one.address for one in (trio.owner, *trio.others)}
        assert [one.until is None for one in listed] == [True, False, False], (
            "the two that have joined have leaves"
        )
        trio.owner.kill()
        killed = time.monotonic()
        probe = app.submit("cluster_tasks:noted", str(notes), 200)
        assert probe.result(timeout=30) == 200
        took = time.monotonic() - killed
        assert [task.result(timeout=30) for task in tasks] == list(range(200))
        assert sorted(map(int, notes.read_text().split())) == list(range(201)), "each ran once"
        assert took <= KILLED_SECONDS_MAX
        first = of_cluster(app)[0]
        assert (first.serves, first.epoch) == (True, 2)

        second = serving(trio.others)
        assert second is not None
        [third] = [one for one in trio.others if one is not second]
        assert second.terminate() == 0
        ended = time.monotonic()
        eventually(lambda: serving([third]), LEASE_SECONDS)
        assert time.monotonic() - ended < LEASE_SECONDS, "it was handed over: no lease was waited for"
        assert app.submit("cluster_tasks:add", 2, 3).result(timeout=20) == 5
        assert all(worker.running for worker in workers)


@pytest.mark.thorough
@pytest.mark.timeout(180)
def test_an_owner_that_stood_still_has_lost_its_place_and_stands_by(
    trio: Trio, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    notes, key = tmp_path / "notes", trio.owner.authkey
    worker_factory(slots=2, address=trio.addresses, authkey=key)
    with tq.App(f"tq://{trio.addresses}", key) as app:
        tasks = [app.submit("cluster_tasks:noted", str(notes), number, 0.05) for number in range(300)]
        assert tasks[5].result(timeout=20) == 5
        os.kill(trio.owner.pid, signal.SIGSTOP)
        try:
            eventually(lambda: serving(trio.others), 3 * LEASE_SECONDS)
            let_pass(2 * LEASE_SECONDS)
        finally:
            os.kill(trio.owner.pid, signal.SIGCONT)
        assert [task.result(timeout=60) for task in tasks] == list(range(300))
        assert sorted(map(int, notes.read_text().split())) == list(range(300))
        eventually(lambda: "master.displaced" in trio.owner.log, 10)
        eventually(lambda: "master.stands_by" in trio.owner.log, 10)
        assert len([one for one in trio.others if "master.started" in one.log]) == 1
        assert app.submit("cluster_tasks:add", 2, 3).result(timeout=20) == 5


def test_a_master_without_a_certificate_of_the_cluster_is_refused_before_it_waits(
    trio: Trio, tmp_path: Path
) -> None:
    done = run_program(
        "tq-master",
        "--bind",
        "127.0.0.1:0",
        "--data",
        tmp_path / "stranger",
        *trio.owner.options,
        home=tmp_path,
    )
    assert done.returncode == 2
    assert "this host has no certificate of its cluster; on this host, once: tq-master request" in done.stderr
