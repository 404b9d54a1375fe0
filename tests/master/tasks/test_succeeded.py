"""Runs of neighbours that succeeded become one row each."""

from __future__ import annotations

from tq.common.domain.ids import id_behind
from tq.master.tasks.leases import LeasedTasks, SliceLease
from tq.master.tasks.succeeded import SucceededRuns

FIRST, LEASE = bytes(15) + b"\x07", b"L" * 16


def runs_of(*reported: tuple[int, int, bytes]) -> tuple[SucceededRuns, list[bool]]:
    running = LeasedTasks()
    running.add(SliceLease(10, 20, FIRST, 1, attempt=2, number=2, lease=LEASE, worker=4, origin=None))
    runs = SucceededRuns(running, moment=99)
    taken = [
        runs.add(id_behind(FIRST, place), attempt, lease, b"%d" % place, place / 2) is not None
        for place, attempt, lease in reported
    ]
    return runs, taken


def test_neighbours_in_order_are_one_row() -> None:
    runs, taken = runs_of(*((place, 2, LEASE) for place in range(4)))
    assert all(taken)
    [row] = runs.rows()
    assert (row.seq, row.stop, row.attempt, row.finished) == (10, 14, 2, 99)
    assert (row.results, row.seconds) == ([b"0", b"1", b"2", b"3"], [0.0, 0.5, 1.0, 1.5])


def test_a_gap_begins_another_row() -> None:
    runs, _ = runs_of((0, 2, LEASE), (1, 2, LEASE), (5, 2, LEASE), (3, 2, LEASE))
    assert [(row.seq, row.stop) for row in runs.rows()] == [(10, 12), (15, 16), (13, 14)]


def test_what_is_reported_twice_or_under_another_lease_is_not_taken() -> None:
    runs, taken = runs_of(
        (0, 2, LEASE), (0, 2, LEASE), (1, 1, LEASE), (2, 2, b"M" * 16), (10, 2, LEASE), (1, 2, LEASE)
    )
    assert taken == [True, False, False, False, False, True]
    assert [(row.seq, row.stop) for row in runs.rows()] == [(10, 12)]
