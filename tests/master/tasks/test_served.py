"""Which workers serve which names: looked for in portions, and on the account of the key whose workers they are."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role
from tq.common.errors import QuotaExceeded
from tq.master.engine.accounts import LIMITS, Accounts, Resource
from tq.master.tasks import served
from tq.master.tasks.leases import Leases
from tq.master.tasks.routes import Routes

from ..conftest import Bench, Peer

pytestmark = pytest.mark.usefixtures("frozen")  # processor time is bounded here

DISPATCHER = "get_dispatcher"


def info(**more: Any) -> dict[str, Any]:
    worker = {"host": "h", "pid": 1, "slots": 1, "labels": {}, "tasks": [], "queues": None, "version": "1"}
    return {**worker, **more}


def names(client: Peer, count: int, prefix: str = "m:f") -> None:
    """So many routes, without a task."""
    for number in range(count):
        client.ask("get_task_queue/q", "submit", f"{prefix}{number}", {}, [])
    while client.bench.engine.has_work:
        client.bench.step()


def submitted(client: Peer, task: str) -> bytes:
    id = new_ids()
    client.call("get_task_queue/q", "submit", task, {}, [[id, b"\x92\x90\x80"]])
    return id


def found(bench: Bench) -> int:
    """So many transactions until all are compared."""
    transactions = 0
    while bench.engine.part(Routes).has_more():
        bench.step()
        transactions += 1
    return transactions


def test_very_many_names_are_compared_with_hard_patterns_in_portions(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker()
    names(client, 400, "m:" + "a" * 240)
    hard = ["*" + "a" * 100 + "b" + "a" * 100 + f"{n}*" for n in range(98)]
    began = time.thread_time()
    worker.call(DISPATCHER, "announce", info(allow=[*hard, "m.a*"]), [])
    assert time.thread_time() - began < 0.5
    assert bench.engine.part(Routes).has_more()
    assert bench.engine.has_work
    id = submitted(client, "m:" + "a" * 240 + "399")
    call = worker.ask(DISPATCHER, "lease", 1)
    assert found(bench) > 1
    bench.step()
    _, [[_, _, _, [[leased, *_]]]] = worker.answer(call)
    assert leased == id


def test_workers_that_come_later_are_not_kept_waiting_by_one_that_takes_long(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = bench.client()
    names(client, 300)
    monkeypatch.setattr(served, "COMPARED_AT_ONCE", 100)
    monkeypatch.setattr(served, "TURN_ROUTES", 10)
    slow, quick = bench.worker(), bench.worker()
    slow.ask(DISPATCHER, "announce", info(allow=[f"x{n}.*" for n in range(99)]), [])
    quick.ask(DISPATCHER, "announce", info(allow=["m.*"]), [])
    bench.step()
    call = quick.ask(DISPATCHER, "lease", 1)
    submitted(client, "m:f299")
    assert found(bench) > 100
    bench.step()
    assert quick.answer(call)


def test_a_key_has_no_more_routes_than_its_share_and_others_have_theirs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, Resource.SERVED_ROUTES, LIMITS[Resource.SERVED_ROUTES]._replace(key=30))
    accounts = Accounts()
    client, many, other = bench.client(), bench.worker(), bench.worker()
    many.session.account, other.session.account = accounts.of("many"), accounts.of("other")
    names(client, 20)
    many.call(DISPATCHER, "announce", info(allow=["m.*", "x1"]), [])
    second = bench.worker()
    second.session.account = accounts.of("many")
    second.call(DISPATCHER, "announce", info(allow=["m.*", "x2"]), [])
    assert accounts.of("many").held[Resource.SERVED_ROUTES] == 30
    third = Peer(bench, Role.WORKER, new_ids())
    third.session.account = accounts.of("many")
    with pytest.raises(QuotaExceeded, match="this key has 30 pairs of a task name"):
        third.call(DISPATCHER, "announce", info(allow=["m.*", "x3"]), [])
    other.call(DISPATCHER, "announce", info(tasks=["m:f19"]), [])
    call = other.ask(DISPATCHER, "lease", 1)
    id = submitted(client, "m:f19")
    _, [[_, _, _, [[leased, *_]]]] = other.answer(call)
    assert leased == id
    many.call(DISPATCHER, "announce", info(tasks=["m:f0"]), [])  # what it served is free for the second
    found(bench)
    assert accounts.of("many").held[Resource.SERVED_ROUTES] == 21


def test_what_no_worker_serves_any_more_is_on_no_account(bench: Bench) -> None:
    accounts = Accounts()
    client, worker = bench.client(), bench.worker()
    account = worker.session.account = accounts.of("a")
    names(client, 20)
    worker.call(DISPATCHER, "announce", info(allow=["m.*"]), [])
    assert account.held[Resource.SERVED_ROUTES] == 20
    worker.call(DISPATCHER, "announce", info(tasks=["other:task"]), [])
    assert account.held[Resource.SERVED_ROUTES] == 0


def test_names_without_work_are_not_looked_at_for_each_kind_of_worker(bench: Bench) -> None:
    client = bench.client()
    names(client, 2_000)
    for number in range(20):
        worker = bench.worker()
        worker.call(DISPATCHER, "announce", info(allow=["m.*", f"x{number}"]), [])
        worker.ask(DISPATCHER, "lease", 1)
    found(bench)
    began = time.thread_time()
    for _ in range(200):
        client.call("get_tasks", "states", [])
    assert time.thread_time() - began < 0.5  # a look at all pairs takes two seconds
    id = submitted(client, "m:f1999")
    assert client.call("get_tasks", "states", [id]) == [[id, 0]]
    [held] = bench.engine.part(Leases).running.values()
    assert held.route == bench.engine.part(Routes).route("q", "m:f1999").number
