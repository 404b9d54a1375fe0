"""Limits hold tasks back: never more than their permits and tokens, whatever happens to those that have them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from tq.common.domain.limits import Limit
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.master.tasks.route import LaneKey
from tq.master.tasks.routes import Routes

from ..conftest import LEASE_MS, Bench, Peer
from ..in_lanes import DISPATCHER, submit
from ..in_limits import declare, finish, granted, leased, running, under


def test_no_more_run_than_the_limit_allows_and_each_end_lets_the_next_one_start(bench: Bench) -> None:
    declare(bench, Limit("smtp", max_running=2))
    ids = submit(bench, under("smtp"), 5)
    worker = bench.worker("m:f", slots=9)
    lease, first = granted(worker, 9)
    assert first == ids[:2]
    call = worker.ask(DISPATCHER, "lease", 9)
    bench.step()
    assert call not in worker.answers
    finish(worker, lease, first[:1])
    assert [one[0] for one in worker.answer(call)[1][0][3]] == ids[2:3]
    assert running(bench, "smtp") == 2


def test_each_key_has_the_limit_for_itself_and_tasks_share_it_by_its_name(bench: Bench) -> None:
    declare(bench, Limit("host", max_running=1))
    a = submit(bench, under("host", "a"), 2) + submit(bench, under("host", "a", tenant="other"), 2)
    b = submit(bench, under("host", "b"), 2)
    worker = bench.worker("m:f", slots=9)
    assert sorted(leased(worker, 9)) == sorted([a[0], b[0]])
    assert leased(worker, 9) == []


def test_a_task_of_several_units_takes_as_many_permits(bench: Bench) -> None:
    declare(bench, Limit("memory", max_running=5))
    large, small = submit(bench, under("memory", units=3), 2), submit(bench, under("memory"), 4)
    worker = bench.worker("m:f", slots=9)
    assert sorted(leased(worker, 9)) == sorted([large[0], *small[:2]])


@pytest.mark.parametrize("how", ["retry", "hand back", "lost", "cancelled", "failed"])
def test_a_permit_comes_back_however_its_lease_ends(bench: Bench, how: str) -> None:
    declare(bench, Limit("one", max_running=1))
    first, second = submit(bench, under("one"), 1, retries=1, backoff=50.0), submit(bench, under("one"))
    worker, other = bench.worker("m:f"), bench.worker("m:f")
    lease, ids = granted(worker, 1)
    assert ids == first
    call = other.ask(DISPATCHER, "lease", 1)
    bench.step()
    assert call not in other.answers
    match how:
        case "retry":
            finish(worker, lease, first, OutcomeNumber.ERROR)
        case "failed":
            finish(worker, lease, first, OutcomeNumber.DISCARD)
        case "hand back":
            worker.call(DISPATCHER, "release", [[first[0], 1, lease]])
        case "cancelled":
            bench.client().call("get_tasks", "cancel", first)
            finish(worker, lease, first, OutcomeNumber.CANCELLED)
        case "lost":
            worker.close()
            bench.advance(LEASE_MS / 1000 + 10)
    bench.step()
    [given] = [one[0] for one in other.answer(call)[1][0][3]]
    assert given in (*first, *second)
    assert running(bench, "one") == 1


def test_after_a_restart_what_runs_holds_its_permits(make_bench: Callable[..., Bench]) -> None:
    before = make_bench()
    declare(before, Limit("one", max_running=2))
    ids = submit(before, under("one"), 3)
    node = b"n" * 16
    lease, first = granted(before.worker("m:f", node=node), 1)
    after = make_bench(before.engine.store)
    worker = after.worker("m:f", node=node, held=[[first[0], 1, lease]])
    assert granted(worker, 9)[1] == ids[1:2]
    assert leased(worker, 9) == []
    finish(worker, lease, first)
    assert leased(worker, 9) == ids[2:]


def test_tokens_of_a_rate_come_with_time_and_are_not_made_by_a_restart(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench()
    declare(bench, Limit("mail", rate="60/min", burst=2))
    ids = submit(bench, under("mail"), 6)
    worker = bench.worker("m:f", slots=9)
    assert leased(worker, 9) == ids[:2]
    call = worker.ask(DISPATCHER, "lease", 9)
    bench.step()
    bench.advance(0.9)
    assert call not in worker.answers
    bench.advance(0.2)
    assert [one[0] for one in worker.answer(call)[1][0][3]] == ids[2:3]
    again = make_bench(bench.engine.store, now=bench.now)
    other = again.worker("m:f", slots=9)
    assert leased(other, 9) == []
    again.advance(1.0)
    assert leased(other, 9) == ids[3:4]


def test_a_limit_is_shown_with_what_runs_and_waits_under_it(bench: Bench) -> None:
    declare(bench, Limit("host", max_running=2, rate="9/s", burst=4))
    submit(bench, under("host", "a", units=2), 3)
    submit(bench, under("host", "b"), 1)
    leased(bench.worker("m:f", slots=9), 9)
    [row] = bench.client().call("get_limits", "list")
    assert (row["keys"], row["running"], row["waiting"]) == (2, 3, 2)
    used = bench.client().call("get_limits", "show", "host")["used"]
    assert [(one["key"], one["running"], one["waiting"], one["tokens"]) for one in used] == [
        ("a", 2, 2, 2),
        ("b", 1, 0, 3),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_over_a_random_history_no_limit_is_exceeded_and_nothing_is_lost(
    make_bench: Callable[..., Bench], seed: int
) -> None:
    random, bench = Random(seed), make_bench()  # noqa: S311 - a history that can be repeated
    limits = [Limit("a", max_running=2), Limit("b", max_running=5), Limit("c", rate="300/min", burst=3)]
    declare(bench, *limits)
    left: set[bytes] = set()
    held: dict[bytes, tuple[Peer, bytes]] = {}
    workers = [bench.worker("m:f", slots=9) for _ in range(2)]
    started: dict[tuple[int, int], tuple[str, int, int]] = {}  # attempts under "c": key, moment, units

    def look() -> None:
        routes = bench.engine.part(Routes)
        used: dict[tuple[str, str], int] = {}
        for row in bench.engine.store.load().running:
            for name, key, units in routes.by_number[row.route].key.limits:
                used[name, key] = used.get((name, key), 0) + units
                if name == "c":
                    started[row.seq, row.attempt] = key, row.started, units
        for limit in limits:
            for (name, _), units in used.items():
                assert name != limit.name or limit.max_running is None or units <= limit.max_running

    for _ in range(250):
        what = random.random()
        if what < 0.3:
            terms = {
                name: (name, random.choice("xy"), random.choice((1, 1, 2)))
                for name in random.sample("abc", 2)
            }
            ids = submit(
                bench,
                LaneKey(random.choice(("", "t")), tuple(terms.values())),
                random.randint(1, 4),
                max_crashes=90,
            )
            left.update(ids)
        elif what < 0.7:
            worker = random.choice(workers)
            lease, ids = granted(worker, random.randint(1, 9))
            held |= dict.fromkeys(ids, (worker, lease))
        elif what < 0.85 and held:
            id = random.choice(list(held))
            worker, lease = held.pop(id)
            found = bench.engine.store.find([id])[0]
            if found.state == StateNumber.RUNNING and found.lease == lease and worker.session.open:
                row = [id, found.attempt, lease, int(OutcomeNumber.SUCCESS), b"\xc0", 0.0, 0.0, None]
                worker.call(DISPATCHER, "finish", [row])
                left.discard(id)
        elif what < 0.88:
            place = random.randrange(2)
            workers[place].close()
            bench.advance(LEASE_MS / 1000 + 5)
            workers[place] = bench.worker("m:f", slots=9)
        elif what < 0.9:
            bench = make_bench(bench.engine.store, now=bench.now)
            declare(bench, *limits)
            workers = [bench.worker("m:f", slots=9) for _ in range(2)]
            bench.advance(LEASE_MS / 1000 + 10)
        else:
            bench.advance(random.random())
        look()
    for key in "xy":
        mine = sorted((at, units) for text, at, units in started.values() if text == key)
        for first, (since, _) in enumerate(mine):
            units = 0
            for at, more in mine[first:]:
                units += more
                assert units <= 3 + (at - since) * 300 / 60_000
    for worker in workers:
        worker.close()
    bench.advance(LEASE_MS / 1000 + 10)
    worker = bench.worker("m:f", slots=9)
    for _ in range(3_000):
        if not left:
            break
        bench.advance(0.2)
        lease, ids = granted(worker, 9)
        for id in ids:
            found = bench.engine.store.find([id])[0]
            row = [id, found.attempt, lease, int(OutcomeNumber.SUCCESS), b"\xc0", 0.0, 0.0, None]
            worker.call(DISPATCHER, "finish", [row])
            left.discard(id)
    assert {StateNumber(bench.engine.store.find([id])[0].state) for id in left} == set()
