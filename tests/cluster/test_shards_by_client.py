"""A program, its commands and a worker with a master of four shards: nothing in them says which shard."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import tq
from tq.client.items.queue import ItemQueue
from tq.client.locks.locks import Lock
from tq.common.domain.ids import parse_id
from tq.common.domain.shards import shard_of_id, shard_of_name

from .conftest import AppFactory, MasterFactory, WorkerFactory
from .programs import Master, run_program

SHARDS = 4
QUEUES = [
    next(name for n in range(1_000) if shard_of_name(name := f"queue-{n}", SHARDS) == shard)
    for shard in range(SHARDS)
]
ADD = "cluster_tasks:add"


@pytest.fixture
def master(master_factory: MasterFactory) -> Master:
    return master_factory("--shards", SHARDS)


def listed(master: Master, *arguments: str) -> Any:
    done = run_program(
        "tq",
        *arguments,
        "--json",
        "--url",
        master.url,
        "--authkey-file",
        master.data / "admin.key",
        home=master.data.parent,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_tasks_of_queues_in_all_shards_are_run_listed_and_cancelled_by_one_program(
    master: Master, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    app = app_factory(master.url, master.authkey)
    handles = [app.named(ADD, queue=queue).submit(1, number) for number, queue in enumerate(QUEUES)]
    assert [shard_of_id(parse_id(handle.id)) for handle in handles] == list(range(SHARDS))
    assert app.get(handles[3].id) == handles[3]
    maps = [app.named(ADD, queue=queue).starmap((n, 1) for n in range(30)) for queue in QUEUES]
    with app.batch():
        held = [app.named(ADD, queue=queue, delay=3_600).submit(0, 0) for queue in QUEUES]
    # The newest first, whatever the shard: what the batch has sent, and each array as a line.
    rows = listed(master, "ls", "--limit", "6")
    assert {row["id"] for row in rows[:SHARDS]} == {handle.id for handle in held}
    assert [row["tasks"] for row in rows[SHARDS:]] == [30, 30]
    queues = listed(master, "queues")
    assert [(row["name"], row["ready"], row["scheduled"]) for row in queues] == [
        (name, 31, 1) for name in sorted(QUEUES)
    ]
    worker_factory(4)
    assert sorted(one.result(60) for one in tq.as_completed(handles)) == [1, 2, 3, 4]
    # Each needs one of another shard, whose submit is under way: none is refused, and none waits without end.
    with app.batch():
        chained = [app.named(ADD, queue=QUEUES[0]).submit(1, 1)]
        for queue in QUEUES[1:]:
            chained.append(app.named(ADD, queue=queue).submit(chained[-1], 1))
        assert chained[-1].state in {"blocked", "ready", "running", "succeeded"}
    assert chained[-1].result(60) == 1 + len(QUEUES)
    assert [row["id"] for row in listed(master, "show", chained[-1].id)["needs"]] == [chained[-2].id]
    assert [sum(one.results(60)) for one in maps] == [sum(range(1, 31))] * SHARDS
    [row] = app.call(("get_workers",), "list")
    assert row["slots"] == 4
    assert listed(master, "cancel", "--where", "state=scheduled", "--yes")["tasks"] == SHARDS
    for handle in held:
        with pytest.raises(tq.TaskError):
            handle.result(60)


def test_a_program_that_has_asked_for_the_cluster_writes_rows_of_an_outbox_for_the_shard_of_their_queue(
    master: Master, app_factory: AppFactory, tmp_path: Path
) -> None:
    file = tmp_path / "shop.db"
    assert run_program("tq", "outbox", "init", "--database", file, home=tmp_path).returncode == 0
    app = app_factory(master.url, master.authkey)
    assert app.cluster_id()
    with contextlib.closing(sqlite3.connect(file)) as database:
        handle = app.named(ADD, queue=QUEUES[3]).using(outbox=database).submit(1, 2)
        database.commit()
    assert shard_of_id(parse_id(handle.id)) == 3


def test_what_was_waited_for_over_all_shards_comes_after_a_kill_of_the_master(
    master: Master, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    app = app_factory(master.url, master.authkey)
    handles = [app.named(ADD, queue=queue).submit(1, 1) for queue in QUEUES]
    locks = [Lock(app.session, f"lock-{number}") for number in range(8)]
    items = [ItemQueue(app.session, f"items-{number}") for number in range(8)]
    for number, (lock, queue) in enumerate(zip(locks, items, strict=True)):
        lock.acquire()
        queue.put(number)
    assert {shard_of_name(f"lock-{number}", SHARDS) for number in range(8)} == set(range(SHARDS))
    master.kill()
    master.start()
    assert [queue.get(timeout=60) for queue in items] == list(range(8))
    for lock in locks:
        lock.release()
    worker_factory(2)
    assert [handle.result(60) for handle in handles] == [2] * SHARDS


def test_what_cannot_be_in_two_shards_is_refused_before_it_is_sent_with_the_line_to_write(
    master: Master, app_factory: AppFactory
) -> None:
    app = app_factory(master.url, master.authkey)
    one, other = (app.named(ADD, queue=queue) for queue in QUEUES[:2])
    with app.flow("one", queue=QUEUES[1]) as flow:
        other.submit(1, 1)
        with pytest.raises(tq.InvalidArgument, match=r"app.flow\(…, queue="):
            one.submit(1, 1)
    assert flow.progress.total == 1
    with pytest.raises(tq.InvalidArgument, match="one tag in their names"):
        one.using(on_failure=other).submit(1, 1)
    tagged = app.named(ADD, queue="{shop}a"), app.named(ADD, queue="{shop}b")
    tagged[1].submit(tagged[0].submit(1, 1), 1)


@pytest.mark.timeout(180)
def test_one_queue_in_every_shard_has_its_tasks_in_all_and_is_one_to_people(
    master: Master, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    queue = "{spread}fetch"
    app = app_factory(master.url, master.authkey)
    add = app.named(ADD, queue=queue)
    numbers = range(40)
    # Under a limit that is divided, a map has a part in each shard.
    calls = add.using(limits=[tq.Limit("api", max_running=8)]).starmap((number, 1) for number in numbers)
    once = [add.using(key="once").submit(1, 1) for _ in range(3)]
    with app.flow("together") as flow:
        members = [add.submit(number, number) for number in range(3)]
    assert {shard_of_id(parse_id(one.id)) for one in members} == {shard_of_id(parse_id(flow.id))}
    assert len({one.id for one in once}) == 1
    [row] = app.call(("get_queues",), "list")
    assert (row["name"], row["ready"]) == (queue, len(numbers) + len(members) + 1)
    admin = tq.App(master.url, master.key("admin"), role="admin")
    admin.set_queue(queue, maxsize=9_000)
    admin.call(("get_task_queue", queue), "pause", "until all is there")
    worker_factory(4)
    [row] = listed(master, "queues")
    assert (row["succeeded"], row["maxsize"], row["paused"]) == (0, 9_000, True)
    admin.call(("get_task_queue", queue), "resume")
    admin.close()
    assert list(calls.results(60)) == [number + 1 for number in numbers]
    assert {shard_of_id(parse_id(one.id)) for one in calls} == set(range(SHARDS))
    after = add.submit(calls[0], calls[0])
    assert (after.result(60), shard_of_id(parse_id(after.id))) == (2, shard_of_id(parse_id(calls[0].id)))
    assert flow.result(60) == [0, 2, 4]
    assert len(app.call(("get_tasks",), "select", {"flow": parse_id(flow.id)}, 9)["rows"]) == len(members)


@pytest.mark.timeout(180)
def test_what_commands_schedules_and_outboxes_put_into_a_queue_in_every_shard_is_in_all_of_them(
    master: Master, worker_factory: WorkerFactory, app_factory: AppFactory, home: Path
) -> None:
    queue, every = "{spread}fetch", set(range(SHARDS))
    where = {"TQ_URL": master.url, "TQ_AUTHKEY": master.key("client")}

    def tq_does(*words: object, input: str | None = None) -> str:
        done = run_program("tq", *words, home=home, environment=where, input=input)
        assert done.returncode == 0, done.stderr
        return done.stdout

    app = app_factory(master.url, master.authkey)
    worker_factory(4)
    hosts = "".join(f"{number}.example\n" for number in range(40))
    for limit in ("{spread}host max_running=1 by={item}", "api max_running=8"):
        assert tq_does("map", "cluster_tasks:echo", "--queue", queue, "--limit", limit, input=hosts) == hosts
    ids = [row["id"] for row in listed(master, "ls", "--all", "--limit", "100")]
    assert Counter(shard_of_id(parse_id(id)) for id in ids).keys() == every
    names = [f"of-customer-{number}" for number in range(12)]
    for name in names:
        app.schedules.add(name, app.named("cluster_tasks:echo", queue=queue), every=3_600, args=[name])
    runs = [app.schedules.run_now(name) for name in names]
    assert [one.result(60) for one in runs] == names
    assert {shard_of_id(parse_id(one.id)) for one in runs} == every
    assert len(app.schedules.list()) == len(names)
    tq_does("outbox", "init", "--database", home / "shop.db")
    assert app.cluster_id()
    with contextlib.closing(sqlite3.connect(home / "shop.db")) as database:
        limits = [tq.Limit("api", max_running=8)]
        written = app.named(ADD, queue=queue, limits=limits).using(outbox=database)
        handles = written.starmap((number, 1) for number in range(80))
        database.commit()
    tq_does("outbox", "run", "--database", home / "shop.db", "--once")
    assert list(handles.results(60)) == list(range(1, 81))
    assert {shard_of_id(parse_id(one.id)) for one in handles} == every
    [row] = listed(master, "queues")
    assert (row["name"], row["succeeded"], row["ready"]) == (queue, 80 + len(names) + 80, 0)
