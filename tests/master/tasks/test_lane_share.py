"""Which tasks of a lane are ready in mixed arrays: in order, in eight bytes each."""

from __future__ import annotations

from random import Random

from tq.master.tasks.lane_share import LaneShare, ReadyPlace


def test_a_share_gives_its_first_tasks_by_priority_and_number() -> None:
    share = LaneShare()
    for rank, seq in ((0, 5), (0, 9), (-1, 7), (0, 3), (-1, 20)):
        share.add(ReadyPlace(rank, seq))
    assert list(share.first(4)) == [(-1, 7), (-1, 20), (0, 3), (0, 5)]
    for rank, seq in ((-1, 7), (0, 5), (-1, 20)):
        share.discard(ReadyPlace(rank, seq))
    assert (list(share.first(9)), share.ready) == ([(0, 3), (0, 9)], 2)


def test_a_share_of_very_many_gives_back_the_room_of_those_that_went_first() -> None:
    share = LaneShare()
    for seq in range(1_000):
        share.add(ReadyPlace(0, seq))
    for seq in range(900):
        share.discard(ReadyPlace(0, seq))
    numbers = share._of_rank[0]
    assert len(numbers._numbers) < 250
    assert list(share.first(2)) == [(0, 900), (0, 901)]


def test_a_share_is_a_set_in_order_whatever_comes_and_goes() -> None:
    random, share, model = Random(1), LaneShare(), set[ReadyPlace]()  # noqa: S311
    for _ in range(3_000):
        place = ReadyPlace(random.choice((-1, 0)), random.randrange(200))
        if place in model:
            share.discard(place)
            model.remove(place)
        else:
            share.add(place)
            model.add(place)
        assert share.ready == len(model)
        assert list(share.first(3)) == sorted(model)[:3]
