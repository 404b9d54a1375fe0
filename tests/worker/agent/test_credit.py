"""Which shards are asked for how much: none starves while there is room, and what is held stays bounded in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from tq.worker.agent.credit import SILENT_SECONDS, Ask, Credit

from ...properties import examples


def credit(shards: int) -> Credit:
    made = Credit(shards)
    for shard in range(shards):
        made.connected(shard)
    return made


@dataclass
class Pool:
    """A worker with so many slots, of long tasks; masters that answer when the test says so."""

    shards: int
    slots: int
    tasks: Counter[int] = field(default_factory=Counter)  # that are ready, by shard
    running: Counter[int] = field(default_factory=Counter)
    surplus: int = 0
    most: int = 0
    asked: list[Ask] = field(default_factory=list)  # and not answered
    calls: int = 0
    now: float = 0.0

    def __post_init__(self) -> None:
        self.credit = credit(self.shards)

    @property
    def held(self) -> int:
        return self.running.total()

    def ask(self) -> None:
        new = self.credit.ask(self.slots, self.held, self.slots, self.now)
        self.calls += len(new)
        self.asked += new

    def answer(self, silent: Iterable[int] = ()) -> bool:
        """Masters answer what they can. Whether something was answered."""
        waiting, self.asked = self.asked, []
        for ask in waiting:
            ready = min(ask.want, self.tasks[ask.shard])
            if ask.shard in silent or (ask.waits and not ready):
                self.asked.append(ask)
                continue
            if ready:
                self.tasks[ask.shard] -= ready
                self.running[ask.shard] += ready
            self.credit.answered(ask.shard, ready > 0)
        self.most = max(self.most, self.held)
        return len(self.asked) < len(waiting)

    def settle(self, silent: Iterable[int] = ()) -> None:
        """Until nothing is to be asked and nothing to be answered; what is too much goes back to its shard."""
        self.ask()
        while self.answer(silent):
            for shard in [one for one in self.running if self.held > self.slots]:
                over = min(self.running[shard], self.held - self.slots)
                self.running[shard] -= over
                self.tasks[shard] += over
                self.surplus += over
            self.ask()

    def end(self, shard: int) -> None:
        self.running[shard] -= 1


@examples(200)
@given(st.data())
def test_no_slot_is_free_while_some_shard_has_a_task(data: st.DataObject) -> None:
    shards, slots = data.draw(st.integers(2, 40)), data.draw(st.integers(1, 20))
    pool = Pool(shards, slots)
    pool.settle()
    for _ in range(data.draw(st.integers(1, 12))):
        shard = data.draw(st.integers(0, shards - 1))
        if data.draw(st.booleans()):
            pool.tasks[shard] += data.draw(st.integers(1, 3 * slots))
        elif pool.running[shard]:
            pool.end(shard)
        pool.settle()
        assert pool.held <= slots
        assert pool.held == slots or not pool.tasks.total(), "a slot is free and a task waits"
        assert pool.most <= 2 * (slots + shards), "what is in hand is bounded, before any of it is given back"


@examples(100)
@given(st.integers(2, 30), st.integers(1, 30))
def test_every_shard_with_work_has_its_turn(shards: int, slots: int) -> None:
    pool, ran = Pool(shards, slots), Counter[int]()
    pool.tasks.update(dict.fromkeys(range(shards), 1_000))
    rounds = 4 * shards
    for _ in range(rounds):
        pool.settle()
        for shard in [one for one, count in pool.running.items() for _ in range(count)][:slots]:
            pool.end(shard)
            ran[shard] += 1
    fair = rounds * slots / shards
    assert all(ran[shard] >= fair / 2 for shard in range(shards)), ran
    assert pool.surplus <= 2 * shards, "in a cluster that is busy hardly anything is leased and given back"


def test_shards_without_work_cost_nothing_once_they_have_said_so() -> None:
    pool = Pool(16, slots=2)
    pool.settle()
    assert sorted(one.shard for one in pool.asked) == list(range(16))
    assert all(one.waits and one.want == 1 for one in pool.asked)
    before = pool.calls
    for _ in range(100):
        pool.tasks[3] += 2
        pool.settle()
        assert pool.running[3] == pool.held == 2, "both slots are its own: the idle ones keep none"
        pool.running.clear()
        pool.settle()
    # Of shard 3: what was parked is answered, a look takes the rest, one finds nothing, and one is parked again.
    assert pool.calls - before <= 100 * 4


def test_looks_that_find_nothing_become_wider_so_that_many_idle_shards_are_passed_fast() -> None:
    pool = Pool(1_000, slots=1)
    rounds = 0
    pool.ask()
    while pool.answer():
        rounds += 1
        pool.ask()
    assert rounds <= 10
    assert len(pool.asked) == 1_000


def test_a_shard_that_is_silent_holds_up_the_others_for_a_moment_only() -> None:
    pool = Pool(3, slots=1)
    pool.tasks.update({0: 9, 1: 9, 2: 9})
    pool.settle(silent=[0])
    assert (pool.held, [one.shard for one in pool.asked]) == (0, [0])
    pool.credit.silent(pool.now + SILENT_SECONDS / 2)
    pool.settle(silent=[0])
    assert pool.held == 0
    pool.credit.silent(pool.now + SILENT_SECONDS)
    for _ in range(8):
        pool.settle(silent=[0])
        assert pool.held == 1
        pool.running.clear()
    assert pool.tasks[0] == 9
    pool.settle()  # it answers after all: that is in hand, and everything is counted again
    assert pool.running[0] <= 1
    assert not pool.credit.is_counting


def test_what_was_asked_on_a_lost_connection_is_not_counted_and_asked_again_on_the_next() -> None:
    made = credit(2)
    [first] = made.ask(1, 0, 1, 0.0)
    assert first == Ask(0, 1, waits=False)
    made.lost(0)
    [other] = made.ask(1, 0, 1, 0.0)
    assert other == Ask(1, 1, waits=False)
    made.answered(0, True)  # of the connection before: it means nothing
    assert made.ask(1, 0, 1, 0.0) == []
    made.connected(0)
    made.answered(1, False)
    assert {one.shard: one.waits for one in made.ask(1, 0, 1, 0.0)} == {1: True, 0: False}


def test_short_tasks_are_asked_for_in_portions_that_are_worth_a_call() -> None:
    made = credit(8)
    asks = made.ask(4_000, 0, 4, 0.0)
    assert [one.want for one in asks] == [500] * 8
    for one in asks:
        made.answered(one.shard, True)
    assert made.ask(4_000, 3_500, 4, 0.0) == [], "not for each few that end"
    assert sum(one.want for one in made.ask(4_000, 2_900, 4, 0.0)) == 1_100


def test_what_is_short_by_little_is_asked_of_few() -> None:
    assert [one.want for one in credit(8).ask(100, 60, 4, 0.0)] == [20, 20]
