"""What the choice of a tenant costs: steps are counted, since time is not the machine's alone."""

from __future__ import annotations

import heapq
import random
import sys
from collections.abc import Callable
from typing import Any

from tq.common.domain.ids import consecutive_ids
from tq.common.domain.model import Role
from tq.common.domain.tenants import NO_TERMS
from tq.master.tasks.route import LanePlace, Queue, Route, Tenant
from tq.master.tasks.routes import Routes
from tq.master.tasks.tenant_lines import BaseLines

from ..conftest import Bench
from ..in_lanes import DISPATCHER, leased
from ..leased import each

MANY = 20_000


def calls_of(do: Callable[[], object]) -> int:
    """How many functions are called, ours and the interpreter's own."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        do()
    finally:
        sys.setprofile(None)
    return calls


def submit(bench: Bench, tenants: list[str], queue: str = "q", first: int = 1) -> list[bytes]:
    """A task of each of these tenants; the calls have a thousand tasks."""
    client = bench.client()
    for at in range(0, len(tenants), 1_000):
        some = tenants[at : at + 1_000]
        names = list(dict.fromkeys(some))
        codes = [names.index(one) for one in some] if len(names) < len(some) else list(range(len(some)))
        said: dict[str, Any] = {"tenant": names[0] if len(names) == 1 else [names, codes]}
        tasks = [[(first + at).to_bytes(16, "big"), [b"x"] * len(some)]]
        client.call(("get_task_queue", queue), "submit", "m:f", {}, tasks, columns=said)
    return consecutive_ids(first, len(tenants))


def settled(bench: Bench) -> Any:
    """A worker, when all places are looked up."""
    worker = bench.worker("m:f", slots=9)
    assert len(leased_now(bench, worker, 1)) == 1
    return worker


def leased_now(bench: Bench, worker: Any, want: int) -> list[bytes]:
    call = worker.ask(DISPATCHER, "lease", want)
    while call not in worker.answers:
        bench.step()
    return [id for id, *_ in each(worker.answer(call)[1])]


def cost_of_leases(bench: Bench, worker: Any, leases: int = 20) -> float:
    given: list[bytes] = []
    calls = calls_of(lambda: [given.extend(leased_now(bench, worker, 1)) for _ in range(leases)])
    assert len(set(given)) == leases
    return calls / leases


def test_a_lease_costs_the_same_with_few_tenants_waiting_and_with_many(
    make_bench: Callable[..., Bench],
) -> None:
    few, many = make_bench(), make_bench()
    submit(few, [f"t{number}" for number in range(100)])
    submit(many, [f"t{number}" for number in range(MANY)])
    costs = [cost_of_leases(bench, settled(bench)) for bench in (few, many)]
    assert costs[1] < 1.2 * costs[0]


def test_one_tenant_with_very_many_tasks_costs_another_nothing(make_bench: Callable[..., Bench]) -> None:
    few, many = make_bench(), make_bench()
    for bench, tasks in ((few, 100), (many, 100_000)):
        submit(bench, ["big"] * tasks)
        submit(bench, ["small"] * 50, first=1 << 32)
    costs = [cost_of_leases(bench, settled(bench)) for bench in (few, many)]
    assert costs[1] < 1.2 * costs[0]


def test_tenants_keep_their_turns_across_queues_however_many_wait(bench: Bench) -> None:
    names = [f"t{number}" for number in range(200)]
    owner = dict(zip(submit(bench, names, "q"), names, strict=True))
    owner |= dict(zip(submit(bench, names, "r", 1 << 32), names, strict=True))
    worker = bench.worker("m:f", slots=9)
    order = [owner[id] for _ in range(40) for id in leased_now(bench, worker, 10)]
    assert order == names * 2


def test_a_list_of_queues_costs_the_same_whatever_number_of_lanes_they_have(
    make_bench: Callable[..., Bench],
) -> None:
    few, many = make_bench(), make_bench()
    submit(few, [f"t{number}" for number in range(600)])  # the oldest task is looked for in 500 lanes
    submit(many, [f"t{number}" for number in range(3_000)])
    costs = []
    for bench in (few, many):
        viewer = bench.client(role=Role.VIEWER)
        viewer.call("get_queues", "list")
        costs.append(calls_of(lambda viewer=viewer: viewer.call("get_queues", "list")))  # type: ignore[misc]
        costs[-1] += calls_of(lambda viewer=viewer: viewer.call("get_master", "info"))  # type: ignore[misc]
    assert costs[1] < 1.1 * costs[0]


def test_to_resume_a_queue_looks_at_none_of_its_lanes(bench: Bench) -> None:
    submit(bench, [f"t{number}" for number in range(2_000)])
    worker = settled(bench)
    admin, lanes = bench.client(role=Role.ADMIN), bench.engine.part(Routes).lanes
    admin.call("get_task_queue/q", "pause", "test")
    call, before = worker.ask(DISPATCHER, "lease", 1), lanes.looks
    bench.step()
    assert call not in worker.answers
    assert calls_of(lambda: admin.call("get_task_queue/q", "resume")) < 1_500
    assert call in worker.answers
    assert lanes.looks <= before + 1


def test_the_first_line_is_that_of_the_highest_priority_and_then_of_the_longest_wait() -> None:
    """By a model that looks at all, over changes by chance."""
    chance = random.Random(5)  # noqa: S311 - the same history every time
    tenants = [Tenant(str(number), number, NO_TERMS) for number in range(8)]
    base = Route(0, Queue("q"), "m:f", Tenant("", 0, NO_TERMS))
    lanes = [
        Route(number + 1, base.queue, "m:f", chance.choice(tenants), base=base, plain=base)
        for number in range(30)
    ]
    lines, turn, most = BaseLines(base), 100, 0
    for step in range(5_000):
        lane = chance.choice(lanes)
        lane.place = LanePlace(chance.randrange(-3, 3), step)
        lines.put(lane, lane.place)
        if chance.random() < 0.5:
            turn += 1
            chance.choice(tenants).last = turn
        first = lines.first()
        while first is not None and first.heap[0][2].place is not first.heap[0][0]:
            heapq.heappop(first.heap)
            first = lines.first()
        standing = [one for one in lanes if one.place is not None]
        best = min(
            (min(one.place.rank for one in standing if one.tenant is tenant and one.place), tenant.last)
            for tenant in {one.tenant for one in standing}
        )
        assert first is not None
        assert first.turn == best
        most = max(most, len(lines._marks))
    assert most <= 3 * len(tenants) + 20  # what has moved is dropped
    assert sum(len(line.heap) for line in lines.by_tenant.values()) <= 5 * len(lanes) + 20 * len(tenants)


def test_a_lease_call_waits_while_nothing_is_in_line(bench: Bench) -> None:
    submit(bench, ["a"])
    worker = bench.worker("m:f", slots=9)
    assert len(leased(worker, 2)) == 1
    assert leased(worker, 2) == []
    assert not bench.engine.has_work
