"""How each method of the contract finds its shard."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import tq
from tq.client.core.merges import MERGES
from tq.common.contract.routes import (
    OF_SPREAD,
    ROUTES,
    By,
    ShardRoute,
    ids_by_shard,
    route_of,
    route_of_call,
    runs_by_shard,
    shard_of_call,
    shard_of_schedule,
)
from tq.common.contract.table import BESIDE, BUILT_IN
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.domain.shards import id_in, shard_of_name

SHARDS = 16
NAME = "{shop}fetch"
HOME = shard_of_name(NAME, SHARDS)
METHODS = [
    (contract.name, method)
    for contract in (*BUILT_IN.values(), *BESIDE.values())
    for method in contract.methods
]


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_every_method_of_the_contract_says_how_it_finds_its_shard(name: str, method: str) -> None:
    assert name in ROUTES, f"{name} has no route: say in common/contract/routes.py where its calls go"
    found = ROUTES[name]
    assert isinstance(found, ShardRoute) or method in found, f"{name}.{method} has no route"
    route = route_of(name, method)
    assert (route.by is By.EVERY) == bool(route.merge)
    assert route.by is not By.EVERY or route.merge in MERGES


def test_no_route_is_of_a_method_that_does_not_exist() -> None:
    for name, found in ROUTES.items():
        contract = BUILT_IN.get(name) or BESIDE[name]
        assert isinstance(found, ShardRoute) or found.keys() == contract.methods.keys()


def test_what_changes_something_in_every_shard_is_marked_and_what_only_reads_is_not() -> None:
    for contract in BUILT_IN.values():
        for method, agreed in contract.methods.items():
            route = route_of(contract.name, method)
            if route.by is By.EVERY:
                reads = agreed.role == "viewer" or method == "list"
                assert route.changes is not reads, f"{contract.name}.{method}"


@pytest.mark.parametrize(
    ("target", "method", "args"),
    [
        (("get_task_queue", NAME), "submit", ("m:f", {}, [])),
        (("get_queue", NAME, "fifo"), "put", (b"x",)),
        (("get_result_queue", NAME), "get", ()),
        (("get_lock", NAME), "acquire", (b"t",)),
        (("get_event", NAME), "set", (b"t",)),
        (("get_barrier", NAME, 3), "wait", (b"t",)),
        (("get_datum", "dict", NAME), "call", ()),
        (("get_locks",), "take_away", (NAME, 3)),
        (("get_data",), "delete", (NAME,)),
        (("get_queues",), "set", (NAME, 5)),
        (("get_workers",), "serving", (NAME, "m:f")),
        (("get_outbox",), "hand_over", (b"r" * 16, [1, NAME, "m:f"])),
        (("get_tasks",), "show", (id_in(new_ids(), HOME),)),
        (("get_flows",), "wait", (id_in(new_ids(), HOME),)),
        (("get_steps",), "signal", (id_in(new_ids(), HOME), "go")),
        (("get_dependencies",), "results", (id_in(new_ids(), HOME),)),
    ],
)
def test_a_call_goes_to_the_shard_of_what_it_names(
    target: tuple[Any, ...], method: str, args: tuple[Any, ...]
) -> None:
    assert shard_of_call(route_of(target[0], method), target, args, SHARDS) == HOME != 0


@pytest.mark.parametrize(
    ("target", "name"), [(("get_task_queue",), "default"), (("get_result_queue", "default"), "results")]
)
def test_a_queue_without_a_name_has_the_one_that_the_master_gives_it(
    target: tuple[Any, ...], name: str
) -> None:
    assert shard_of_call(route_of(target[0], "put"), target, (), SHARDS) == shard_of_name(name, SHARDS)


@pytest.mark.parametrize(
    ("target", "method", "args"),
    [
        (("get_tasks",), "show", ()),
        (("get_tasks",), "show", ("no id",)),
        (("get_lock",), "state", ()),
        (("get_queues",), "set", (7,)),
        (("get_outbox",), "hand_over", (b"r" * 16, "no row")),
        (("get_counter", "visits"), "add", (1,)),
    ],
)
def test_what_names_nothing_goes_to_the_first_shard_which_says_what_is_wrong(
    target: tuple[Any, ...], method: str, args: tuple[Any, ...]
) -> None:
    assert shard_of_call(route_of(target[0], method), target, args, SHARDS) == 0


def test_ids_and_runs_go_each_to_its_shard_in_their_order() -> None:
    one, two, three = (id_in(new_ids(), shard) for shard in (3, 5, 3))
    assert ids_by_shard([one, two, [three, 4]], SHARDS) == {3: [one, [three, 4]], 5: [two]}
    runs = [IdRun(one, 2), IdRun(two, 1)]
    assert runs_by_shard(runs, SHARDS) == {3: runs[:1], 5: runs[1:]}


def test_an_id_of_a_shard_that_the_cluster_does_not_have_is_of_another_cluster() -> None:
    with pytest.raises(
        tq.UnknownTask, match="is of shard 40, and this cluster has 16: it is a task of another cluster"
    ):
        ids_by_shard([id_in(new_ids(), 40)], SHARDS)


@pytest.mark.parametrize("ids", ["abc", 7, [b"short"], [[b"x" * 16, 0]], [None]])
def test_what_is_no_list_of_ids_is_refused(ids: Any) -> None:
    with pytest.raises(tq.InvalidArgument, match=r"ids are a list|neither a task id nor a run"):
        ids_by_shard(ids, SHARDS)


SPREAD = "{spread}fetch"


def test_tasks_of_a_queue_that_is_spread_go_to_the_shard_of_their_ids() -> None:
    id = id_in(new_ids(), 7)
    for rows in ([[id, b""]], [[id, [b"", b""]], [id_in(new_ids(), 7), b""]]):
        args = ("m:f", {}, rows)
        route = route_of_call(("get_task_queue", SPREAD), "submit", args)
        assert shard_of_call(route, ("get_task_queue", SPREAD), args, SHARDS) == 7
    row = (b"t", [1, SPREAD, "m:f", {}, [[id, b""]]])
    assert shard_of_call(route_of("get_outbox", "hand_over"), ("get_outbox",), row, SHARDS) == 7
    for rows in (None, [], [7], [[b"short"]]):  # the first one says what is wrong
        assert shard_of_call(ShardRoute(By.TASKS, 0), ("get_task_queue", SPREAD), (rows,), SHARDS) == 0


def test_what_is_done_to_a_queue_that_is_spread_is_done_in_every_shard() -> None:
    for target, method, args in (
        (("get_task_queue", SPREAD), "pause", ()),
        (("get_task_queue", SPREAD), "resume", ()),
        (("get_queues",), "set", (SPREAD, 9)),
    ):
        route = route_of_call(target, method, args)
        assert route.by is By.EVERY
        assert route.changes
        assert route.merge in MERGES


def test_another_queue_and_the_items_of_this_name_are_in_one_shard() -> None:
    for target, method, args in (
        (("get_task_queue", NAME), "submit", ("m:f", {}, [])),
        (("get_task_queue",), "pause", ()),
        (("get_queues",), "set", ()),
        (("get_task_queue", SPREAD), "put", ()),
        (("get_queue", SPREAD), "get", ()),
    ):
        assert route_of_call(target, method, args) == route_of(target[0], method)
    assert all(method in BUILT_IN[name].methods for name, method in OF_SPREAD)


def of_schedule(name: str, queue: str, **columns: Any) -> int:
    return shard_of_schedule(name, {"task": "m:f", "queue": queue, "columns": columns}, SHARDS)


def test_a_schedule_is_in_the_shard_of_its_queue_and_of_one_that_is_spread_in_that_of_its_own_name() -> None:
    names = [f"of customer {number}" for number in range(200)]
    assert {of_schedule(name, "mail") for name in names} == {shard_of_name("mail", SHARDS)}
    in_each = Counter(of_schedule(name, "{spread}mail") for name in names)
    assert len(in_each) == SHARDS
    assert max(in_each.values()) < 3 * len(names) / SHARDS
    assert of_schedule("nightly", "{spread}mail") == shard_of_name("nightly", SHARDS)


def test_a_schedule_of_a_queue_that_is_spread_is_where_the_key_of_its_limit_or_its_handler_is() -> None:
    limits = [[{"name": "{spread}host", "max_running": 1}, "a.example"]]
    assert of_schedule("nightly", "{spread}mail", limits=limits) == shard_of_name("a.example", SHARDS)
    handled = {"on_failure": ["alarm", "m:g", {}, {}]}
    assert of_schedule("nightly", "{spread}mail", **handled) == shard_of_name("alarm", SHARDS)
    in_every_shard = {"on_failure": ["{spread}alarm", "m:g", {}, {}]}
    assert of_schedule("nightly", "{spread}mail", **in_every_shard) == shard_of_name("nightly", SHARDS)


@pytest.mark.parametrize(
    "definition", [None, 7, {"queue": 7}, {"queue": "{spread}q", "columns": {"limits": 7}}]
)
def test_what_is_no_definition_of_a_schedule_goes_where_its_name_says(definition: Any) -> None:
    assert shard_of_schedule("nightly", definition, SHARDS) in range(SHARDS)
