"""``using(outbox=…)``: what travels in a row, and what cannot. No master is there, and none is asked."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import tq
from tq.client.outbox.table import sqlite_ddl
from tq.common.contract.outbox import OutboxSubmit, row_from_bytes, submit_from_wire
from tq.common.domain.id_runs import ids_named
from tq.common.domain.ids import parse_id
from tq.common.domain.shards import shard_of_id, shard_of_name
from tq.common.errors import InvalidArgument
from tq.common.values.codec import decode_call

app = tq.App("tq://127.0.0.1:1", "0" * 32)


@app.task(queue="pictures", limits=[tq.Limit("host", max_running=2, by="{host}")])
def thumb(host: str, size: int = 1) -> int:
    return size


@app.task
def plain(x: Any) -> Any:
    return x


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(":memory:")
    db.executescript(sqlite_ddl())
    yield db
    db.close()


def written(db: sqlite3.Connection) -> list[OutboxSubmit]:
    rows = db.execute("SELECT queue, task, tasks, body FROM tq_outbox ORDER BY position").fetchall()
    found = [submit_from_wire(row_from_bytes(body)) for *_, body in rows]
    for (queue, task, tasks, _), said in zip(rows, found, strict=True):
        assert (queue, task) == (said.queue, said.task)
        assert tasks == sum(len(one[1]) if isinstance(one[1], list) else 1 for one in said.tasks)
    return found


def test_a_submit_is_a_row_with_all_that_using_was_given(db: sqlite3.Connection) -> None:
    handle = thumb.using(outbox=db, priority=5, tags={"order": "47"}, delay=30, retries=2).submit(
        "a.example", size=3
    )
    [said] = written(db)
    assert (said.queue, said.task) == ("pictures", thumb.name)
    assert said.options == {"priority": 5, "tags": {"order": "47"}, "delay": 30.0, "retries": 2}
    [[id, payload]] = said.tasks
    assert parse_id(handle.id) == id
    assert decode_call(payload) == (["a.example"], {"size": 3})
    assert said.columns is not None
    assert "a.example" in str(said.columns)
    assert db.in_transaction, "the program commits"


def test_a_key_travels_with_its_proof_and_may_be_submitted_twice(db: sqlite3.Connection) -> None:
    first, second = (plain.using(outbox=db, key="order-47").submit(1) for _ in range(2))
    assert first.id == second.id
    assert [len(said.proofs or ()) for said in written(db)] == [1, 1]


def test_a_map_is_a_row_for_each_thousand(db: sqlite3.Connection) -> None:
    handles = plain.using(outbox=db).map(range(2_500))
    assert [len(said.tasks[0][1]) for said in written(db)] == [1_000, 1_000, 500]
    ids = [id for said in written(db) for id in ids_named([[said.tasks[0][0], len(said.tasks[0][1])]])]
    assert [parse_id(id) for id in handles.ids] == ids
    assert len(plain.using(outbox=db).map([])) == 0
    assert len(plain.using(outbox=db).starmap([(1,), (2,)])) == 2


def test_a_map_into_a_queue_in_every_shard_has_rows_for_each_of_them(db: sqlite3.Connection) -> None:
    host = tq.Limit("{spread}host", max_running=1, by="{host}")
    with tq.App("tq://127.0.0.1:1", "0" * 32) as other:
        other.session.known_shards = 4
        fetch = other.task(thumb.function, queue="{spread}fetch", limits=[])
        in_turn = fetch.using(outbox=db).map(range(4_000))
        rows = written(db)
        assert Counter(shard_of_id(said.tasks[0][0]) for said in rows) == dict.fromkeys(range(4), 1)
        assert [len(said.tasks[0][1]) for said in rows] == [1_000] * 4
        db.execute("DELETE FROM tq_outbox")
        hosts = [f"{number % 7}.example" for number in range(1_500)]
        of_hosts = fetch.using(outbox=db, limits=[host]).map(hosts)
        placed = [shard_of_id(parse_id(id)) for id in of_hosts.ids]
        assert placed == [shard_of_name(name, 4) for name in hosts]
        ids = [id for said in written(db) for id in ids_named([[said.tasks[0][0], len(said.tasks[0][1])]])]
        assert sorted(ids) == sorted(map(parse_id, of_hosts.ids))
        assert len(in_turn) == 4_000
        with pytest.raises(InvalidArgument, match="cannot have unique=; submit them one by one"):
            fetch.using(outbox=db, unique=tq.Unique(by="{host}")).map(hosts)


def test_an_event_loop_submits_with_the_calls_of_its_own(db: sqlite3.Connection) -> None:
    async def main() -> None:
        await plain.using(outbox=db).asubmit(1)
        assert len(await plain.using(outbox=db).amap([1, 2])) == 2

    asyncio.run(main())
    assert len(written(db)) == 2


def test_a_chain_in_a_transaction_is_rows_that_need_one_another(db: sqlite3.Connection) -> None:
    into = plain.using(outbox=db)
    first = into.submit(1)
    into.submit(first)
    tq.chain(into.s(1), into.s()).submit()
    assert [len(said.tasks[0]) for said in written(db)] == [2, 3, 2, 3]
    assert written(db)[1].tasks[0][2] == [0, [parse_id(first.id)]]


def test_of_a_task_that_may_be_there_already_no_handle_is_given(db: sqlite3.Connection) -> None:
    unique = plain.using(outbox=db, unique=tq.Unique(by="{x}"))
    assert unique.submit(1) is None
    assert unique.map([1, 2]) is None
    assert [said.unique is not None for said in written(db)] == [True, True]


def test_what_only_a_master_can_answer_is_refused_where_it_is_written(db: sqlite3.Connection) -> None:
    with pytest.raises(
        InvalidArgument, match="on_full='raise' is answered to who submits, and that will be the relay"
    ):
        plain.using(outbox=db, on_full="raise")
    with pytest.raises(InvalidArgument, match=r"content of a tq\.Blob is sent to the master"):
        plain.using(outbox=db).submit(tq.Blob.of(b"content"))
    with pytest.raises(InvalidArgument, match=r"content of a tq\.Blob is sent to the master"):
        plain.using(outbox=db).map([tq.Blob.of(b"content")])
    with pytest.raises(
        InvalidArgument, match=r"make a row of 3,000,.* bytes, and one of an outbox has at most 2,097,152"
    ):
        plain.using(outbox=db).submit(b"x" * 3_000_000)
    assert not written(db)


def test_a_schedule_is_made_by_the_master_and_has_no_outbox(db: sqlite3.Connection) -> None:
    with pytest.raises(InvalidArgument, match="outbox=… is of a submit"):
        plain.using(outbox=db).failure_handler()


def test_arguments_are_judged_before_anything_is_written(db: sqlite3.Connection) -> None:
    with pytest.raises(TypeError):
        plain.using(outbox=db).submit(1, 2)  # type: ignore[call-arg]
    assert not written(db)
