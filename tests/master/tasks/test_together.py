"""Tasks that run together, on the shipped engine: leased at once, when there are enough or the time for company is over."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import Role

from tests.master.leased import each

from ..conftest import Bench, Peer
from ..flows.conftest import run_of

QUEUE = "get_task_queue/q"


@pytest.fixture
def client(bench: Bench) -> Peer:
    return bench.client(role=Role.ADMIN)


def submit(
    peer: Peer,
    tasks: int,
    calls: int = 10,
    ms: int = 500,
    task: str = "m:f",
    options: dict[str, Any] | None = None,
    **columns: Any,
) -> IdRun:
    run = run_of(tasks)
    said = {"coalesce": [calls, ms], **columns}
    peer.call(QUEUE, "submit", task, options or {}, [[run.first, [b"p"] * tasks]], columns=said)
    return run


def ask(worker: Peer, want: int = 1) -> int:
    call = worker.ask("get_dispatcher", "lease", want)
    worker.bench.step()
    return call


def got(worker: Peer, call: int) -> list[bytes] | None:
    """None: the call waits."""
    if call not in worker.answers:
        return None
    _, groups = worker.answer(call)
    return [id for id, *_ in each(groups)]


def test_as_many_as_run_as_one_are_leased_at_once_however_few_were_asked_for(
    bench: Bench, client: Peer
) -> None:
    run = submit(client, 25)
    worker = bench.worker("m:f")
    assert got(worker, ask(worker)) == run.ids()[:10]
    assert got(worker, ask(worker)) == run.ids()[10:20]


def test_who_asks_for_several_is_given_several_calls_and_none_that_is_not_whole(
    bench: Bench, client: Peer
) -> None:
    run = submit(client, 37)
    worker = bench.worker("m:f", slots=8)
    assert got(worker, ask(worker, 2)) == run.ids()[:20]
    call = ask(worker, 5)
    assert got(worker, call) == run.ids()[20:30]
    call = ask(worker, 5)
    assert got(worker, call) is None, "the rest waits for company"
    bench.advance(0.6)
    assert got(worker, call) == run.ids()[30:]


def test_where_a_limit_holds_one_call_is_given_at_a_time(bench: Bench, client: Peer) -> None:
    run = submit(client, 30, limits=[[{"name": "api", "max_running": 25}, ""]])
    worker = bench.worker("m:f", slots=8)
    assert [got(worker, ask(worker, 5)) for _ in range(3)] == [
        run.ids()[:10],
        run.ids()[10:20],
        run.ids()[20:25],
    ]


def test_fewer_wait_for_company_and_no_longer_than_they_may(bench: Bench, client: Peer) -> None:
    run = submit(client, 3)
    worker = bench.worker("m:f")
    call = ask(worker)
    assert got(worker, call) is None
    bench.advance(0.4)
    assert got(worker, call) is None
    bench.advance(0.2)
    assert got(worker, call) == run.ids()


def test_company_ends_the_wait(bench: Bench, client: Peer) -> None:
    first = submit(client, 4)
    worker = bench.worker("m:f")
    call = ask(worker)
    second = submit(client, 5)
    assert got(worker, call) is None
    third = submit(client, 3)
    assert got(worker, call) == [*first.ids(), *second.ids(), *third.ids()[:1]]
    call = ask(worker)
    assert got(worker, call) is None, "the two that are left wait once more"
    bench.advance(0.6)
    assert got(worker, call) == third.ids()[1:]


def test_who_comes_after_one_that_was_cancelled_waits_for_company_as_long_as_any(
    bench: Bench, client: Peer
) -> None:
    first = submit(client, 1)
    worker = bench.worker("m:f")
    call = ask(worker)
    bench.advance(0.3)
    client.call("get_tasks", "cancel", first.ids())
    second = submit(client, 1)
    bench.advance(0.4)
    assert got(worker, call) is None
    bench.advance(0.2)
    assert got(worker, call) == second.ids()


def test_others_are_leased_meanwhile(bench: Bench, client: Peer) -> None:
    submit(client, 3)
    worker = bench.worker("m:f", "m:g")
    call = ask(worker)
    plain = run_of(1)
    client.call(QUEUE, "submit", "m:g", {}, [[plain.first, b"p"]])
    assert got(worker, call) == plain.ids()


@pytest.mark.parametrize("want", [1, 2, 3])
def test_beside_others_they_are_one_job_of_as_many_as_were_asked_for(
    bench: Bench, client: Peer, want: int
) -> None:
    plain = run_of(2)
    client.call(QUEUE, "submit", "m:g", {}, [[plain.first, [b"p"] * 2]])
    run = submit(client, 10)
    worker = bench.worker("m:f", "m:g", slots=3)
    given = got(worker, ask(worker, want))
    # What was submitted first goes first, and the call is for so many jobs.
    assert given == (plain.ids()[:want] if want < 3 else [*plain.ids(), *run.ids()])


def test_what_came_after_them_has_what_they_leave_of_a_call(bench: Bench, client: Peer) -> None:
    run = submit(client, 20)
    plain = run_of(3)
    client.call(QUEUE, "submit", "m:g", {}, [[plain.first, [b"p"] * 3]])
    worker = bench.worker("m:f", "m:g", slots=9)
    assert got(worker, ask(worker, 1)) == run.ids()[:10]
    assert got(worker, ask(worker, 3)) == [*run.ids()[10:], *plain.ids()[:2]]
    assert got(worker, ask(worker, 3)) == plain.ids()[2:]


def test_a_limit_makes_the_company_smaller(bench: Bench, client: Peer) -> None:
    limits = [[{"name": "api", "max_running": 4}, ""]]
    run = submit(client, 20, limits=limits)
    worker = bench.worker("m:f")
    assert got(worker, ask(worker)) == run.ids()[:4]
    assert got(worker, ask(worker)) is None


@pytest.mark.parametrize("others", [0, 1, 3])
def test_they_run_together_where_a_worker_is_asked_for_something_too(
    bench: Bench, client: Peer, others: int
) -> None:
    run = submit(client, 20, options={"where": "zone=eu"})
    for number in range(others):
        one = run_of(1)
        client.call(QUEUE, "submit", f"m:{number}", {"needs": {"gpu": 1_000}}, [[one.first, b"p"]])
    names = ["m:f", *(f"m:{number}" for number in range(others))]
    worker = bench.worker(*names, slots=8, labels={"zone": "eu"}, resources={"gpu": 8_000})
    assert got(worker, ask(worker)) == run.ids()[:10]
    assert got(worker, ask(worker)) == run.ids()[10:]


def test_a_list_is_as_long_as_the_worker_has_room_for(bench: Bench, client: Peer) -> None:
    run = submit(client, 20, options={"needs": {"gpu": 250}})
    [other] = submit(client, 1, task="m:g", ms=0, options={"needs": {"gpu": 1_000}}).ids()
    worker = bench.worker("m:f", "m:g", slots=8, resources={"gpu": 2_000})
    assert got(worker, ask(worker)) == run.ids()[:8], "each call counts with what it needs"
    assert got(worker, ask(worker)) is None
    assert bench.client().call("get_tasks", "states", [other])[0][1] == 0


def test_those_whose_keys_alternate_run_with_those_of_their_key(bench: Bench, client: Peer) -> None:
    limits = [[{"name": "host", "max_running": 100}, [["a", "b"], [0, 1] * 10]]]
    run = submit(client, 20, calls=5, limits=limits)
    worker = bench.worker("m:f")
    first, second = got(worker, ask(worker)), got(worker, ask(worker))
    assert {tuple(first or ()), tuple(second or ())} == {tuple(run.ids()[0:10:2]), tuple(run.ids()[1:10:2])}


def test_a_paused_or_cancelled_company_waits_for_nothing(bench: Bench, client: Peer) -> None:
    run = submit(client, 3)
    worker = bench.worker("m:f")
    call = ask(worker)
    client.call("get_tasks", "cancel", run.ids())
    bench.advance(1)
    assert got(worker, call) is None
    later = submit(client, 2)
    bench.advance(0.6)
    assert got(worker, call) == later.ids()


def test_a_restart_loses_none(make_bench: Any) -> None:
    bench = make_bench()
    run = submit(bench.client(), 3)
    after = Bench(bench.engine.store, now=bench.now)
    worker = after.worker("m:f")
    call = ask(worker)
    after.advance(0.6)
    assert got(worker, call) == run.ids()


def test_why_says_that_it_waits_for_company(bench: Bench, client: Peer) -> None:
    run = submit(client, 3)
    ask(bench.worker("m:f"))
    assert client.call("get_tasks", "why", run.first)["why"] == (
        "it waits for others to run with, 0.5 s more at most: up to 10 calls of m:f run as one (coalesce=)"
    )
