"""What callers may ask of tenants, and what they are answered."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tq.common.domain.model import Role
from tq.common.domain.quota_parts import cap_here, check_cap_parts
from tq.common.domain.shards import Shard, is_spread, shard_of_name
from tq.common.domain.tenants import TenantTerms
from tq.common.errors import Forbidden, InvalidArgument
from tq.master.store.interface.tenants import TenantRow
from tq.master.tasks.explain_limits import cap_remedy
from tq.master.tasks.route import LaneKey
from tq.master.tenants.tenants import SetTenants

from ..conftest import Bench
from ..in_lanes import A, B, leased, submit, within

TENANTS = "get_tenants"


def test_a_key_that_is_bound_to_queues_sees_and_sets_nothing(bench: Bench) -> None:
    for role, method, args in (
        (Role.VIEWER, "list", ()),
        (Role.ADMIN, "set", ("a", {"weight": 2})),
        (Role.ADMIN, "remove", ("a",)),
    ):
        with pytest.raises(Forbidden, match="a key of all queues"):
            bench.client(("q",), role).call(TENANTS, method, *args)


def test_tenants_are_listed_in_portions_and_those_without_a_name_first(bench: Bench) -> None:
    for key in (LaneKey(), A, B):
        submit(bench, key)
    bench.client(role=Role.ADMIN).call(TENANTS, "set", "aa", {"weight": 7})
    viewer = bench.client(role=Role.VIEWER)
    assert [one["name"] for one in viewer.call(TENANTS, "list")] == ["", "a", "aa", "b"]
    assert [one["name"] for one in viewer.call(TENANTS, "list", "a", 1)] == ["aa"]
    assert viewer.call(TENANTS, "list", "", 1)[0]["name"] == "a"
    assert viewer.call(TENANTS, "list", "a", 1)[0]["weight"] == 7
    with pytest.raises(InvalidArgument, match="did you mean 'aa'"):
        bench.client(role=Role.ADMIN).call(TENANTS, "remove", "aaa")


def test_each_of_several_shards_has_a_part_of_a_cap(make_bench: Callable[..., Bench]) -> None:
    started = 0
    for number in range(3):
        bench = make_bench(shard=Shard(number, 3))
        row = bench.client(role=Role.ADMIN).call(TENANTS, "set", "a", {"max_running": 4})
        assert (row["max_running"], row["over"], row["shards_of"]) == (4, 3, [])
        submit(bench, A, 5)
        started += (running := len(leased(bench.worker("m:f", slots=9), 9)))
        _, row = bench.client(role=Role.VIEWER).call(TENANTS, "list")
        assert (row["running"], row["held"], row["stranded"]) == (running, 5 - running, 0)
    assert started == 4


def test_a_cap_in_the_shards_of_some_queues_is_whole_there_and_why_has_the_line_that_names_another(
    make_bench: Callable[..., Bench],
) -> None:
    mail = next(name for name in map(str, range(99)) if shard_of_name(name, 3) == 1)
    for number, most in ((0, 0), (1, 2), (2, 0)):
        bench = make_bench(shard=Shard(number, 3))
        admin = bench.client(role=Role.ADMIN)
        admin.call(TENANTS, "set", "a", {"max_running": 2, "shards_of": [mail]})
        submit(bench, B)
        ids = submit(bench, A, 5)
        assert len(set(leased(bench.worker("m:f", slots=9), 9)) & set(ids)) == most
        [row] = [one for one in admin.call(TENANTS, "list") if one["name"] == "a"]
        assert (row["over"], row["shards_of"], row["stranded"]) == (1, [mail], 0 if most else 5)
        why = admin.call("get_tasks", "why", ids[4])
        if most:
            assert f"cap of tenant a holds it back: {most} of at most {most} run" in why["why"]
        else:
            assert f"without end: it is in the shard of {mail}, and queue q is in another one" in why["why"]
            assert f"`tq tenants set a --shards-of {mail} --shards-of q`" in why["why"]
            assert why["reasons"][0]["remedy"] == f"tq tenants set a --shards-of {mail} --shards-of q"


@pytest.mark.parametrize("most", [1, 2, 9])
@pytest.mark.parametrize("named", [(), ("mail",), ("mail", "docs")])
@pytest.mark.parametrize("queue", ["web", "{spread}web", "a;b"])
def test_the_line_that_lets_in_what_waits_without_end_is_one_that_is_taken(
    queue: str, named: tuple[str, ...], most: int
) -> None:
    terms, shards = TenantTerms(max_running=most, shards_of=named), 8
    here = next(
        (
            number
            for number in range(shards)
            if cap_here(terms, "acme", Shard(number, shards)).max_running == 0
            and (is_spread(queue) or shard_of_name(queue, shards) == number)
        ),
        None,
    )
    if here is None:
        return  # it has a part there
    lane = SimpleNamespace(
        tenant=SimpleNamespace(name="acme", max_running=0), queue=SimpleNamespace(name=queue)
    )
    words = shlex.split(cap_remedy(terms, cast(Any, lane), shards))
    assert words[:4] == ["tq", "tenants", "set", "acme"]
    changes: dict[str, Any] = {}
    for option, value in zip(words[4::2], words[5::2], strict=True):
        if option == "--max-running":
            changes["max_running"] = int(value)
        else:
            assert option == "--shards-of"
            changes["shards_of"] = [*changes.get("shards_of", ()), value] if value != "all" else []
    changed = terms.with_changes(changes)
    check_cap_parts(changed, "acme", shards)
    assert cap_here(changed, "acme", Shard(here, shards)).max_running


def test_a_cap_goes_to_other_shards_in_two_rounds(make_bench: Callable[..., Bench]) -> None:
    there = [next(name for name in map(str, range(99)) if shard_of_name(name, 2) == one) for one in (0, 1)]
    admins = [make_bench(shard=Shard(one, 2)).client(role=Role.ADMIN) for one in (0, 1)]

    def parts() -> list[int | None]:
        return [one.bench.engine.part(SetTenants).here("a").max_running for one in admins]

    for admin in admins:
        admin.call(TENANTS, "set", "a", {"max_running": 4, "shards_of": [there[0]]})
    assert parts() == [4, 0]
    for admin in admins:
        admin.call(TENANTS, "set", "a", {"shards_of": [there[1]]}, True)
    assert parts() == [0, 0]
    for admin in admins:
        admin.call(TENANTS, "set", "a", {"shards_of": [there[1]]}, False)
    assert parts() == [0, 4]


def test_a_cap_of_an_earlier_version_that_leaves_a_shard_without_any_is_explained(
    make_bench: Callable[..., Bench],
) -> None:
    said = []
    for number in range(3):
        bench = make_bench(shard=Shard(number, 3))
        within(bench, partial(bench.engine.store.put_tenant, TenantRow("a", 1, 2, 0)))
        bench = make_bench(bench.engine.store, shard=Shard(number, 3))
        submit(bench, B)
        ids = submit(bench, A, 3)
        leased(bench.worker("m:f", slots=9), 9)
        said.append(bench.client().call("get_tasks", "why", ids[2])["why"])
    [none] = [one for one in said if "without end" in one]
    assert (
        "2 are divided over 3 shards, which leaves none for this one; `tq tenants set a --max-running 3`"
        in none
    )


def test_what_is_set_is_there_after_a_restart(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(shard=Shard(1, 2))
    changes = {"max_running": 2, "shards_of": ["x", "y"]}
    before = bench.client(role=Role.ADMIN).call(TENANTS, "set", "a", changes)
    again = make_bench(bench.engine.store, shard=Shard(1, 2))
    assert again.client(role=Role.VIEWER).call(TENANTS, "list") == [before]
