"""A long queue: what it holds is counted, leased in order and forgotten as a short one's. ``--store-rows 10000000``."""

from __future__ import annotations

from pathlib import Path

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.tasks import NewTasks
from tq.master.store.sqlite.store import SqliteStore

GROUP = 100_000
LEASE = b"L" * 16
NOW = 1_700_000_000_000
PORTION = 1_000  # leased, ended and forgotten


@pytest.mark.timeout(1_800)
def test_a_store_of_many_rows_serves_as_one_of_few(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    rows = int(pytestconfig.getoption("store_rows"))
    store = SqliteStore(tmp_path / "tq.db", "os")
    store.begin()
    route = store.add_route("q", "m:f")
    store.commit()
    for first in range(1, rows + 1, GROUP):
        seqs = range(first, min(first + GROUP, rows + 1))
        tasks = [(seq, seq.to_bytes(16, "big"), b"payload") for seq in seqs]
        store.begin()
        assert store.insert([NewTasks(route=route, state=int(StateNumber.READY), created=NOW, tasks=tasks)])
        store.commit()
    store.close()

    store = SqliteStore(tmp_path / "tq.db", "os")
    picture = store.load()
    assert (picture.counts, picture.last_seq) == ([(route, StateNumber.READY, rows)], rows)
    store.begin()
    leased = store.lease([route], PORTION, None, LEASE, 1, NOW)
    assert [row.seq for row in leased] == list(range(1, PORTION + 1))
    store.succeed([(b"r", NOW, NOW, row.seq, 1, LEASE) for row in leased])
    assert not store.insert(
        [NewTasks(route=route, state=0, created=NOW, tasks=[(rows + 1, rows.to_bytes(16, "big"), b"again")])]
    )
    store.commit()
    assert sorted(store.load().counts) == [
        (route, StateNumber.READY, rows - PORTION),
        (route, StateNumber.SUCCEEDED, PORTION),
    ]
    store.begin()
    assert len(store.purge(NOW, 2 * PORTION)) == PORTION
    store.commit()
    assert store.load().counts == [(route, StateNumber.READY, rows - PORTION)]
    store.close()
