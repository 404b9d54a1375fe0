"""How many tasks start before one, and when it does."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.master.tasks.position import ROWS_MAX
from tq.master.tasks.route import LaneKey

from ..conftest import Bench, Peer
from ..in_lanes import A, B, submit
from ..in_limits import finish, granted, leased
from .test_mixed import submit as submit_mixed
from .test_queue_order import Oracle, by_client, order


def position(bench: Bench, id: bytes) -> dict[str, Any] | None:
    found: dict[str, Any] | None = bench.client().call("get_tasks", "why", id)["position"]
    return found


def exactly(ahead: int) -> dict[str, Any]:
    return {"ahead": ahead, "exact": True}


def at_least(ahead: int) -> dict[str, Any]:
    return {"ahead": ahead, "exact": False}


def busy(bench: Bench, *tasks: str) -> Peer:
    """A worker with one slot, which something runs in."""
    worker = bench.worker(*(tasks or ("m:f",)), slots=1)
    submit(bench, LaneKey())
    assert len(leased(worker, 1)) == 1
    return worker


def test_those_are_before_it_that_have_a_higher_priority_or_are_older(bench: Bench) -> None:
    busy(bench, "m:f", "m:g")
    ids = by_client(bench.client(), 10)
    urgent = by_client(bench.client(), priority=1)
    other = submit(bench, LaneKey(), task="m:g")
    assert position(bench, ids[4]) == exactly(5)
    assert position(bench, urgent[0]) == exactly(0)
    assert position(bench, other[0]) == exactly(11)
    assert position(bench, submit(bench, LaneKey(), task="m:not-served")[0]) is None


def test_what_is_held_back_has_no_place_and_is_before_no_other(bench: Bench) -> None:
    busy(bench, "m:f", "m:g")
    held, [id] = submit(bench, LaneKey(), 3, task="m:g"), submit(bench, LaneKey())
    bench.client(role=Role.ADMIN).call("get_strikes", "add", "task=m:g")
    assert position(bench, held[0]) is None
    assert position(bench, id) == exactly(0)
    bench.client(role=Role.ADMIN).call("get_task_queue/q", "pause")
    assert position(bench, id) is None


def test_of_tenants_that_take_turns_it_is_at_least_so_many(bench: Bench) -> None:
    busy(bench)
    submit(bench, A, 100)
    ids = submit(bench, B, 10)
    assert position(bench, ids[0]) == at_least(0)
    assert position(bench, ids[9]) == at_least(9 + 8)


def test_the_tasks_of_a_map_whose_tenants_alternate_are_not_counted_as_of_the_tenant_without_a_name(
    bench: Bench,
) -> None:
    busy(bench, "m:f", "m:g")
    submit_mixed(bench, "", tenants="ab" * 50)
    ids = submit(bench, LaneKey(), 5, task="m:g")
    assert position(bench, ids[0]) == at_least(0)
    assert (
        "alternate may be before it, and are not counted"
        in bench.client().call("get_tasks", "why", ids[0])["why"]
    )
    assert position(bench, ids[4]) == at_least(4)


def test_beyond_what_is_read_it_is_at_least_so_many(bench: Bench) -> None:
    busy(bench)
    for _ in range(3):
        submit(bench, LaneKey(), ROWS_MAX // 2)
    [last] = submit(bench, LaneKey())
    found = position(bench, last)
    assert found is not None
    assert not found["exact"]
    assert 3_000 < found["ahead"] <= ROWS_MAX


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["fifo", "lifo", "aging"])
def test_in_a_random_line_each_position_is_what_a_look_at_all_says(
    bench: Bench, kind: str, seed: int
) -> None:
    chance, oracle = random.Random(seed), Oracle()  # noqa: S311 - the same cases every time
    is_lifo, aging = kind == "lifo", 60_000 if kind == "aging" else 0
    order(bench, "lifo" if is_lifo else None, 60.0 if aging else None)
    busy(bench)
    for _ in range(25):
        count, priority = chance.choice((1, 1, 4)), chance.choice((-1, 0, 0, 1))
        seconds = chance.choice((None, None, 5, 50)) if kind != "aging" else None
        options: dict[str, Any] = {"priority": priority, **({"deadline": float(seconds)} if seconds else {})}
        ids = by_client(bench.client(), count, **options)
        oracle.add(
            ids, priority, bench.now.wall, None if seconds is None else bench.now.wall + seconds * 1000
        )
        bench.advance(chance.choice((1, 20)))
    ahead = 0
    while oracle.waiting:
        id = oracle.next(bench.now.wall, is_lifo=is_lifo, aging=aging)
        assert position(bench, id) == exactly(ahead)
        del oracle.waiting[id]
        ahead += 1


def test_when_it_starts_is_a_range_around_what_was_measured(bench: Bench) -> None:
    worker = bench.worker("m:f", slots=1)
    ids = submit(bench, LaneKey(), 120)
    for _ in range(20):
        lease, given = granted(worker, 1)
        bench.advance(2)
        finish(worker, lease, given)
    granted(worker, 1)
    answer = bench.client().call("get_tasks", "why", ids[100])
    eta, now = answer["eta"], bench.now.wall / 1000
    assert answer["position"] == exactly(79)
    assert (eta["ahead"], eta["slots"]) == (79, 1)
    assert now + 100 < eta["earliest"] < now + 160 < eta["latest"] < now + 240
    near = bench.client().call("get_tasks", "why", ids[21])["eta"]
    assert near["earliest"] == now


def test_nothing_is_foreseen_where_nothing_was_measured(bench: Bench) -> None:
    busy(bench)
    [id] = submit(bench, LaneKey())
    assert bench.client().call("get_tasks", "why", id)["eta"] is None
