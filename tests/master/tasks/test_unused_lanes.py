"""Tasks whose handlers or needs differ from call to call: when they are gone, nothing is left of their lanes, and no call pays for them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role
from tq.common.domain.tenants import NO_TERMS
from tq.common.wire.frames import pack
from tq.master.engine.accounts import LIMITS, Accounts, Resource
from tq.master.tasks import served, unused_lanes
from tq.master.tasks.route import Capability, CapabilityKey, LaneKey, Queue, Route, Tenant
from tq.master.tasks.routes import Routes
from tq.master.tasks.served import ServedRoutes

from ..conftest import Bench, Peer
from ..in_lanes import leased
from ..in_lanes import submit as submit_in
from ..leased import each

NOTHING = (None, None, None, None, None)


def handled(client: Peer, number: int) -> bytes:
    """Submit a task with a handler of its own; every second one is of a tenant, too."""
    id = new_ids()
    columns: dict[str, Any] = {"on_failure": ["alarms", "m:complain", {"tags": {"order": str(number)}}, {}]}
    if number % 2:
        columns["tenant"] = "acme"
    client.call("get_task_queue/q", "submit", "m:f", {}, [[id, b"\x92\x90\x80"]], *NOTHING, columns)
    return id


def purge(bench: Bench) -> None:
    bench.client(role=Role.ADMIN).call("get_tasks", "purge", {"states": [0]})
    bench.step()
    while bench.engine.has_work:
        bench.step()


def lanes(bench: Bench) -> list[Route]:
    return [route for route in bench.engine.part(Routes) if not route.is_plain]


def test_of_a_crowd_of_handlers_that_differ_nothing_is_left_when_their_tasks_are_gone(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [capability] = bench.engine.part(Routes).capabilities.values()
    paid, pays = capability.account.held, client.session.account.held
    for _ in range(3):
        for number in range(120):
            handled(client, number)
        assert (len(lanes(bench)), pays[Resource.LANES]) == (180, 180)
        assert (len(capability.routes), paid[Resource.SERVED_ROUTES]) == (121, 121)
        purge(bench)
        assert lanes(bench) == []
        assert (pays[Resource.LANES], pays[Resource.NAMES]) == (0, 2)
        assert [route.task for route in capability.routes] == ["m:f"]
        assert paid[Resource.SERVED_ROUTES] == 1
        assert len(bench.engine.store.load().routes) == 2
    bench.worker("m:f", "m:g")
    [_, later] = bench.engine.part(Routes).capabilities.values()
    assert later.looked <= 2 * served.GAPS_SPARE + 2, "what is gone is compared with no kind of worker"
    id = handled(client, 1)
    assert leased(worker, 1) == [id]


def bases(count: int) -> list[Route]:
    """The lanes of a callable that differ by their handlers."""
    tenant, queue = Tenant("", 0, NO_TERMS), Queue("q")
    plain = Route(0, queue, "m:f", tenant)
    return [
        Route(number, queue, "m:f", tenant, LaneKey(handler=b"%d" % number), None, plain)
        for number in range(1, count + 1)
    ]


def test_whichever_lanes_are_forgotten_while_workers_are_compared_with_them_the_others_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(served, "COMPARED_AT_ONCE", 7)
    monkeypatch.setattr(served, "TURN_ROUTES", 3)
    monkeypatch.setattr(served, "GAPS_SPARE", 2)
    random = Random(14)  # noqa: S311 - of a test
    for _ in range(50):
        serving, account, here = ServedRoutes(lambda route: None), Accounts().of("k"), set[Route]()
        kinds: list[Capability] = []
        for route in bases(60):
            serving.add(route)
            here.add(route)
            if random.random() < 0.1:
                key = CapabilityKey("k", frozenset({"m:f", str(len(kinds))}), (), (), ())
                kinds.append(serving.capability(key, account))
            if random.random() < 0.8:
                gone = random.choice(sorted(here, key=lambda one: one.number))
                here.remove(gone)
                serving.forget(gone)
            if random.random() < 0.3:
                serving.match()
        while serving.has_more:
            serving.match()
        assert all(set(kind.routes) == here for kind in kinds)
        assert all(set(route.capabilities) == set(kinds) for route in here)
        assert account.held[Resource.SERVED_ROUTES] == len(kinds) * len(here)


def test_a_kind_of_worker_whose_account_was_full_serves_another_lane_when_one_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(LIMITS, Resource.SERVED_ROUTES, LIMITS[Resource.SERVED_ROUTES]._replace(key=3))
    serving, account, lanes = ServedRoutes(lambda route: None), Accounts().of("k"), bases(5)
    kind = serving.capability(CapabilityKey("k", frozenset({"m:f"}), (), (), ()), account)
    for lane in lanes:
        serving.add(lane)
    assert list(kind.routes) == lanes[:3]
    serving.forget(lanes[1])
    serving.match()
    assert list(kind.routes) == [lanes[0], *lanes[2:4]]
    assert account.held[Resource.SERVED_ROUTES] == 3


def test_more_lanes_than_one_transaction_forgets_are_forgotten_in_portions(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unused_lanes, "FORGOTTEN_AT_ONCE", unused_lanes.LANE_GLANCES * 10)
    client = bench.client()
    for number in range(0, 60, 2):
        handled(client, number)
    bench.client(role=Role.ADMIN).call("get_tasks", "purge", {"states": [0]})
    left = [len(lanes(bench))]
    while bench.engine.has_work:
        bench.step()
        left.append(len(lanes(bench)))
    assert left == [20, 10, 0]


def test_lanes_whose_needs_differ_are_forgotten_and_their_number_may_be_used_again(bench: Bench) -> None:
    worker = bench.worker("m:f", resources={"gpu": 1_000}, slots=9)
    call = worker.ask("get_dispatcher", "lease", 1)
    for amount in (5_000, 4_000, 3_000):
        submit_in(bench, LaneKey(needs=pack([[["gpu", amount]], ""])))
        bench.step()
        assert call not in worker.answers
        purge(bench)
        assert lanes(bench) == []
    ids = submit_in(bench, LaneKey(needs=pack([[["gpu", 1_000]], ""])))
    assert [id for id, *_ in each(worker.answer(call)[1])] == ids


def test_a_base_lane_stays_while_another_lane_refers_to_it_and_across_a_restart(
    make_bench: Callable[..., Bench],
) -> None:
    before = make_bench()
    id = handled(before.client(), 1)
    for _ in range(4):
        before.step()
    assert len(lanes(before)) == 2
    after = make_bench(before.engine.store)
    for _ in range(4):
        after.step()
    assert len(lanes(after)) == 2
    assert leased(after.worker("m:f"), 1) == [id]
