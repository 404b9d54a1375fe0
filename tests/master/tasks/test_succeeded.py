"""Runs of neighbours that succeeded become one row each."""

from __future__ import annotations

from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import id_behind
from tq.master.tasks.leases import LeasedTasks, SliceLease
from tq.master.tasks.reports import ReportedSlice
from tq.master.tasks.succeeded import SucceededRuns, leased_parts

FIRST, LEASE = bytes(15) + b"\x07", b"L" * 16


def leased() -> LeasedTasks:
    running = LeasedTasks()
    running.add(SliceLease(10, 20, FIRST, 1, attempt=2, number=2, lease=LEASE, worker=4, origin=None))
    return running


def report(place: int, count: int = 1, attempt: int = 2, lease: bytes = LEASE) -> ReportedSlice:
    results: list[bytes | None] = [b"%d" % one for one in range(place, place + count)]
    seconds = [one / 2 for one in range(place, place + count)]
    return ReportedSlice(IdRun(id_behind(FIRST, place), count), attempt, lease, results, seconds)


def runs_of(*reported: tuple[int, int, bytes]) -> tuple[SucceededRuns, list[bool]]:
    running = leased()
    runs = SucceededRuns(running, moment=99)
    taken: list[bool] = []
    for place, attempt, lease in reported:
        one = report(place, 1, attempt, lease)
        [part] = leased_parts(running, one)
        taken.append(part.slice is not None)
        if part.slice is not None:
            runs.add(part.slice, part.seq, one.results, one.seconds)
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


def test_a_run_in_the_midst_of_a_slice_is_one_row_and_names_the_slice_as_it_was() -> None:
    runs, _ = runs_of((3, 2, LEASE), (4, 2, LEASE), (5, 2, LEASE), (8, 2, LEASE))
    assert [(row.seq, row.stop, row.leased) for row in runs.rows()] == [
        (13, 16, (10, 20)),
        (18, 19, (16, 20)),
    ]


def test_neighbours_of_two_slices_with_one_lease_are_two_rows() -> None:
    running = leased()
    more = SliceLease(
        20, 22, id_behind(FIRST, 10), 1, attempt=2, number=2, lease=LEASE, worker=4, origin=None
    )
    running.add(more)
    runs, one = SucceededRuns(running, moment=99), report(9, 2)
    for start, stop, slice, seq in leased_parts(running, one):
        assert slice is not None
        runs.add(slice, seq, one.results[start:stop], one.seconds[start:stop])
    assert [(row.seq, row.stop, row.leased) for row in runs.rows()] == [
        (19, 20, (10, 20)),
        (20, 21, (20, 22)),
    ]


def test_what_is_reported_twice_or_under_another_lease_is_not_taken() -> None:
    runs, taken = runs_of(
        (0, 2, LEASE), (0, 2, LEASE), (1, 1, LEASE), (2, 2, b"M" * 16), (10, 2, LEASE), (1, 2, LEASE)
    )
    assert taken == [True, False, False, False, False, True]
    assert [(row.seq, row.stop) for row in runs.rows()] == [(10, 12)]


def test_a_reported_run_is_cut_where_its_tasks_are_leased_otherwise() -> None:
    running = leased()
    running.let(running.place(id_behind(FIRST, 3))[0], 13)  # type: ignore[index]
    running.take_out(id_behind(FIRST, 6))
    assert [
        (part.start, part.stop, part.seq) for part in leased_parts(running, report(1, 12)) if part.slice
    ] == [
        (0, 2, 11),
        (3, 5, 14),
        (6, 9, 17),
    ]
    others = [(part.start, part.stop) for part in leased_parts(running, report(1, 12)) if not part.slice]
    assert others == [(2, 3), (5, 6), (9, 10), (10, 11), (11, 12)]
    assert all(part.slice is None for part in leased_parts(running, report(0, 10, attempt=1)))


def test_the_parts_of_a_run_may_end_while_they_are_reported() -> None:
    running = leased()
    runs = SucceededRuns(running, moment=99)
    one = report(2, 5)
    for start, stop, slice, seq in leased_parts(running, one):
        assert slice is not None
        runs.add(slice, seq, one.results[start:stop], one.seconds[start:stop])
    assert [(row.seq, row.stop) for row in runs.rows()] == [(12, 17)]
    assert len(running) == 5
