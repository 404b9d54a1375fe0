"""Which reported parts are of one leased slice, and what is left of it."""

from __future__ import annotations

from tq.master.store.interface.slices import SucceededSlice
from tq.master.store.sqlite.slice_groups import gaps_between, groups_of


def ended(start: int, stop: int) -> SucceededSlice:
    return SucceededSlice(start, stop, 1, b"lease", 9, [0.0] * (stop - start), [None] * (stop - start))


def test_parts_of_one_leased_slice_are_one_group_whatever_of_it_was_there_when_they_came() -> None:
    rows = [
        ended(5, 7)._replace(leased=(1, 20)),
        ended(12, 13)._replace(leased=(7, 20)),
        ended(30, 31)._replace(leased=(25, 40)),
    ]
    rows += [ended(1, 2)._replace(leased=(1, 5)), ended(31, 33)._replace(leased=(31, 40)), ended(50, 51)]
    groups = groups_of(rows)
    for group in groups:
        group.sort()
    assert [[(row.seq, row.stop) for row in group.rows] for group in groups] == [
        [(1, 2), (5, 7), (12, 13)],
        [(30, 31), (31, 33)],
        [(50, 51)],
    ]
    assert groups[0].gaps() == [(2, 5), (7, 12), (13, 20)]
    assert gaps_between(1, 5, [(1, 5)]) == []
