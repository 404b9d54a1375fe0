"""What workers have and tasks need, with the real programs: no more runs than fits, also after a worker and the master were killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .cluster_tasks import count
from .conftest import AppFactory, MasterFactory, WorkerFactory
from .programs import Master, eventually, run_program

EUROPE = ("--label", "zone=eu", "--resource", "gpu=1", "--resource", "mem=16G")


def in_json(master: Master, home: Path, *arguments: str) -> Any:
    where = {"TQ_URL": master.url, "TQ_AUTHKEY": master.authkey}
    return json.loads(run_program("tq", *arguments, "--json", home=home, environment=where).stdout)


@pytest.mark.timeout(120)
def test_no_more_runs_than_fits_whatever_dies(
    master_factory: MasterFactory,
    worker_factory: WorkerFactory,
    app_factory: AppFactory,
    home: Path,
    tmp_path: Path,
) -> None:
    master = master_factory()
    app = app_factory(master.url, master.authkey)
    worker = worker_factory(4, address=master.address, authkey=master.authkey, options=EUROPE)
    hold = app.named("cluster_tasks:hold", needs={"gpu": 0.5, "mem": "4G"}, where="zone=eu and has gpu")
    started, release = tmp_path / "started", tmp_path / "release"
    handles = [hold.submit(str(started), str(release)) for _ in range(5)]
    eventually(lambda: count(str(started)) == 2)
    assert app.named("cluster_tasks:add").submit(1, 2).result(timeout=20) == 3  # the other slots are free
    [shown] = in_json(master, home, "workers")
    assert shown["resources"] == {"gpu": {"all": 1, "free": 0}, "mem": {"all": 16e9, "free": 8e9}}
    why = in_json(master, home, "why", handles[-1].id)
    assert why["placing"]["nearest"]["missing"] == [
        {"reason": "busy", "name": "gpu", "needed": 0.5, "there": 0}
    ]
    master.kill()
    worker.kill()
    master.start()
    other = worker_factory(4, address=master.address, authkey=master.authkey, options=EUROPE)
    eventually(lambda: count(str(started)) == 4, 40)  # two again, on the other worker
    release.touch()
    assert [handle.result(timeout=30) for handle in handles]
    [shown] = [row for row in in_json(master, home, "workers") if row["pid"] == other.pid]
    assert shown["resources"]["gpu"] == {"all": 1, "free": 1}
