"""The file of a store shrinks after a purge, a few pages at a time, while calls are answered in between."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role
from tq.master.engine.unused_space import KEEP_BYTES, LOOK_EVERY_MS
from tq.master.store.sqlite.store import SqliteStore

from ..conftest import Bench

PAYLOAD = bytes(100_000)
TASKS = 150


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(SqliteStore(tmp_path / "tq.db"))


def filled_and_purged(bench: Bench) -> None:
    admin = bench.client(role=Role.ADMIN)
    ids = [new_ids() for _ in range(TASKS)]
    for start in range(0, TASKS, 50):
        tasks = [[id, PAYLOAD] for id in ids[start : start + 50]]
        admin.call("get_task_queue/q", "submit", "m:f", {}, tasks)
    assert admin.call("get_tasks", "purge", {})["tasks"] == TASKS


def pass_time(bench: Bench, ms: int, look: Callable[[], None] = lambda: None) -> None:
    """With a beat each second, as a master has."""
    until = bench.now.mono + ms
    while bench.now.mono < until:
        at = bench.engine.next_wakeup()
        next_beat = bench.now.mono + 1_000
        bench.advance(max(1, min(next_beat, at or next_beat) - bench.now.mono) / 1000)
        look()


def test_the_file_shrinks_after_a_purge(bench: Bench, tmp_path: Path) -> None:
    filled_and_purged(bench)
    assert (tmp_path / "tq.db").stat().st_size > 3 * KEEP_BYTES
    pass_time(bench, 3 * LOOK_EVERY_MS)
    assert bench.engine.store.space().unused_bytes <= KEEP_BYTES
    assert (tmp_path / "tq.db").stat().st_size < 2 * KEEP_BYTES


def test_no_transaction_gives_back_more_than_a_portion(bench: Bench) -> None:
    filled_and_purged(bench)
    sizes = [bench.engine.store.space().size_bytes]
    pass_time(bench, 3 * LOOK_EVERY_MS, lambda: sizes.append(bench.engine.store.space().size_bytes))
    steps = [before - after for before, after in itertools.pairwise(sizes)]
    assert sum(steps) > 10_000_000
    assert max(steps) <= 65 * 16 * 4096


def test_a_store_in_which_little_is_unused_keeps_it(bench: Bench) -> None:
    admin = bench.client(role=Role.ADMIN)
    for _ in range(20):
        admin.call("get_task_queue/q", "submit", "m:f", {}, [[new_ids(), PAYLOAD]])
    admin.call("get_tasks", "purge", {})
    before = bench.engine.store.space()
    pass_time(bench, 3 * LOOK_EVERY_MS)
    assert bench.engine.store.space().size_bytes == before.size_bytes


def test_an_idle_master_is_not_woken_to_look(bench: Bench) -> None:
    filled_and_purged(bench)
    bench.advance(1)
    pass_time(bench, 3 * LOOK_EVERY_MS)
    wakeup = bench.engine.next_wakeup()
    assert wakeup is not None
    assert wakeup - bench.now.mono > 80 * 24 * 3_600_000, (
        "for the oldest row of the audit log, and nothing else"
    )
