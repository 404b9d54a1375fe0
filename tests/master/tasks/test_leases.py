"""Leased tasks by id, alone or in a slice: one mapping."""

from __future__ import annotations

from random import Random

import pytest
from tq.common.domain.ids import id_behind
from tq.master.tasks.leases import LeasedAttempt, LeasedTasks, SliceLease

FIRST = bytes(12) + b"\x00\x00\xff\xfe"  # the next ids change more than their last byte
LEASE = b"L" * 16


def slice_of(tasks: int, seq: int = 10) -> SliceLease:
    return SliceLease(
        seq, seq + tasks, FIRST, route=1, attempt=3, number=2, lease=LEASE, worker=4, origin=None
    )


@pytest.fixture
def running() -> LeasedTasks:
    leased = LeasedTasks()
    leased.add(slice_of(5))
    leased.alone[b"x" * 16] = LeasedAttempt(1, 1, 1, 1, LEASE, 4, False)
    return leased


def ids(*places: int) -> list[bytes]:
    return [id_behind(FIRST, place) for place in places]


def test_every_task_is_found_and_no_neighbour_of_the_slice(running: LeasedTasks) -> None:
    assert [running[id].seq for id in ids(0, 4)] == [10, 14]
    assert running[ids(2)[0]] == LeasedAttempt(12, 1, 3, 2, LEASE, 4, False)
    assert not any(id in running for id in ids(-1, 5))
    assert set(running) == {*ids(0, 1, 2, 3, 4), b"x" * 16}
    assert len(running) == 6


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 0, 4, 1, 3)])
def test_tasks_that_are_leased_no_longer_are_gone_in_any_order(
    running: LeasedTasks, order: tuple[int, ...]
) -> None:
    left = set(range(5))
    for place in order:
        del running[ids(place)[0]]
        left.remove(place)
        assert set(running) - {b"x" * 16} == set(ids(*left))
        assert len(running) == len(left) + 1
    with pytest.raises(KeyError):
        del running[ids(0)[0]]
    assert running.place(ids(0)[0]) is None


def test_the_start_of_one_task_is_noted_for_it_alone(running: LeasedTasks) -> None:
    one, other = ids(1, 2)
    running[one] = running[one]._replace(begun=99)
    assert (running[one].begun, running[other].begun) == (99, None)


def test_a_task_by_itself_replaces_nothing_of_a_slice(running: LeasedTasks) -> None:
    running[b"y" * 16] = running[b"x" * 16]._replace(seq=2)
    assert [held.seq for held in running.values() if held.attempt == 1] == [1, 2]


def test_two_slices_of_one_array_are_kept_apart(running: LeasedTasks) -> None:
    more = SliceLease(15, 17, id_behind(FIRST, 5), 1, 1, 1, b"M" * 16, 5, None)
    running.add(more)
    assert [running[id].worker for id in ids(4, 5, 6)] == [4, 5, 5]
    running.clear()
    assert not running


def test_a_slice_is_found_among_many_and_within_a_gap_of_another(running: LeasedTasks) -> None:
    del running[ids(2)[0]]
    running.add(
        SliceLease(12, 13, ids(2)[0], 1, 4, 3, b"M" * 16, 9, None)
    )  # it was given back and leased again
    for first in range(20, 400, 4):
        running.add(SliceLease(first + 10, first + 12, ids(first)[0], 1, 1, 1, b"N" * 16, first, None))
    assert [running[id].worker for id in ids(0, 1, 2, 3, 4, 20, 21, 200, 397)] == [
        4,
        4,
        9,
        4,
        4,
        20,
        20,
        200,
        396,
    ]
    assert not any(id in running for id in ids(22, 23, 398, 399))
    for id in list(running):
        del running[id]
    assert not running
    assert running.place(ids(2)[0]) is None


def test_the_first_tasks_of_a_slice_are_leased_again(running: LeasedTasks) -> None:
    for place in range(3):
        del running[ids(place)[0]]
    for place in (0, 2, 1):
        running.add(SliceLease(10 + place, 11 + place, ids(place)[0], 1, 4, 3, b"M" * 16, 20 + place, None))
    assert [running[id].worker for id in ids(0, 1, 2, 3, 4)] == [20, 21, 22, 4, 4]


def test_a_slice_ends_with_the_first_tasks_of_the_next_one_which_were_given_back(
    running: LeasedTasks,
) -> None:
    del running[ids(0)[0]]  # a gap; the slice behind it is found by where it began
    running.add(SliceLease(8, 11, ids(-2)[0], 1, 4, 3, b"M" * 16, 9, None))
    assert [running[id].lease[:1] for id in ids(-2, -1, 0, 1)] == [b"M", b"M", b"M", b"L"]
    del running[ids(0)[0]]
    assert set(running) == {*ids(-2, -1, 1, 2, 3, 4), b"x" * 16}


@pytest.mark.parametrize("seed", range(5))
def test_slices_that_are_leased_and_given_back_at_random_are_found_as_their_tasks_are(seed: int) -> None:
    chance, leased = Random(seed), LeasedTasks()  # noqa: S311 - a seed that failed is run again
    held: dict[bytes, int] = {}  # the attempt of each
    for attempt in range(1, 300):
        for id in chance.sample(sorted(held), chance.randint(0, len(held))):
            del leased[id]
            del held[id]
        start = chance.randrange(20)
        free = next((place for place in range(start, 20) if ids(place)[0] in held), 20)
        if start < free:
            stop = chance.randint(start + 1, free)
            leased.add(SliceLease(start, stop, ids(start)[0], 1, attempt, 1, LEASE, 4, None))
            held.update(dict.fromkeys(ids(*range(start, stop)), attempt))
        assert {id: one.attempt for id, one in leased.items()} == held
        assert len(leased) == len(held)
