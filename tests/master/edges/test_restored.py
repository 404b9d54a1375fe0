"""Stores that were restored from an older copy: both shards notice, nothing waits without an end, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tq.master.edges import lines
from tq.master.store.sqlite.store import SqliteStore

from .conftest import Cluster


def copy_of(store: SqliteStore) -> bytes:
    return bytes(store._db.serialize())


def restored(copy: bytes, new_store: Callable[[], SqliteStore]) -> SqliteStore:
    store = new_store()
    store._db.deserialize(copy)
    return store


@pytest.fixture
def database() -> str:
    """Copies are taken of SQLite's memory: that a database comes back as it was is the same to an engine."""
    return "sqlite"


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("steps", range(6))
@pytest.mark.parametrize("together", [1, lines.DELETED_TOGETHER])
def test_a_store_that_was_restored_from_any_moment_leaves_nothing_waiting(
    cluster: Cluster,
    new_store: Callable[[], SqliteStore],
    monkeypatch: pytest.MonkeyPatch,
    which: int,
    steps: int,
    together: int,
) -> None:
    """What was done since the copy is lost there, and done again; the other shard knows more, or less, than it should."""
    monkeypatch.setattr(lines, "DELETED_TOGETHER", together)
    a, b = cluster[0], cluster[1]
    old = a.submit(needs=[b.submit().first])
    pages = a.submit(3)
    merged = b.submit(needs=[pages])
    events: list[Callable[[], object]] = [
        cluster.settle,
        lambda: b.run_all(),
        lambda: a.run_all(),
        cluster.settle,
        lambda: b.run_all(),
        cluster.settle,
    ]
    copy, shard = b"", cluster[which]
    for number, event in enumerate(events):
        if number == steps:
            copy = copy_of(shard.bench.engine.store)  # type: ignore[arg-type]
        event()
    shard.bench.now = shard.bench.now._replace(wall=shard.bench.now.wall + 60_000)
    cluster.restart(which, restored(copy, new_store))
    later = cluster[1 - which].submit(needs=[cluster[which].submit().first])
    for _ in range(6):
        cluster.settle()
        a.bench.advance(30)
        b.bench.advance(30)
        a.run_all()
        b.run_all()
    assert [cluster.state(run) for run in (old, merged, later)] == ["succeeded"] * 3
    cluster.settle()
    cluster.nothing_is_left()


def test_a_shard_that_was_begun_with_no_tasks_is_seen_and_what_needs_its_tasks_fails(
    cluster: Cluster, new_store: Callable[[], SqliteStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "DELETED_TOGETHER", 1)
    a, b = cluster[0], cluster[1]
    merged = b.submit(needs=[a.submit(3)])
    cluster.settle()
    cluster.restart(0, new_store())
    cluster.settle()
    assert b.state(merged) == "failed"
    assert "was deleted" in b.failure(merged).message
    assert "edges.reset" in [action for action, _ in b.bench.reports]
    cluster.settle()
    cluster.nothing_is_left()
