"""Which tasks have which units of a worker's resources, over whole lives: ended, killed, given up, lost, taken back."""

from __future__ import annotations

import random

import pytest
from tq.common.domain.indexes import Indexes
from tq.common.domain.model import OutcomeNumber
from tq.worker.agent.jobs import Death

from tests.sampling import sampled

from ..workshop import KILL_GRACE_SECONDS, LONG, Workshop

WHOLE, HALF = {"gpu": 1_000}, {"gpu": 500}


def shop_of(gpus: int, slots: int = 2, places: int = 0) -> Workshop:
    return Workshop(slots, places=places, indexes=Indexes({"gpu": [f"g{one}" for one in range(gpus)]}))


def ordinal_of(shop: Workshop, child: int) -> int:
    return shop.agent.children[child].jobs.first.ordinal


def users(shop: Workshop) -> dict[str, list[int]]:
    """By unit, the ordinals of what children have that was given it."""
    found: dict[str, list[int]] = {}
    for child in shop.agent.children.values():
        for run in child.jobs:
            for unit in shop.given.get(run.ordinal, {}).get("gpu", []):
                found.setdefault(unit, []).append(run.ordinal)
    return found


def test_each_task_knows_its_unit_and_a_child_gets_again_what_it_had() -> None:
    shop = shop_of(gpus=2)
    shop.grant(2, needs=WHOLE)
    assert {unit: len(jobs) for unit, jobs in users(shop).items()} == {"g0": 1, "g1": 1}
    had = shop.given[ordinal_of(shop, 2)]
    for child in (1, 2):
        shop.run(child, seconds=LONG)
    shop.grant(2, needs=WHOLE)
    assert shop.given[ordinal_of(shop, 2)] == had


def test_what_needs_no_unit_passes_a_task_that_waits_for_one_and_what_needs_one_does_not() -> None:
    shop = shop_of(gpus=2, slots=4)
    shop.grant(2, needs=HALF)
    assert users(shop) == {"g0": [1, 2]}
    shop.grant(
        1, needs={"gpu": 1_500}
    )  # the master counts one and a half as free, and so it is: g1 and none beside it
    assert [len(child.jobs) for child in shop.agent.children.values()] == [1, 1, 0, 0]
    shop.grant(1, needs=HALF)
    shop.grant(1)
    assert [len(child.jobs) for child in shop.agent.children.values()] == [1, 1, 1, 0]
    shop.run(1, seconds=LONG)
    shop.run(2, seconds=LONG)
    assert shop.given[ordinal_of(shop, 1)] == {"gpu": ["g0", "g1"]}
    assert [len(child.jobs) for child in shop.agent.children.values()] == [1, 1, 1, 0]
    assert shop.given[ordinal_of(shop, 2)]["gpu"][0] in ("g0", "g1")


def test_a_unit_is_free_again_when_its_task_has_crashed_and_not_before_a_task_that_was_given_up_is_gone() -> (
    None
):
    shop = shop_of(gpus=1)
    shop.grant(1, needs=WHOLE)
    shop.begin(1)
    shop.grant(1, needs=WHOLE)
    assert users(shop) == {"g0": [1]}
    shop.die(1)
    assert len(users(shop)["g0"]) == 1

    many = shop_of(gpus=1, slots=1, places=3)
    many.grant(1, needs=WHOLE, timeout=1.0)
    many.grant(1)
    [stuck, _] = many.begin_all(1)
    many.wait(1.2 + KILL_GRACE_SECONDS)
    many.hire(2)
    many.grant(1, needs=WHOLE)
    many.wait(1)
    assert not many.agent.children[2].jobs  # the thread that does not end may use it still
    many.agent.child_died(1, Death(-9), stuck, many.now)
    many.agent.work(many.now)
    assert many.given[ordinal_of(many, 2)] == {"gpu": ["g0"]}


def test_a_suspect_that_needs_a_unit_is_started_when_it_may_have_one() -> None:
    shop = shop_of(gpus=1)
    shop.grant(1, needs=WHOLE)
    shop.grant(shop.tasks(1, suspect=True), needs=WHOLE)
    shop.agent.may_start(shop.starts.popleft(), shop.now)
    assert len(shop.agent.backlog.parked) == 1
    shop.run(1, seconds=LONG)
    shop.agent.may_start(shop.starts.popleft(), shop.now)
    assert len(users(shop)["g0"]) == 1


