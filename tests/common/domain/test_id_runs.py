"""Tasks with consecutive ids are named together, within one block of ids."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.id_runs import (
    IdRun,
    disjoint,
    ids_named,
    is_run,
    joined_runs,
    named,
    run_from_wire,
    runs_of,
    runs_with,
)
from tq.common.errors import ProtocolError

BLOCK = bytes(11) + b"\x07"


def id(place: int, block: bytes = BLOCK) -> bytes:
    return block + place.to_bytes(4, "big")


def test_neighbours_are_one_run_and_others_stand_alone() -> None:
    ids = [id(5), id(6), id(7), id(9), id(8), id(8), id(9)]
    assert list(runs_of(ids)) == [IdRun(id(5), 3), IdRun(id(9), 1), IdRun(id(8), 1), IdRun(id(8), 2)]
    assert [one for run in runs_of(ids) for one in run.ids()] == ids
    assert list(runs_of([])) == []


def test_runs_that_follow_one_another_are_joined_and_their_order_is_kept() -> None:
    runs = [IdRun(id(5), 2), IdRun(id(7), 1), IdRun(id(9), 1), IdRun(id(8), 1), IdRun(id(9), 3)]
    assert joined_runs(runs) == [IdRun(id(5), 3), IdRun(id(9), 1), IdRun(id(8), 4)]
    assert joined_runs([]) == []


@pytest.mark.parametrize(
    ("runs", "once"),
    [
        ([(5, 3), (5, 3)], [(5, 3)]),
        ([(6, 1), (5, 3)], [(5, 3)]),
        ([(5, 3), (7, 3)], [(5, 3), (8, 2)]),
        ([(5, 1), (5, 4), (9, 1), (6, 2)], [(5, 1), (6, 3), (9, 1)]),
        ([(9, 1), (5, 2)], [(5, 2), (9, 1)]),
        ([], []),
    ],
)
def test_runs_that_overlap_are_named_once(runs: list[tuple[int, int]], once: list[tuple[int, int]]) -> None:
    assert disjoint([IdRun(id(at), length) for at, length in runs]) == [IdRun(id(at), n) for at, n in once]


def test_a_run_ends_with_its_block() -> None:
    last, following = id(2**32 - 1), bytes(11) + b"\x08" + bytes(4)
    assert int.from_bytes(following, "big") - int.from_bytes(last, "big") == 1
    assert list(runs_of([last, following])) == [IdRun(last, 1), IdRun(following, 1)]


def test_what_a_message_names_is_read_again() -> None:
    ids = [id(5), id(6), id(7), id(9)]
    assert named(ids) == [[id(5), 3], id(9)]
    assert ids_named(named(ids)) == ids
    assert list(runs_with(ids, "abcd")) == [[id(5), ["a", "b", "c"]], [id(9), "d"]]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        b"short",
        7,
        [],
        [id(1)],
        [id(1), 0],
        [id(1), -1],
        [id(1), 2**33],
        [id(1), True],
        [id(1), 2.0],
        ["text", 2],
        [id(2**32 - 1), 2],
        [id(1), 2, 3],
    ],
)
def test_what_is_no_run_is_not_read_as_one(wrong: Any) -> None:
    assert run_from_wire(wrong) is None
    with pytest.raises(ProtocolError):
        ids_named([wrong])


def test_a_run_may_reach_the_end_of_its_block_and_not_beyond() -> None:
    assert is_run(id(2**32 - 5), 5)
    assert not is_run(id(2**32 - 5), 6)
