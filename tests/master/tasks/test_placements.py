"""What workers hold is what is leased to them, however leases end; what is kept for a big task is not given to small ones."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.ids import id_behind
from tq.common.domain.placing import Placing
from tq.master.tasks.leases import LeasedAttempt, LeasedTasks, SliceLease
from tq.master.tasks.placements import Placements, Seat

from ...properties import examples

GPU, MUCH, PLAIN, OTHER = 1, 2, 3, "another kind"
KIND = "kind of worker"
FIRST = bytes(16)


def placements(workers: dict[int, int], kind: object = KIND) -> Placements:
    """Workers with so many GPUs each."""
    made = Placements()
    made.lanes.update({GPU: Placing((("gpu", 1_000),)), MUCH: Placing((("gpu", 4_000),), "zone=eu")})
    for worker, gpus in workers.items():
        made.announced(worker, Seat(kind, {"zone": "eu"}, {"gpu": gpus * 1_000}))
    return made


def test_a_worker_has_room_for_what_its_leases_leave_free() -> None:
    some = placements({7: 4})
    some.hold(7, GPU, 3)
    assert (some.room(7, GPU), some.room(7, MUCH), some.amounts(7)) == (1, 0, {"gpu": 3_000})
    some.hold(7, GPU, -3)
    assert (some.room(7, GPU), some.room(7, MUCH), some.amounts(7)) == (4, 1, {})


def test_a_worker_that_is_gone_has_no_room() -> None:
    some = placements({7: 4})
    some.gone(7)
    assert some.room(7, GPU) == 0


def test_a_worker_that_comes_back_with_less_has_what_is_left_of_it() -> None:
    some = placements({7: 4})
    some.hold(7, GPU, 3)
    some.announced(7, Seat(KIND, {}, {"gpu": 2_000}))
    assert some.room(7, GPU) == 0
    some.hold(7, GPU, -2)
    assert some.room(7, GPU) == 1


def test_what_becomes_free_is_kept_for_the_first_that_fits_nowhere() -> None:
    some = placements({7: 4, 8: 4, 9: 2})
    some.hold(7, GPU, 3)
    some.hold(8, GPU, 2)
    some.keep_for([(MUCH, {KIND: None})])
    assert [some.room(worker, GPU) for worker in (7, 8, 9)] == [1, 0, 2]  # 8 has more of it free than 7
    assert some.place(8).room(some.placing(GPU)) == 2  # what is shown is what is free, kept or not


def test_nothing_is_kept_on_workers_that_do_not_serve_it() -> None:
    some = placements({7: 4}, kind=OTHER)
    some.hold(7, GPU, 3)
    some.keep_for([(MUCH, {KIND: None})])
    assert some.room(7, GPU) == 1


@examples(100)
@given(st.integers(0, 2**32))
def test_what_is_held_is_counted_from_the_leases_whatever_is_done_with_them(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    some = placements({})
    running = LeasedTasks(some)
    free = [Block(number * 100 + 1) for number in range(6)]
    leased: list[Block] = []
    for _ in range(60):
        step = chance.random()
        if step < 0.4 and free:
            block = free.pop(chance.randrange(len(free)))
            block.lease(running, chance)
            leased.append(block)
        elif leased:
            block = chance.choice(leased)
            block.change(running, chance, step)
            if not block.left:
                leased.remove(block)
                free.append(block)
        assert some.held == counted(running)
    running.clear()
    assert some.held == {}


class Block:
    """Ten tasks with consecutive ids."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.left: list[int] = []

    def id(self, seq: int) -> bytes:
        return id_behind(FIRST, seq)

    def lease(self, running: LeasedTasks, chance: random.Random) -> None:
        lane, worker = chance.choice([GPU, MUCH, PLAIN]), chance.choice([7, 8])
        count = chance.randint(1, 10)
        self.left = list(range(self.seq, self.seq + count))
        if count > 1 and chance.random() < 0.7:
            running.add(
                SliceLease(self.seq, self.seq + count, self.id(self.seq), lane, 1, 1, b"l", worker, None)
            )
        else:
            for seq in self.left:
                running[self.id(seq)] = LeasedAttempt(seq, lane, 1, 1, b"l", worker, False)

    def change(self, running: LeasedTasks, chance: random.Random, step: float) -> None:
        seq = chance.choice(self.left)
        id = self.id(seq)
        if step < 0.55:
            running.take_out(id)
        elif step < 0.65:
            running[id] = running[id]._replace(begun=5)
        elif step < 0.85 or running.place(id) is None:
            del running[id]
            self.left.remove(seq)
        else:
            place = running.place(id)
            assert place is not None
            count = chance.randint(1, place[0].stop - seq)
            running.let(place[0], seq, count)
            self.left = [one for one in self.left if not seq <= one < seq + count]


def counted(running: LeasedTasks) -> dict[int, Counter[int]]:
    held: dict[int, Counter[int]] = {}
    for attempt in running.values():
        if attempt.route != PLAIN:
            held.setdefault(attempt.worker, Counter())[attempt.route] += 1
    return held