def test_jobs_that_run_as_one_call_have_their_units_together_and_fewer_run_where_fewer_fit() -> None:
    shop = shop_of(gpus=2, slots=3)
    shop.agent.durations.together = {"m:f": 4}
    shop.grant(4, needs=HALF)
    assert [len(child.jobs) for child in shop.agent.children.values()] == [4, 0, 0]
    assert shop.given[1] == {"gpu": ["g0", "g1"]}
    shop.grant(2, needs=HALF)
    assert len(shop.agent.backlog.parked) == 2
    for _ in range(3):
        shop.run(1, seconds=LONG)
    assert len(shop.agent.backlog.parked) == 2, "none of the units is free before all have ended"
    shop.run(1, seconds=LONG)
    assert [len(child.jobs) for child in shop.agent.children.values()] == [2, 0, 0]
    shop.grant(3, needs=HALF)
    assert [len(child.jobs) for child in shop.agent.children.values()] == [2, 2, 0]
    assert len(shop.agent.backlog.parked) == 1


def test_amounts_that_are_not_distinguished_cost_nothing() -> None:
    shop = Workshop(indexes=Indexes({"gpu": ["0"]}))
    shop.warm_up()
    shop.grant(6, needs={"mem": 10**9})
    assert sum(len(child.jobs) for child in shop.agent.children.values()) == 6
    assert shop.given == {}


@pytest.mark.parametrize("places", [0, 3])
@pytest.mark.parametrize("seed", sampled(range(10), range(4)))
def test_over_random_lives_no_two_tasks_have_a_whole_unit_of_each_other_and_all_run_in_the_end(
    seed: int, places: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - of a test
    shop = shop_of(gpus=2, slots=3, places=places)
    granted = 0
    needs_of: dict[bytes, dict[str, int] | None] = {}
    for step in range(400):
        action = chance.random()
        if action < 0.45 and shop.leases and step < 300:
            needs = chance.choice([None, WHOLE, HALF, {"gpu": 250}, {"gpu": 1_500}])
            for id in shop.grant(chance.randint(1, min(3, shop.leases[0])), needs=needs):
                needs_of[id] = needs
                granted += 1
        elif action < 0.9:
            finish_one(shop, chance, places)
        elif step < 300:
            number = chance.choice(sorted(shop.sims))
            shop.die(number)
            shop.hire()
        shop.wait(0.05)
        check(shop, needs_of)
        while shop.finishing:
            shop.acknowledge()
    for _ in range(500):
        finish_one(shop, chance, places)
        shop.wait(0.05)
        check(shop, needs_of)
        while shop.finishing:
            shop.acknowledge()
        if not shop.jobs:
            break
    assert granted
    assert not shop.jobs


def finish_one(shop: Workshop, chance: random.Random, places: int) -> None:
    busy = [number for number, sim in sorted(shop.sims.items()) if sim.jobs or sim.unstarted]
    if not busy:
        return
    number = chance.choice(busy)
    if places:
        shop.begin_all(number)
        shop.end(number, chance.choice(sorted(shop.sims[number].jobs)))
    else:
        shop.run(number, outcome=OutcomeNumber.SUCCESS, seconds=LONG)


def check(shop: Workshop, needs_of: dict[bytes, dict[str, int] | None]) -> None:
    amounts: dict[str, list[int]] = {}
    for child in shop.agent.children.values():
        for run in child.jobs:
            for job in run.jobs():
                needs = needs_of[job.id]
                units = shop.given.get(job.ordinal, {}).get("gpu", [])
                left = (needs or {}).get("gpu", 0)
                assert len(units) == -(-left // 1_000)
                parts = sorted([1_000] * (left // 1_000) + ([left % 1_000] if left % 1_000 else []))
                for unit in units:
                    amounts.setdefault(unit, [])
                if len(parts) == 1:
                    amounts[units[0]].append(parts[0])
                elif parts:  # which of them is the part is not said: a whole of one, at least, is alone
                    for unit in units:
                        amounts[unit].append(500)
    for found in amounts.values():
        assert sum(found) <= 1_000


def test_what_has_ended_in_one_pool_is_at_once_another_ones_whose_task_waits_for_it() -> None:
    indexes = Indexes({"gpu": ["g0"]})
    processes, coroutines = Workshop(1, indexes=indexes), Workshop(1, places=4, indexes=indexes)
    # Nothing happens in the first pool any more: only the second one can ask for what it had.
    processes.grant(1, needs=WHOLE)
    processes.run(1, seconds=LONG)
    coroutines.grant(1, needs=WHOLE)
    assert list(users(coroutines)) == ["g0"]
    # It still runs there: the task waits here, and starts when that ends, with no event in this pool.
    processes.grant(1, needs=WHOLE)
    assert users(processes) == {}
    coroutines.begin_all(1)
    coroutines.end(1, ordinal_of(coroutines, 1))
    assert list(users(processes)) == ["g0"]


def test_the_death_of_a_child_frees_its_units_for_another_pool() -> None:
    indexes = Indexes({"gpu": ["g0"]})
    processes, coroutines = Workshop(1, indexes=indexes), Workshop(1, places=4, indexes=indexes)
    processes.grant(1, needs=WHOLE)
    coroutines.grant(1, needs=WHOLE)
    assert users(coroutines) == {}
    processes.begin(1)
    processes.die(1)
    assert list(users(coroutines)) == ["g0"]
