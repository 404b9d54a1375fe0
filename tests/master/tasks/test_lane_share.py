"""Which tasks of a lane are ready in mixed arrays: in order, in eight bytes each."""

from __future__ import annotations

from array import array
from random import Random

from tq.master.tasks.lane_share import LaneShare, ReadyPlace, first_tasks


def one(seq: int) -> array[int]:
    return array("q", (seq,))


def test_a_share_gives_its_first_tasks_by_priority_and_number() -> None:
    share = LaneShare()
    for rank, seq in ((0, 5), (0, 9), (-1, 7), (0, 3), (-1, 20)):
        share.add(rank, one(seq))
    assert list(share.first(4)) == [(-1, 7), (-1, 20), (0, 3), (0, 5)]
    for rank, seq in ((-1, 7), (0, 5), (-1, 20)):
        share.discard_between(rank, seq, seq + 1)
    assert (list(share.first(9)), share.ready) == ([(0, 3), (0, 9)], 2)


def test_a_share_of_very_many_gives_back_the_room_of_those_that_went_first() -> None:
    share = LaneShare()
    for seq in range(1_000):
        share.add(0, one(seq))
    for seq in range(900):
        share.discard_between(0, seq, seq + 1)
    numbers = share._of_rank[0]
    assert len(numbers._numbers) < 250
    assert list(share.first(2)) == [(0, 900), (0, 901)]


def test_a_share_is_a_set_in_order_whatever_comes_and_goes() -> None:
    random, share, model = Random(1), LaneShare(), set[ReadyPlace]()  # noqa: S311
    for _ in range(3_000):
        place = ReadyPlace(random.choice((-1, 0)), random.randrange(200))
        if place in model:
            share.discard_between(place.rank, place.seq, place.seq + 1)
            model.remove(place)
        else:
            share.add(place.rank, one(place.seq))
            model.add(place)
        assert share.ready == len(model)
        assert list(share.first(3)) == sorted(model)[:3]


def test_neighbours_come_and_go_together_wherever_they_stand() -> None:
    random, share, model = Random(2), LaneShare(), set[int]()  # noqa: S311
    for _ in range(3_000):
        first = random.randrange(300)
        stop = first + random.randrange(1, 40)
        step = random.choice((1, 1, 3))  # others of the lane may stand between them
        there = model & set(range(first, stop))
        absent = array("q", (seq for seq in range(first, stop, step) if seq not in model))
        if there and random.random() < 0.5:
            share.discard_between(0, first, stop)
            model -= there
        elif absent:
            share.add(0, absent)
            model |= set(absent)
        assert share.ready == len(model)
        assert [place.seq for place in share.first(400)] == sorted(model)


def test_the_first_tasks_of_many_lanes_are_those_that_a_merge_of_all_gives() -> None:
    random = Random(3)  # noqa: S311
    for _ in range(200):
        places: dict[ReadyPlace, int] = {}
        shares = [LaneShare() for _ in range(random.randrange(1, 12))]
        for seq in range(random.randrange(1, 300)):
            # Some lanes have most, and some have theirs in one stretch.
            lane = min(random.randrange(len(shares)), seq // 40 if random.random() < 0.5 else len(shares))
            places[ReadyPlace(random.choice((-1, 0, 0, 0)), seq)] = lane
        for place, lane in places.items():
            shares[lane].add(place.rank, one(place.seq))
        rooms = [random.choice((0, 1, 5, 400)) for _ in shares]
        want, last = random.choice((1, 7, 100, 500)), random.choice((None, -1, 0))
        expected, left = list[tuple[int, ReadyPlace]](), list(rooms)
        for place in sorted(places):
            lane = places[place]
            if len(expected) < want and left[lane] and (last is None or place.rank <= last):
                left[lane] -= 1
                expected.append((lane, place))
        found = list(first_tasks(list(zip(shares, rooms, strict=True)), want, last))
        given = [(lane, ReadyPlace(rank, seq)) for lane, rank, seqs in found for seq in seqs]
        assert sorted(given, key=lambda one: one[1]) == expected
