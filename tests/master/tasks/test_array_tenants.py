"""Tasks by their tenant, on the shipped engine: where all of an array have one, and where they differ."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tq.common.domain.model import Role, StateNumber
from tq.master.tasks.look import Look

from ..conftest import Bench, Peer
from .test_array_tags import found
from .test_explain import finish, lease
from .test_mixed import submit
from .test_selection import counted, fail, performed

READY, SUCCEEDED, FAILED, CANCELLED = (
    int(state)
    for state in (StateNumber.READY, StateNumber.SUCCEEDED, StateNumber.FAILED, StateNumber.CANCELLED)
)


@pytest.fixture
def client(bench: Bench) -> Peer:
    return bench.client(role=Role.ADMIN)


def of(*tenants: str, **others: Any) -> dict[str, Any]:
    return {"tenants": list(tenants), **others}


def test_tasks_of_a_map_are_found_by_the_tenant_of_each(bench: Bench, client: Peer) -> None:
    submit(bench, "", tenants="abca" * 10)
    submit(bench, "", tenants="aaaaaaaaaaaa")
    client.call("get_task_queue/q", "submit", "m:f", {}, [[bytes(15) + b"x", b""]])
    for look in (counted, found):
        assert look(client, of("a")) == {READY: 32}
        assert look(client, of("b", "c")) == {READY: 20}
        assert look(client, of("*")) == {READY: 52}, "what has no tenant is of none"
        assert look(client, of("d")) == {}


def test_a_line_is_found_by_the_tenants_of_its_older_parts(bench: Bench, client: Peer) -> None:
    # Two calls of one map: all of the newer one are of another tenant.
    first = submit(bench, "", tenants="a" * 12)
    number = int.from_bytes(first[-1], "big") + 1
    columns = {"tenant": [["b"], [0] * 12]}
    run = [number.to_bytes(16, "big"), [b"x"] * 12]
    nothing = (None,) * 5
    client.call("get_task_queue/q", "submit", "m:f", {}, [run], *nothing, columns)
    for name in "ab":
        [line] = client.call("get_tasks", "lines", of(name), 100)["rows"]
        assert (line["tasks"], line["states"]) == (24, [[READY, 12]])


def test_whatever_happens_to_its_tasks_a_mixed_map_is_found_as_a_model_says(
    bench: Bench, client: Peer
) -> None:
    chance = random.Random(15)  # noqa: S311 - the same cases every time
    worker = bench.worker("m:f")
    tenants = "".join(chance.choice("abc") for _ in range(200))
    ids = submit(bench, "", tenants=tenants)
    tenant = dict(zip(ids, tenants, strict=True))
    held = lease(worker, 60)
    finish(worker, held[::2])
    client.call("get_tasks", "cancel", [held[1][0]])
    ended = {row["id"]: row["state"] for row in client.call("get_tasks", "select", {}, 200)["rows"]}
    for name in "abc":
        expected = [ended[id] for id in ended if tenant[id] == name]
        for look in (counted, found):
            assert look(client, of(name)) == {one: expected.count(one) for one in set(expected)}
    assert sum(performed(client, "cancel_where", of("b", states=[READY]))) > 0
    assert counted(client, of("a", "c"))[READY] == sum(
        ended[id] == READY for id in ended if tenant[id] in "ac"
    )


def test_a_task_that_has_ended_says_whose_it_was(bench: Bench, client: Peer) -> None:
    ids = submit(bench, "", tenants="ab" * 3)
    alone = submit(bench, "", tenants="c")
    worker = bench.worker("m:f")
    finish(worker, lease(worker, 10))
    shown = [client.call("get_tasks", "show", id) for id in (*ids[:2], *alone)]
    assert [one["state"] for one in shown] == [SUCCEEDED] * 3
    assert [one["terms"] for one in shown] == [{"tenant": name} for name in "abc"]


def test_failures_of_a_tenant_are_found_after_they_left_their_map(bench: Bench, client: Peer) -> None:
    submit(bench, "", tenants="ab" * 10)
    fail(bench.worker("m:f"), 6, "ValueError: no")
    assert counted(client, of("a", errors=["ValueError"])) == {FAILED: 3}
    assert found(client, of("b", states=[FAILED])) == {FAILED: 3}


def test_a_tenant_that_there_is_not_costs_no_row(
    bench: Bench, client: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(bench, "", tenants="ab" * 500)
    monkeypatch.delattr(Look, "pieces")
    assert counted(client, of("initech")) == {}
