"""Weights and caps of tenants, in what workers are given."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.limits import Limit
from tq.common.domain.model import Role
from tq.master.tasks.route import LaneKey, Tenant
from tq.master.tasks.routes import Routes
from tq.master.tasks.turns import TenantTurns
from tq.master.tenants.tenants import SetTenants

from ..conftest import Bench, Peer
from ..in_lanes import DISPATCHER, A, B, submit
from ..in_limits import PARKED, declare, finish, granted, leased, under

TENANTS = "get_tenants"


def put(bench: Bench, name: str, **changes: int | None) -> None:
    admin = bench.client(role=Role.ADMIN)
    admin.call(TENANTS, "set", name, changes)
    admin.close()


def tenant(bench: Bench, name: str) -> Tenant:
    return bench.engine.part(Routes).tenants.of(name)


def row(bench: Bench, name: str) -> dict[str, object]:
    rows = bench.client(role=Role.VIEWER).call(TENANTS, "list")
    [found] = [row for row in rows if row["name"] == name]
    return dict(found)


def test_a_tenant_is_given_as_many_tasks_in_a_turn_as_its_weight_says(bench: Bench) -> None:
    owner = dict.fromkeys(submit(bench, A, 60), "a") | dict.fromkeys(submit(bench, B, 60), "b")
    put(bench, "a", weight=3)
    worker = bench.worker("m:f", slots=9)
    order = "".join(owner[id] for _ in range(40) for id in leased(worker, 1))
    assert order.strip("b").count("a") in (29, 30, 31)
    assert "bb" not in order
    together = Counter(owner[id] for id in leased(worker, 20))
    assert together == {"a": 15, "b": 5}


def test_a_cap_bounds_what_runs_in_all_queues_and_the_rest_is_out_of_the_way(bench: Bench) -> None:
    put(bench, "a", max_running=3)
    mine, others = submit(bench, A, 50), submit(bench, B, 10)
    worker = bench.worker("m:f", slots=9)
    lease, ids = granted(worker, 40)
    assert len(set(ids) & set(mine)) == 3
    assert set(others) < set(ids)
    assert (row(bench, "a")["running"], row(bench, "a")["waiting"], row(bench, "a")["held"]) == (3, 47, 47)
    assert leased(worker, 9) == []
    [capability] = bench.engine.part(Routes).capabilities.values()
    assert not bench.engine.part(Routes).have_work(capability)
    assert not bench.engine.has_work
    done = [id for id in ids if id in mine][:2]
    finish(worker, lease, done)
    again = leased(worker, 9)
    assert again == mine[3:5]


def test_a_cap_holds_beside_limits_and_for_each_of_several_workers(bench: Bench) -> None:
    declare(bench, Limit("smtp", max_running=5))
    put(bench, "a", max_running=4)
    ids = [submit(bench, under("smtp", tenant="a"))[0] for _ in range(5)] + submit(bench, A, 5)
    workers = [bench.worker("m:f", slots=9) for _ in range(3)]
    given = [id for worker in workers for id in leased(worker, 2)]
    assert len(given) == 4
    assert set(given) <= set(ids)
    assert tenant(bench, "a").counts[3] == 4


def test_a_cap_that_is_raised_or_removed_lets_more_start_at_once(bench: Bench) -> None:
    put(bench, "a", max_running=1)
    ids = submit(bench, A, 9)
    worker = bench.worker("m:f", slots=9)
    assert leased(worker, 9) == ids[:1]
    assert leased(worker, 9) == []
    put(bench, "a", max_running=3)
    assert leased(worker, 9) == ids[1:3]
    assert leased(worker, 9) == []
    bench.client(role=Role.ADMIN).call(TENANTS, "remove", "a")
    assert leased(worker, 9) == ids[3:]


def test_what_is_set_holds_after_a_restart(make_bench: Callable[..., Bench]) -> None:
    before = make_bench()
    put(before, "a", weight=2, max_running=2)
    ids = submit(before, A, 5)
    worker = before.worker("m:f")
    assert leased(worker, 9) == ids[:2]
    after = make_bench(before.engine.store)
    assert tenant(after, "a").is_full
    assert after.engine.part(SetTenants).terms("a") == (2, 2, ())
    late = after.worker("m:f")
    assert leased(late, 9) == []


def test_a_slot_is_lent_only_within_the_cap(bench: Bench) -> None:
    put(bench, "a", max_running=1)
    waiting = submit(bench, A, 3)
    parent = submit(bench, LaneKey())
    worker = bench.worker("m:f", slots=1)
    first = leased(worker, 2)
    assert set(first) == {parent[0], waiting[0]}
    call = worker.ask(DISPATCHER, "lend", parent[0], [IdRun(waiting[1], 1).to_wire()], 1)
    bench.step()
    assert call not in worker.answers


def test_why_says_that_a_cap_holds_it_back_and_how_to_raise_it(bench: Bench) -> None:
    put(bench, "acme", max_running=1)
    ids = submit(bench, LaneKey("acme"), 2)
    worker = bench.worker("m:f")
    assert len(leased(worker, 9)) == 1
    reason = bench.client().call("get_tasks", "why", ids[1])["why"]
    assert "the cap of tenant acme holds it back: 1 of at most 1 run" in reason
    assert "tq tenants set acme --max-running N" in reason


def running(bench: Bench) -> Counter[str]:
    """As the store has it."""
    picture, lanes = bench.engine.store.load(), bench.engine.part(Routes).by_number
    found = Counter(lanes[row.route].key.tenant for row in picture.running)
    for slice in picture.slices:
        found[lanes[slice.route].key.tenant] += slice.stop - slice.seq
    return found


def end_some(worker: Peer, held: list[tuple[bytes, bytes]], chance: random.Random) -> int:
    """How many of its tasks it ends."""
    chance.shuffle(held)
    some = chance.randint(0, len(held))
    for _ in range(some):
        lease, id = held.pop()
        finish(worker, lease, [id])
    return some


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_no_cap_is_exceeded_and_all_tasks_end(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same history every time
    names, caps = ["a", "b", "c", ""], dict[str, int | None]()
    owner: dict[bytes, str] = {}
    workers = [bench.worker("m:f", slots=9) for _ in range(2)]
    held: dict[Peer, list[tuple[bytes, bytes]]] = {worker: [] for worker in workers}
    ended = 0
    for _ in range(150):
        if chance.random() < 0.3 and len(owner) < 250:
            name = chance.choice(names)
            owner |= dict.fromkeys(submit(bench, LaneKey(name), chance.randint(1, 9)), name)
        if chance.random() < 0.1:
            name = chance.choice(names[:3])
            caps[name] = chance.choice((None, 1, 2, 5))
            before = tenant(bench, name).counts[3]
            put(bench, name, max_running=caps[name], weight=chance.randint(1, 4))
            if (cap := caps[name]) is not None:
                caps[name] = max(before, cap)  # those that run stay
        worker = chance.choice(workers)
        lease, ids = granted(worker, chance.randint(1, 6))
        held[worker] += [(lease, id) for id in ids]
        running_of = running(bench)
        for name, cap in caps.items():
            assert cap is None or running_of[name] <= cap
        for name in names:
            assert tenant(bench, name).counts[3] == running_of[name]
        ended += end_some(worker, held[worker], chance)
    for _ in range(400):
        for worker in workers:
            for lease, id in held[worker]:
                finish(worker, lease, [id])
                ended += 1
            lease, ids = granted(worker, 9)
            held[worker] = [(lease, id) for id in ids]
        if ended == len(owner):
            break
    assert ended == len(owner)
    assert all(PARKED.get(worker) for worker in workers)


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (1, 2, 3, 10), (1000, 1, 1, 5)])
def test_none_starves_before_each_other_tenant_has_had_one_turn(weights: tuple[int, ...]) -> None:
    turns = TenantTurns()
    chance = random.Random(sum(weights))  # noqa: S311 - the same history every time
    tenants = [turns.of(str(number)) for number in range(len(weights))]
    for one, weight in zip(tenants, weights, strict=True):
        one.weight = one.left = weight
    since = {one: Counter[Tenant]() for one in tenants}  # what others were given since it was served
    for _ in range(20_000):
        ready = [one for one in tenants if chance.random() < 0.8]
        if not ready:
            continue
        first = min(ready, key=lambda one: one.last)
        turns.took({first: 1})
        since[first].clear()
        for one in ready:
            if one is not first:
                since[one][first] += 1
                assert since[one][first] <= first.weight
