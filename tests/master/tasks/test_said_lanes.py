"""What a submit says of limits and tenants becomes the lanes of its tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.limits import Limit
from tq.common.domain.model import Role, StateNumber
from tq.common.errors import Forbidden, InvalidArgument, QuotaExceeded
from tq.master.engine.accounts import LIMITS, Accounts, Resource
from tq.master.limits.limits import NamedLimits
from tq.master.tasks.route import LaneKey, Route
from tq.master.tasks.routes import Routes

from ..conftest import Bench, Peer
from ..in_lanes import leased
from ..in_limits import finish, granted

SMTP: Any = {"name": "smtp", "max_running": 3}
PAYLOAD = b"\x92\x90\x80"


def submit(bench: Bench, tasks: list[Any], columns: Any, client: Peer | None = None) -> int:
    nothing = (None, None, None, None, None)
    client = client or bench.client()
    return int(client.call("get_task_queue/q", "submit", "m:f", {}, tasks, *nothing, columns))


def ids(count: int) -> list[bytes]:
    first = int.from_bytes(new_ids(), "big") & ~0xFFFF
    return [(first + number).to_bytes(16, "big") for number in range(count)]


def lanes(bench: Bench) -> dict[LaneKey, int]:
    """Those in which ready tasks take their turns, and how many."""
    routes: list[Route] = list(bench.engine.part(Routes))
    return {route.key: route.ready for route in routes if route.ready and not route.key.is_mixed}


def test_a_submit_with_one_key_is_one_array_in_its_lane(bench: Bench) -> None:
    some = ids(500)
    columns = {"limits": [[SMTP, "a.example"]], "tenant": "acme"}
    assert submit(bench, [[some[0], [PAYLOAD] * 500]], columns) == 500
    assert lanes(bench) == {LaneKey("acme", (("smtp", "a.example", 1),)): 500}
    assert bench.engine.part(NamedLimits).in_force("smtp") == Limit("smtp", max_running=3)
    assert submit(bench, [[some[0], [PAYLOAD] * 500]], columns) == 0  # the same again
    assert submit(bench, [[some[0], [PAYLOAD] * 500]], None) == 0


def test_tasks_with_different_keys_stand_in_different_lanes_and_come_in_their_order(bench: Bench) -> None:
    some = ids(4)
    columns = {"limits": [[SMTP, [["a", "b"], [0, 0, 1, 0]], 2]], "tenant": [["x", "y"], [0, 1, 1, 0]]}
    assert submit(bench, [[some[0], [PAYLOAD] * 4]], columns) == 4
    assert lanes(bench) == {
        LaneKey("x", (("smtp", "a", 2),)): 2,
        LaneKey("y", (("smtp", "a", 2),)): 1,
        LaneKey("y", (("smtp", "b", 2),)): 1,
    }
    assert leased(bench.worker("m:f"), 9)[:1] == some[:1]


def test_single_tasks_and_runs_have_the_keys_at_their_places(bench: Bench) -> None:
    one, two, three, four = ids(2) + ids(2)
    submit(
        bench,
        [[three, PAYLOAD], [one, [PAYLOAD] * 2], [four, PAYLOAD]],
        {"tenant": [["x", "y"], [0, 1, 0, 0]]},
    )
    routes = bench.engine.part(Routes)
    found = {
        task.id: routes.mixed.lane_of(routes.by_number[task.route], task.seq).key.tenant
        for task in bench.engine.store.find([one, two, three, four])
    }
    assert found == {three: "x", one: "y", two: "x", four: "x"}


def test_a_master_that_starts_again_has_the_lanes(bench: Bench) -> None:
    submit(bench, [[ids(1)[0], PAYLOAD]], {"limits": [[SMTP, "a"]]})
    after = Bench(bench.engine.store)  # type: ignore[arg-type]
    assert lanes(after) == {LaneKey("", (("smtp", "a", 1),)): 1}
    assert after.engine.part(NamedLimits).in_force("smtp") == Limit("smtp", max_running=3)


def test_one_call_makes_a_bounded_number_of_lanes(bench: Bench) -> None:
    some = ids(1_001)
    column = [[str(number) for number in range(1_001)], list(range(1_001))]
    with pytest.raises(InvalidArgument, match="have 1,001 different keys or tenants; at most 1,000"):
        submit(bench, [[some[0], [PAYLOAD] * 1_001]], {"limits": [[SMTP, column]]})
    assert bench.engine.part(NamedLimits).in_force("smtp") is None
    column = [column[0][1:], list(range(1_000))]
    assert submit(bench, [[some[0], [PAYLOAD] * 1_000]], {"limits": [[SMTP, column]]}) == 1_000
    assert len(lanes(bench)) == 1_000


def test_how_many_keys_of_limits_a_key_has_is_bounded_and_costs_no_other_key(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, Resource.LIMIT_KEYS, LIMITS[Resource.LIMIT_KEYS]._replace(key=2))
    mine, other = bench.client(), bench.client(role=Role.ADMIN)
    account = mine.session.account = Accounts().of("mine")
    worker, rate = bench.worker("m:f", slots=9), {"name": "api", "rate": "1/s", "burst": 1}
    for key in ("a", "b"):
        submit(bench, [[ids(1)[0], PAYLOAD]], {"limits": [[rate, key]]}, mine)
    lease, done = granted(worker, 9)
    with pytest.raises(QuotaExceeded, match="this key has 2 keys of limits of tasks"):
        submit(bench, [[ids(1)[0], PAYLOAD]], {"limits": [[rate, "c"]]}, mine)
    assert submit(bench, [[ids(1)[0], PAYLOAD]], {"tenant": "acme"}, mine) == 1
    assert submit(bench, [[ids(1)[0], PAYLOAD]], {"limits": [[rate, "c"]]}, other) == 1
    finish(worker, lease, done)
    bench.client(role=Role.ADMIN).call("get_tasks", "purge", {"states": [int(StateNumber.SUCCEEDED)]})
    bench.step()
    bench.step()
    assert len(done) == 2
    assert not [one for one in bench.engine.part(Routes) if one.account is account and one.key.limits]
    assert account.held[Resource.LIMIT_KEYS] == 2  # the lanes are forgotten, the tokens are not back
    bench.advance(3)  # without anything that starts
    bench.step()
    assert account.held[Resource.LIMIT_KEYS] == 0
    assert submit(bench, [[ids(1)[0], PAYLOAD]], {"limits": [[rate, "d"]]}, mine) == 1


def test_lanes_stay_on_their_accounts_when_a_transaction_fails(bench: Bench) -> None:
    mine = bench.client()
    submit(bench, [[ids(1)[0], PAYLOAD]], {"limits": [[SMTP, "a"]]}, mine)
    held = mine.session.account.held
    assert (held[Resource.LANES], held[Resource.LIMIT_KEYS]) == (1, 1)
    bench.engine.part(Routes).load(bench.engine.store.load(), bench.engine.now)
    assert (held[Resource.LANES], held[Resource.LIMIT_KEYS]) == (1, 1)
    bench.client(role=Role.ADMIN).call("get_tasks", "purge", {"states": [int(StateNumber.READY)]})
    bench.step()
    bench.step()
    assert (held[Resource.LANES], held[Resource.LIMIT_KEYS]) == (0, 0)


@pytest.mark.parametrize(
    "columns",
    [
        [],
        {"limits": [[{"name": "smtp"}, "a"]]},
        {"limits": [[SMTP, [["a"], [0]]]]},
        {"limits": [[SMTP, "a", 4]]},
        {"tenant": "x" * 257},
    ],
)
def test_columns_that_are_wrong_are_refused_and_declare_nothing(bench: Bench, columns: Any) -> None:
    some = ids(2)
    with pytest.raises(InvalidArgument):
        submit(bench, [[some[0], [PAYLOAD] * 2]], columns)
    assert lanes(bench) == {}
    assert bench.engine.part(NamedLimits).in_force("smtp") is None


def of_tenant(bench: Bench, name: str) -> Peer:
    """A program with a key of a tenant."""
    peer = bench.client()
    peer.session.verifier = replace(peer.session.verifier, tenant=name)
    return peer


@pytest.mark.parametrize(
    "columns", [None, {}, {"tenant": "acme"}, {"limits": [[SMTP, "a"]]}, {"tenant": [["acme"], [0, 0]]}]
)
def test_the_key_of_its_submitter_fixes_the_tenant_of_a_task(bench: Bench, columns: Any) -> None:
    acme = of_tenant(bench, "acme")
    assert submit(bench, [[ids(1)[0], [PAYLOAD] * 2]], columns, acme) == 2
    assert {key.tenant for key in lanes(bench)} == {"acme"}


@pytest.mark.parametrize("stated", ["other", [["acme", "other"], [0, 1]]])
def test_a_submit_that_says_another_tenant_than_its_key_is_refused_as_a_whole(
    bench: Bench, stated: Any
) -> None:
    acme = of_tenant(bench, "acme")
    with pytest.raises(Forbidden) as refused:
        submit(bench, [[ids(1)[0], [PAYLOAD] * 2]], {"tenant": stated}, acme)
    assert "this key is of tenant acme" in str(refused.value)
    assert "says tenant 'other': leave tenant= out" in str(refused.value)
    assert not lanes(bench)
