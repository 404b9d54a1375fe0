"""A worker and a master of several shards as real programs: each shard's tasks run, and end once, also when its worker dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.ids import IdSource
from tq.common.domain.model import StateNumber, TaskOptions
from tq.common.values.codec import encode_call

from .conftest import AppFactory, MasterFactory, WorkerFactory
from .programs import Master, eventually, stalled
from .test_shards import SHARDS, a_queue_in, call, connected, two_free_ports

pytestmark = pytest.mark.timeout(400)  # programs of a busy machine: each wait ends by what it waits for
SECONDS = 120.0
EACH = 5  # tasks of each shard
SUCCEEDED = int(StateNumber.SUCCEEDED)


def submit(master: Master, shard: int, task: str, *calls: tuple[Any, ...], **options: Any) -> list[bytes]:
    """``options``: as of ``@app.task``."""

    async def once() -> list[bytes]:
        connection = await connected(master, shard)
        try:
            source = IdSource(shard=shard)
            ids = [source.take_one() for _ in calls]
            rows = [[id, encode_call(call, {})] for id, call in zip(ids, calls, strict=True)]
            target = ["get_task_queue", a_queue_in(shard)]
            assert await connection.call(
                target, "submit", task, TaskOptions(**options).to_wire(), rows
            ) == len(calls)
            return ids
        finally:
            connection.close()

    return asyncio.run(once())


def states(master: Master, ids: list[list[bytes]]) -> Counter[int]:
    """How many tasks of all shards are in each state. ``ids``: by shard."""

    async def of(shard: int) -> list[int]:
        connection = await connected(master, shard)
        try:
            return [state for _, state in await connection.call(["get_tasks"], "states", ids[shard])]
        finally:
            connection.close()

    async def all_of_them() -> Counter[int]:
        found = await asyncio.gather(*(of(shard) for shard in range(len(ids)) if ids[shard]))
        return Counter(state for one in found for state in one)

    return asyncio.run(all_of_them())


def succeeded(master: Master, ids: list[list[bytes]]) -> bool:
    return states(master, ids) == {SUCCEEDED: sum(map(len, ids))}


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").split() if path.exists() else []


def test_one_worker_runs_the_tasks_of_every_shard(
    master_factory: MasterFactory, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    master, ran = master_factory("--shards", SHARDS), tmp_path / "ran"
    before = [
        submit(master, shard, "cluster_tasks:noted", *((str(ran), 100 * shard + n) for n in range(EACH)))
        for shard in range(SHARDS)
    ]
    worker_factory(2, address=master.address, authkey=master.authkey)
    eventually(lambda: succeeded(master, before), SECONDS)
    # To a worker that is there and has nothing to do.
    after = [
        submit(master, shard, "cluster_tasks:noted", (str(ran), 1_000 + shard)) for shard in range(SHARDS)
    ]
    eventually(lambda: succeeded(master, after), SECONDS)
    assert Counter(lines(ran)).most_common(1)[0][1] == 1
    assert len(lines(ran)) == SHARDS * (EACH + 1)


def test_steps_and_content_of_a_task_are_kept_in_its_shard(
    master_factory: MasterFactory, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    """A master of another shard would refuse both."""
    master = master_factory("--shards", SHARDS)
    paths = [tmp_path / f"steps of {shard}" for shard in range(SHARDS)]
    ids = [
        submit(master, shard, "shard_tasks:stepped", (str(path),), retries=1)
        for shard, path in enumerate(paths)
    ]
    tasks = Path(__file__).with_name("shard_tasks.py")
    worker_factory(2, tasks=tasks, address=master.address, authkey=master.authkey)
    eventually(lambda: succeeded(master, ids), SECONDS)
    assert [lines(path) for path in paths] == [["done"]] * SHARDS


def test_a_task_waits_for_tasks_of_every_shard_on_a_worker_with_one_slot(
    master_factory: MasterFactory, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    master = master_factory("--shards", SHARDS)
    tasks = Path(__file__).with_name("shard_tasks.py")
    worker_factory(1, tasks=tasks, address=master.address, authkey=master.authkey)
    app, queues = app_factory(master.url, master.authkey), [a_queue_in(shard) for shard in range(SHARDS)]
    across = app.named("shard_tasks:across", queue=queues[2])
    assert across.submit(queues * 3).result(SECONDS) == 3 * SHARDS


def test_what_a_killed_worker_held_of_every_shard_ends_once(
    master_factory: MasterFactory, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    master = master_factory("--shards", SHARDS)
    started, release = tmp_path / "started", tmp_path / "release"
    held = [
        submit(master, shard, "cluster_tasks:hold", (str(started), str(release))) for shard in range(SHARDS)
    ]
    worker = worker_factory(SHARDS, address=master.address, authkey=master.authkey)
    eventually(lambda: len(lines(started)) == SHARDS, SECONDS)
    worker.kill()
    release.touch()
    worker_factory(1, address=master.address, authkey=master.authkey)
    eventually(lambda: succeeded(master, held), SECONDS)
    assert len(lines(started)) == 2 * SHARDS, "each was started once more, and no more often"


def test_shards_whose_process_stands_still_hold_up_no_others(
    master_factory: MasterFactory, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    """On a worker with one slot, which it could be offering to them when they stop."""
    port = two_free_ports()
    master = master_factory("--shards", SHARDS, "--processes", 2, "--bind", f"127.0.0.1:{port}")
    master.port = port
    eventually(lambda: "processes.started" in master.log, SECONDS)
    ran = tmp_path / "ran"
    worker_factory(1, address=master.address, authkey=master.authkey)

    def run_in(*shards: int) -> None:
        ids: list[list[bytes]] = [[] for _ in range(SHARDS)]
        for shard in shards:
            calls = [(str(ran), shard)] * EACH
            ids[shard] = submit(master, shard, "cluster_tasks:noted", *calls)
        eventually(lambda: succeeded(master, ids), SECONDS)

    run_in(*range(SHARDS))
    pid = call(master, 1, ["get_master"], "info")["pid"]
    waiting = submit(master, 1, "cluster_tasks:noted", *[(str(ran), 1)] * EACH)
    with stalled([pid]):
        run_in(0, 2)
    run_in(3)
    eventually(lambda: succeeded(master, [[], waiting, [], []]), SECONDS)
    assert Counter(lines(ran)) == {"0": 2 * EACH, "1": 2 * EACH, "2": 2 * EACH, "3": 2 * EACH}


@pytest.mark.thorough
def test_a_master_of_several_shards_that_is_killed_takes_what_its_workers_have_run_meanwhile(
    master_factory: MasterFactory, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    master = master_factory("--shards", SHARDS)
    started, release = tmp_path / "started", tmp_path / "release"
    held = [
        submit(master, shard, "cluster_tasks:hold", (str(started), str(release))) for shard in range(SHARDS)
    ]
    worker_factory(SHARDS, address=master.address, authkey=master.authkey)
    eventually(lambda: len(lines(started)) == SHARDS, SECONDS)
    master.kill()
    release.touch()
    master.start()
    eventually(lambda: succeeded(master, held), SECONDS)
    assert len(lines(started)) == SHARDS
