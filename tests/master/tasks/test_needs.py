from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import id_behind, new_ids
from tq.common.errors import InvalidArgument
from tq.master.tasks.needs import Needs, needs_from_wire
from tq.master.tasks.submitted import NewRun, new_runs, only

FIRST = new_ids.many(20)[0]


def at(place: int) -> bytes:
    return id_behind(FIRST, place)


def test_a_map_over_tasks_is_cut_where_the_ids_of_these_are() -> None:
    row = [at(10), [b"0", b"1", b"2"], [1, [[at(0), 2], at(5)]]]
    assert new_runs([row], 10) == [
        NewRun(at(10), [b"0", b"1"], Needs(True, [IdRun(at(0), 2)])),
        NewRun(at(12), [b"2"], Needs(True, [IdRun(at(5), 1)])),
    ]


def test_tasks_that_need_the_same_are_cut_one_by_one() -> None:
    needs = Needs(False, [IdRun(at(0), 4), IdRun(at(6), 1)])
    assert new_runs([[at(10), [b"0", b"1"], [0, [[at(0), 4], at(6)]]]], 10) == [
        NewRun(at(10), [b"0"], needs),
        NewRun(at(11), [b"1"], needs),
    ]


def test_the_new_ones_of_a_map_keep_their_own_needs() -> None:
    [run] = new_runs([[at(10), [b"0", b"1", b"2", b"3"], [1, [[at(0), 4]]]]], 10)
    assert only([run], {at(11), at(12)}) == [NewRun(at(11), [b"1", b"2"], Needs(True, [IdRun(at(1), 2)]))]
    assert only([run], {at(10), at(13)})[1].needs == Needs(True, [IdRun(at(3), 1)])


@pytest.mark.parametrize(
    "columns",
    [
        7,
        [],
        [2, [FIRST]],
        [0, []],
        [0, [b"short"]],
        [1, [[FIRST, 2]]],
        [0, [[FIRST, 0]]],
        [0, {}],
        [0, [FIRST], 1],
    ],
)
def test_what_names_no_needs_is_refused(columns: Any) -> None:
    with pytest.raises(InvalidArgument):
        needs_from_wire(columns, 1)


def test_a_task_that_is_needed_twice_or_submitted_twice_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"needs .* twice"):
        needs_from_wire([0, [[at(0), 3], at(2)]], 1)
    with pytest.raises(InvalidArgument, match="is twice in one call"):
        new_runs([[at(10), b"", [0, [at(0)]]], [at(10), b"", [0, [at(1)]]]], 10)
    with pytest.raises(InvalidArgument, match="a call of their own"):
        new_runs([[at(10), b"", [0, [at(0)]]], [at(11), b""]], 10)
    with pytest.raises(InvalidArgument, match=r"one task may need 1,000,000 others"):
        needs_from_wire([0, [[at(0), 1_000_001]]], 1)
