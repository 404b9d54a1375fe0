"""What ends together is stored by as few statements as for one; what it leaves is what ends one by one leave."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from random import Random

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.master.store.interface.slices import SucceededSlice
from tq.master.store.interface.store import Inconsistent
from tq.master.store.interface.tasks import EndedAttempt
from tq.master.store.sqlite.store import SqliteStore
from tq.master.tasks.leases import LeasedTasks, SliceLease
from tq.master.tasks.reports import ReportedSlice
from tq.master.tasks.succeeded import SucceededRuns, leased_parts

from .tasks import LEASE, NOW, as_array, id_of, task

TASKS = 40
WORKER = 7


@pytest.fixture
def stores() -> Iterator[list[SqliteStore]]:
    made = [SqliteStore(None), SqliteStore(None)]
    for store in made:
        store.begin()
        route = store.add_route("q", "m:f")
        tasks = [(seq, id_of(seq), b"payload %d" % seq) for seq in range(1, TASKS + 1)]
        assert store.insert([as_array(task(1, route, ttl=70, deadline=NOW + 900), tasks)])
        store.lease([route], TASKS // 2, None, LEASE, WORKER, NOW)
        store.lease([route], TASKS, None, LEASE, WORKER, NOW)
    yield made
    for store in made:
        store.close()


def parts_of(random: Random, seqs: list[int]) -> list[tuple[int, int]]:
    """Some of these tasks, in pieces, in an order of chance; none lies across the border of the two slices."""
    edges = sorted({seqs[0], TASKS // 2 + 1, seqs[-1] + 1, *random.sample(seqs, 14)})
    pieces = [piece for piece in pairwise(edges) if random.random() < 0.6]
    random.shuffle(pieces)
    return pieces


def ended(start: int, stop: int) -> SucceededSlice:
    bodies = [None if seq % 5 == 0 else b"result %d" % seq for seq in range(start, stop)]
    return SucceededSlice(start, stop, 1, LEASE, NOW + 9, [seq / 8 for seq in range(start, stop)], bodies)


def failed(seq: int) -> EndedAttempt:
    whose = {"attempt": 1, "number": 1, "lease": LEASE, "worker": WORKER}
    times = {"started": NOW, "ended": NOW + 9, "due": NOW + 50, "finished": None}
    counts = {"failures": 1, "crashes": 0, "state": int(StateNumber.SCHEDULED)}
    return EndedAttempt(
        seq=seq, outcome=int(OutcomeNumber.ERROR), body=b"why %d" % seq, **whose, **times, **counts
    )


def tables(store: SqliteStore) -> list[list[tuple[object, ...]]]:
    names = "slices", "tasks", "attempts"
    store.counts.write()
    rows = [store._db.execute(f"SELECT * FROM {name} ORDER BY seq").fetchall() for name in names]  # noqa: S608 - ours
    return [*rows, store._db.execute("SELECT * FROM counts ORDER BY route, state").fetchall()]


@pytest.mark.parametrize("seed", range(8))
def test_ends_of_one_call_and_ends_one_by_one_leave_identical_tables(
    stores: list[SqliteStore], seed: int
) -> None:
    random, (together, apart) = Random(seed), stores  # noqa: S311 - the same order each time
    memory = LeasedTasks()
    for start, stop in ((1, TASKS // 2 + 1), (TASKS // 2 + 1, TASKS + 1)):
        memory.add(SliceLease(start, stop, id_of(start), 1, 1, 1, LEASE, WORKER, None))
    pieces = parts_of(random, list(range(1, TASKS + 1)))
    runs = SucceededRuns(memory, NOW + 9)
    for start, stop in pieces:
        row = ended(start, stop)
        reported = ReportedSlice(IdRun(id_of(start), stop - start), 1, LEASE, row.results, row.seconds)
        for part in leased_parts(memory, reported):
            assert part.slice is not None
            runs.add(part.slice, part.seq, row.results, row.seconds)
    rows = runs.rows()
    together.succeed_slices(rows)
    for row in rows:
        apart.succeed_slices([row._replace(leased=None)])
    left = sorted(set(range(1, TASKS + 1)) - {seq for piece in pieces for seq in range(*piece)})
    some = sorted(random.sample(left, len(left) // 2))
    together.end_attempts([failed(seq) for seq in some])
    for seq in some:
        apart.end_attempts([failed(seq)])
    assert tables(together) == tables(apart)
    assert together.counts.read() == together.counts.recount()


def test_many_parts_of_a_leased_slice_take_three_statements(
    stores: list[SqliteStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, said = stores[0], list[str]()
    for wrapped in ("_all", "_many", "_exactly"):
        original = getattr(store.slices, wrapped)
        monkeypatch.setattr(
            store.slices, wrapped, lambda name, *rest, of=original: (said.append(name), of(name, *rest))[1]
        )
    rows, at = [], 2
    while at < TASKS // 2:  # each second task, by itself
        rows.append(ended(at, at + 1)._replace(leased=(at - 1 if rows else 1, TASKS // 2 + 1)))
        at += 2
    store.succeed_slices(rows)
    assert said == ["succeed_pieces", "leased_pieces", "shorten_leased"]
    said.clear()
    store.end_attempts([failed(seq) for seq in range(1, TASKS // 2 - 1, 2)])
    assert said == ["slices_around", "end_in_slice", "delete_slices"]


def test_what_is_not_leased_so_is_not_ended_with_others(stores: list[SqliteStore]) -> None:
    store = stores[0]
    before = tables(store)
    rows = [ended(start, start + 1)._replace(leased=(1, TASKS // 2 + 1), lease=b"M" * 16) for start in (2, 5)]
    with pytest.raises(Inconsistent):
        store.succeed_slices(rows)
    assert tables(store) == before
