"""While the disk is full nothing new is accepted, and what was accepted goes on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role, StateNumber
from tq.common.errors import StoreError, StoreFull
from tq.master.engine.core import Core
from tq.master.engine.limits import EngineLimits
from tq.master.engine.room import LOOK_EVERY_MS
from tq.master.parts import make_engine
from tq.master.store.reserve import RESERVE_FILE, ReserveFile
from tq.master.store.sqlite.store import SqliteStore

from ..conftest import Bench, Peer

SUCCESS = 0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Over a store in a file, with a reserve beside it."""
    store, reserve = SqliteStore(tmp_path / "tq.db"), ReserveFile(tmp_path)
    reserve.make()
    bench = Bench(store)
    numbers = itertools.count(1)
    bench.engine = make_engine(
        Core(
            store,
            EngineLimits(),
            random=lambda: 0.5,
            random_bytes=lambda size: next(numbers).to_bytes(size, "big"),
            report=lambda action, **fields: bench.reports.append((action, fields)),
            reserve=reserve,
        )
    )
    bench.registry._engine = bench.engine
    bench.engine.start(bench.now)
    yield bench
    store.close()


def fill(bench: Bench) -> None:
    """A commit fails as it does on a full disk."""

    def fail() -> None:
        bench.engine.store.rollback()
        raise StoreFull("the store says: database or disk is full")

    client = bench.client()
    submit(client)
    bench.step(commit=fail)
    with pytest.raises(StoreError):
        client.answer(1)


def submit(client: Peer) -> int:
    return client.ask("get_task_queue/q", "submit", "m:f", {}, [[new_ids(), b""]])


def reported(bench: Bench, *actions: str) -> list[str]:
    return [action for action, _ in bench.reports if action in actions]


def new_things(client: Peer) -> list[tuple[Any, ...]]:
    return [
        ("get_task_queue/q", "submit", "m:f", {}, [[new_ids(), b""]]),
        ("get_task_queue/items", "put", b"p" * 16, 1, b"item"),
        ("get_blobs", "put", b"h" * 32, 4, 0, b"blob"),
    ]


def test_what_is_new_is_refused_until_there_is_room(bench: Bench, tmp_path: Path) -> None:
    fill(bench)
    assert not (tmp_path / RESERVE_FILE).exists(), "it is released at once"
    client = bench.client()
    for target, method, *arguments in new_things(client)[:1]:
        with pytest.raises(StoreFull, match="the master's disk is full"):
            client.call(target, method, *arguments)
    assert bench.engine.trouble.since is not None
    for _ in range(10):
        bench.advance(LOOK_EVERY_MS / 1000)
    assert bench.engine.trouble.since is None
    assert (tmp_path / RESERVE_FILE).exists(), "this disk has room"
    assert client.call("get_task_queue/q", "submit", "m:f", {}, [[new_ids(), b""]]) == 1
    assert reported(bench, "store.full", "store.has_room") == ["store.full", "store.has_room"]


def test_a_refusal_is_no_failure_of_the_store(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReserveFile, "restore", lambda self: False)
    client = bench.client(role=Role.ADMIN)
    ids = [new_ids() for _ in range(2)]
    client.call("get_task_queue/q", "submit", "m:f", {}, [[id, b""] for id in ids])
    fill(bench)
    for _ in range(20):
        bench.advance(0.5)
    assert bench.engine.trouble.since is None
    worker = bench.worker("m:f")
    token, groups = worker.call("get_dispatcher", "lease", 1)
    logged = len(bench.reports)
    for _ in range(28):
        for target, method, *arguments in new_things(client):
            with pytest.raises(StoreFull) as refused:
                client.call(target, method, *arguments)
            assert not refused.value.maybe_done
    assert bench.engine.trouble.since is None
    assert len(bench.reports) == logged, "no line for each refusal"
    [entry] = groups[0][3]
    done = [entry[0], entry[1], token, SUCCESS, b"r", 0.0, 0.1, None]
    assert worker.call("get_dispatcher", "finish", [done]) == []
    assert client.call("get_tasks", "cancel", [ids[1]]) == [[ids[1], StateNumber.CANCELLED]]
    assert client.call("get_tasks", "purge", {})["tasks"] == 2
    assert reported(bench, "store.full", "store.has_room") == ["store.full"]
