"""Lanes that a strike holds back."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from tq.common.domain.limits import Limit
from tq.common.domain.model import Role
from tq.common.domain.strikes import facts_of, holds, parse_strike
from tq.common.errors import StoreError
from tq.master.tasks import struck
from tq.master.tasks.route import LaneKey
from tq.master.tasks.routes import Routes

from ..conftest import Bench
from ..in_lanes import A, B, lane, submit, within
from ..in_limits import declare, finish, granted, leased, under

STRIKES = "get_strikes"


def strike(bench: Bench, condition: str, seconds: float | None = None) -> None:
    bench.client(role=Role.ADMIN).call(STRIKES, "add", condition, "", seconds)


def lift(bench: Bench, condition: str) -> None:
    bench.client(role=Role.ADMIN).call(STRIKES, "remove", condition)


def test_what_is_struck_waits_and_what_comes_later_waits_too(bench: Bench) -> None:
    early, other = submit(bench, A, 2), submit(bench, B)
    strike(bench, "tenant=a")
    late = submit(bench, LaneKey("a", needs=b""), 1, priority=9)
    worker = bench.worker("m:f", slots=9)
    assert leased(worker, 9) == other
    lift(bench, "tenant=a")
    assert leased(worker, 9) == [*late, *early]


def test_a_function_without_tenant_or_limits_is_struck_for_a_worker_that_waits_already(bench: Bench) -> None:
    worker = bench.worker("m:f", "m:g", slots=9)
    strike(bench, "task='m:[f]'")
    assert leased(worker, 9) == []
    ids = submit(bench, LaneKey())
    assert leased(worker, 9) == []
    routes = bench.engine.part(Routes)
    [capability] = routes.capabilities.values()
    assert not routes.have_work(capability), "nothing is looked for in each transaction"
    lift(bench, "task='m:[f]'")
    assert leased(worker, 9) == ids


def test_it_is_handed_out_again_when_the_time_is_over(bench: Bench) -> None:
    ids = submit(bench, LaneKey(), 3)
    strike(bench, "queue=q", 60.0)
    worker = bench.worker("m:f", slots=9)
    bench.advance(59)
    assert leased(worker, 9) == []
    bench.advance(2)
    assert leased(worker, 9) == ids


def test_two_strikes_on_one_lane_hold_it_until_both_have_ended(bench: Bench) -> None:
    ids = submit(bench, A)
    strike(bench, "tenant=a")
    strike(bench, "queue=q", 60.0)
    worker = bench.worker("m:f", slots=9)
    bench.advance(61)
    assert leased(worker, 9) == []
    lift(bench, "tenant=a")
    assert leased(worker, 9) == ids


def test_a_lane_that_a_limit_holds_back_is_struck_and_comes_back_to_its_limit(bench: Bench) -> None:
    declare(bench, Limit("smtp", max_running=1))
    first, second = submit(bench, under("smtp"), 2)
    worker = bench.worker("m:f", slots=9)
    lease, ids = granted(worker, 9)
    assert ids == [first]
    strike(bench, "has limit.smtp")
    finish(worker, lease, ids)
    assert leased(worker, 9) == []
    lift(bench, "has limit.smtp")
    assert leased(worker, 9) == [second]


def test_what_a_worker_gives_back_under_a_strike_waits(bench: Bench) -> None:
    ids = submit(bench, A)
    worker = bench.worker("m:f", slots=9)
    lease, _ = granted(worker, 1)
    strike(bench, "tenant=a")
    worker.call("get_dispatcher", "release", [[ids[0], 1, lease]])
    assert leased(worker, 1) == []
    lift(bench, "tenant=a")
    assert leased(worker, 1) == ids


def test_a_strike_survives_a_restart(bench: Bench) -> None:
    struck_ids, others = submit(bench, A), submit(bench, LaneKey())
    strike(bench, "tenant=a", 60.0)
    after = Bench(bench.engine.store, now=bench.now)  # type: ignore[arg-type]
    worker = after.worker("m:f", slots=9)
    assert leased(worker, 9) == others
    after.advance(61)
    assert leased(worker, 9) == struck_ids


def test_to_compare_very_many_lanes_is_work_of_several_transactions_and_is_answered_at_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(struck, "GLANCES_MAX", 60)
    monkeypatch.setattr(struck, "PORTION", 5)
    for number in range(100):
        within(bench, lambda number=number: lane(bench, LaneKey(f"t{number}")))  # type: ignore[misc]
        submit(bench, LaneKey(f"t{number}"))
    admin, routes, counts = bench.client(role=Role.ADMIN), bench.engine.part(Routes), [0]
    call = admin.ask(STRIKES, "add", "tenant='t*'")
    while call not in admin.answers:
        bench.step()
        counts.append(sum(bool(one.struck) for one in routes))
    assert counts[-1] == 100
    assert len(counts) > 5
    assert max(later - earlier for earlier, later in pairwise(counts)) <= 20
    worker, seen = bench.worker("m:f", slots=9), 0
    assert leased(worker, 9) == []
    admin.ask(STRIKES, "remove", 1)
    for _ in range(40):
        seen += len(leased(worker, 9))
    assert seen == 100


def test_a_release_goes_on_after_a_failed_transaction_with_the_lanes_that_are_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        submit(bench, LaneKey(f"t{number}"))
    strike(bench, "has tenant")
    monkeypatch.setattr(struck, "GLANCES_MAX", 60)
    monkeypatch.setattr(struck, "PORTION", 5)
    bench.client(role=Role.ADMIN).ask(STRIKES, "remove", 1)
    bench.step()
    bench.client(role=Role.ADMIN).ask(STRIKES, "add", "queue=elsewhere")

    def fail() -> None:
        raise StoreError("disk full")

    bench.step(commit=fail)
    bench.advance(1)
    for _ in range(10):
        bench.step()
    routes = bench.engine.part(Routes)
    assert set(routes.lanes._lines) <= set(routes), "what stands in line is a lane of now"
    worker = bench.worker("m:f", slots=9)
    assert len({id for _ in range(12) for id in leased(worker, 9)}) == 100


def test_what_is_struck_costs_the_others_nothing(bench: Bench) -> None:
    for number in range(300):
        submit(bench, LaneKey(f"t{number}"))
    strike(bench, "has tenant")
    worker, line = bench.worker("m:f", slots=9), bench.engine.part(Routes).lanes
    assert leased(worker, 9) == []
    before = line.looks
    for _ in range(20):
        plain = submit(bench, LaneKey(), 2)
        assert leased(worker, 9) == plain
    assert line.looks == before


@pytest.mark.parametrize("seed", range(5))
def test_in_a_random_life_nothing_that_is_struck_starts_and_nothing_else_waits(
    bench: Bench, seed: int
) -> None:
    """An oracle that knows only conditions: whatever comes and goes, a worker with room for all is given what none holds."""
    chance = random.Random(seed)  # noqa: S311 - the same cases every time
    worker = bench.worker("m:f", "m:g", slots=99)
    keys = [LaneKey(), A, B, LaneKey("c")]
    texts = ["tenant=a", "task=m:f", "not has tenant", "tenant in (b, 'c*') or task=m:g", "queue=other"]
    waiting: dict[bytes, dict[str, str]] = {}
    held: dict[str, int] = {}  # until when
    for _ in range(60):
        match chance.randrange(4):
            case 0:
                key, task = chance.choice(keys), chance.choice(("m:f", "m:g"))
                [id] = submit(bench, key, task=task)
                waiting[id] = facts_of("q", task, key.tenant, {})
            case 1:
                text, seconds = chance.choice(texts), chance.choice((5, 20))
                strike(bench, text, seconds)
                held[text] = bench.now.mono + seconds * 1000
            case 2 if held:
                text = chance.choice(list(held))
                lift(bench, text)
                del held[text]
            case _:
                bench.advance(chance.choice((1, 3, 10)))
                held = {text: until for text, until in held.items() if until > bench.now.mono}
        expected = {
            id for id, facts in waiting.items() if not any(holds(parse_strike(text), facts) for text in held)
        }
        given = set(leased(worker, 99))
        while more := leased(worker, 99):
            given.update(more)
        assert given == expected
        for id in given:
            del waiting[id]
