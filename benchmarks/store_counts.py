"""Statements and function calls of the store for each task of a map, by how many of a hundred fail once: counts, which no load changes.

``python -m benchmarks.store_counts``. The map is leased in slices of 1,000; of each, all ends come in one transaction, and what failed becomes
ready again in one. What fails stands alone between others that did not, if not all do.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
from typing import Final, NamedTuple

from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.master.store.interface.slices import SucceededSlice
from tq.master.store.interface.tasks import EndedAttempt, NewArray
from tq.master.store.sqlite.store import SqliteStore

TASKS: Final = 10_000
LEASED: Final = 1_000
FAILING: Final = {0: 0, 10: 10, 50: 2, 100: 1}  # of a hundred: every how many-th
NOW: Final = 1_700_000_000_000
LEASE: Final = b"L" * 16


class Counts(NamedTuple):
    """For each task."""

    statements: float
    calls: float


def counts(every: int) -> Counts:
    """``every``: the how many-th tasks fail once; 0: none."""
    store = SqliteStore(None)
    try:
        store.begin()
        route = store.add_route("q", "m:f")
        ready = int(StateNumber.READY)
        id, payloads = (1).to_bytes(16, "big"), [b"payload"] * TASKS
        store.insert([NewArray(seq=1, id=id, route=route, payloads=payloads, state=ready, created=NOW)])
        store.commit()
        said = list[str]()
        store._db.set_trace_callback(said.append)
        profile = cProfile.Profile()
        profile.runcall(_run, store, route, every)
        return Counts(len(said) / TASKS, pstats.Stats(profile).total_calls / TASKS)  # type: ignore[attr-defined]
    finally:
        store.close()


def _run(store: SqliteStore, route: int, every: int) -> None:
    for first in range(1, TASKS, LEASED):
        store.begin()
        store.lease([route], LEASED, None, LEASE, 1, NOW)
        store.commit()
        seqs = range(first, first + LEASED)
        failed = [seq for seq in seqs if every and seq % every == 0]
        store.begin()
        store.succeed_slices(_succeeded(seqs, failed))
        store.end_attempts([_failed(seq) for seq in failed])
        store.commit()
    if every:
        store.begin()
        store.promote(NOW + 60, TASKS)
        store.commit()


def _succeeded(seqs: range, failed: list[int]) -> list[SucceededSlice]:
    """All but those, as slices; each is leased in what the ones before have left."""
    rows: list[SucceededSlice] = []
    start = seqs.start
    for stop in (*failed, seqs.stop):
        if start < stop:
            seconds, results = [0.0] * (stop - start), list[bytes | None]([None] * (stop - start))
            leased = start if rows else seqs.start, seqs.stop
            rows.append(SucceededSlice(start, stop, 1, LEASE, NOW + 9, seconds, results, leased))
        start = stop + 1
    return rows


def _failed(seq: int) -> EndedAttempt:
    return EndedAttempt(
        seq=seq,
        outcome=int(OutcomeNumber.ERROR),
        body=b"why",
        attempt=1,
        number=1,
        lease=LEASE,
        worker=1,
        started=NOW,
        ended=NOW + 9,
        due=NOW + 50,
        finished=None,
        failures=1,
        crashes=0,
        state=int(StateNumber.SCHEDULED),
    )


def main() -> None:
    for share, every in FAILING.items():
        found = counts(every)
        line = f"{share:>3} % fail once: {found.statements:.2f} statements, {found.calls:.1f} calls a task"
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
