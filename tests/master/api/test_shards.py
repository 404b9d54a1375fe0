"""What one shard of several refuses: every name and id that is another one's, wherever it stands in a call."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Any

import pytest
from tq.common.contract.exposed import exposed_methods
from tq.common.domain.ids import IdSource, key_id, show_id
from tq.common.domain.model import Role
from tq.common.domain.shards import Shard, id_in, shard_of_id, shard_of_name
from tq.common.errors import InvalidArgument, TqError, WrongShard
from tq.common.wire.protocol import Request
from tq.master.api.registry import Registry
from tq.master.api.shards import FOUND, NAMING, ShardRegistry
from tq.master.keys.keyring import Keyring
from tq.master.parts import EXPOSED

from ..conftest import Bench, Peer
from ..leased import each

SHARDS = 4
HERE = Shard(1, SHARDS)
TOKEN = b"t" * 16


def a_name_in(shard: int, text: str = "queue") -> str:
    return next(name for n in range(1_000) if shard_of_name(name := f"{text}-{n}", SHARDS) == shard)


OURS, OTHERS = a_name_in(1), a_name_in(2)


def an_id_in(shard: int) -> bytes:
    return IdSource(shard=shard).take_one()


OUR_ID, OTHER_ID, NO_ONES = an_id_in(1), an_id_in(2), an_id_in(9)


@pytest.fixture
def here(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench(shard=HERE)


def made(peer: Peer, target: tuple[Any, ...], method: str, *args: Any, **kwargs: Any) -> None:
    """What the registry makes of a request; it is not performed."""
    peer.bench.registry.invocation(peer.session, Request(1, target, method, list(args), kwargs, None, 100))


# one call for each argument that names something, with it as ``x``
BY_NAME: dict[str, tuple[str, list[Any]]] = {
    "get_task_queue": ("pause", []),
    "get_result_queue": ("make", []),
    "get_queue": ("make", []),
    "get_lock": ("acquire", [TOKEN]),
    "get_event": ("set", [TOKEN]),
    "get_barrier": ("abort", []),
    "get_datum": ("make", [b""]),
}
BY_ID: dict[tuple[str, str], list[Any]] = {
    ("get_tasks", "show"): ["x"],
    ("get_tasks", "why"): ["x"],
    ("get_tasks", "log"): ["x"],
    ("get_tasks", "states"): [["x"]],
    ("get_tasks", "last_runs"): [["x"]],
    ("get_tasks", "progress"): [[["x", 3]]],
    ("get_tasks", "cancel"): [["x"]],
    ("get_tasks", "retry"): [[["x", 2]]],
    ("get_result_queue", "watch"): [["x"]],
    ("get_result_queue", "unwatch"): [[["x", 2]]],
    ("get_dependencies", "results"): ["x", 1, TOKEN, OUR_ID],
    ("get_dependencies", "of"): ["x"],
    ("get_dependencies", "rows"): [[["x", 2]]],
    ("get_dependencies", "missing"): [[["x", 2]]],
    ("get_dispatcher", "announce"): [{}, [["x", 1, TOKEN]]],
    ("get_dispatcher", "lend"): [OUR_ID, ["x"], 1],
    ("get_dispatcher", "finish"): [[["x", 1, TOKEN, 0, None, 1.0, 1.0, None]]],
    ("get_dispatcher", "release"): [[[["x", 2], 1, TOKEN]]],
    ("get_dispatcher", "starting"): [["x"]],
    ("get_dispatcher", "beat"): [[["x", 1, TOKEN, 1.0]]],
    ("get_dispatcher", "observe"): [[["x", 1, TOKEN, 0, b"", None]]],
    ("get_steps", "recorded"): ["x", 1, TOKEN],
    ("get_steps", "record"): ["x", 1, TOKEN, 1, "n", b"", 1.0],
    ("get_steps", "sleep"): ["x", 1, TOKEN, 1, 1.0],
    ("get_steps", "wait"): ["x", 1, TOKEN, 1, "n"],
    ("get_steps", "signal"): ["x", "n", b"", TOKEN],
    ("get_flows", "open"): ["x"],
    ("get_flows", "seal"): ["x"],
    ("get_flows", "cancel"): ["x"],
    ("get_flows", "retry"): ["x", 1],
    ("get_flows", "wait"): ["x"],
    ("get_flows", "show"): ["x"],
    ("get_flows", "members"): ["x"],
    ("get_flows", "graph"): ["x"],
    ("get_flows", "call_back"): ["x", TOKEN, "then", OURS, "m:f", {}],
    ("get_flows", "of_task"): ["x"],
    ("get_task_queue", "submit"): ["m:f", {}, [["x", b""]]],
}
BY_NAME_WITHIN: dict[tuple[str, str], list[Any]] = {
    ("get_queues", "delete"): ["x"],
    ("get_queues", "set"): ["x"],
    ("get_locks", "take_away"): ["x"],
    ("get_locks", "delete"): ["x"],
    ("get_data", "show"): ["x"],
    ("get_data", "delete"): ["x"],
    ("get_workers", "serving"): ["x", "m:f"],
    ("get_schedules", "declare"): [[["nightly", {"queue": "x"}]]],
    ("get_schedules", "add"): ["nightly", {"queue": "x"}],
    ("get_schedules", "edit"): ["nightly", {"queue": "x"}],
    ("get_outbox", "hand_over"): [TOKEN, [1, "x", "m:f", {}, []]],
    ("get_dispatcher", "announce"): [{"apply": [["x", "m:f", None]]}, []],
    ("get_flows", "call_back"): [OUR_ID, TOKEN, "then", "x", "m:f", {}],
    ("get_task_queue", "submit"): [
        "m:f",
        {},
        [],
        None,
        None,
        None,
        None,
        None,
        {"on_failure": ["x", "m:g", {}, {}]},
    ],
}
WITH_OTHERS: list[tuple[tuple[str, str], list[Any]]] = [
    (("get_task_queue", "submit"), ["m:f", {}, [], None, None, None, "x"]),
    (("get_task_queue", "submit"), ["m:f", {}, [], None, None, None, None, ["x", TOKEN]]),
]
ANYWHERE: list[tuple[tuple[str, str], list[Any]]] = [
    (("get_task_queue", "submit"), ["m:f", {}, [[OUR_ID, b"", [0, ["x"]]]]]),
    (("get_task_queue", "submit"), ["m:f", {}, [[OUR_ID, [b""], [1, [["x", 1]]]]]]),
    (("get_outbox", "hand_over"), [TOKEN, [1, OURS, "m:f", {}, [[OUR_ID, b"", [0, ["x"]]]], None, None]]),
    (("get_dependencies", "results"), [OUR_ID, 1, TOKEN, "x"]),
    (("get_dependencies", "needed_by"), ["x"]),
]
WITH_OTHERS_BY_NAME: list[tuple[tuple[str, str], list[Any]]] = [
    (("get_dispatcher", "announce"), [{"apply": [[OURS, "m:f", "x"]]}, []]),
    (("get_schedules", "add"), ["n", {"queue": OURS, "columns": {"on_failure": ["x", "m:g", {}, {}]}}]),
    (
        ("get_outbox", "hand_over"),
        [TOKEN, [1, OURS, "m:f", {}, [], None, {"on_failure": ["x", "m:g", {}, {}]}]],
    ),
]


def with_x(value: Any, x: Any) -> Any:
    """The arguments of a case, with this one in the place of ``x``."""
    if value == "x":
        return x
    if isinstance(value, list):
        return [with_x(one, x) for one in value]
    if isinstance(value, dict):
        return {name: with_x(one, x) for name, one in value.items()}
    return value


def target_of(name: str) -> tuple[Any, ...]:
    return (name, OURS) if name == "get_task_queue" else (name,)


@pytest.mark.parametrize("name", BY_NAME)
def test_what_is_found_by_its_name_is_refused_in_another_shard(here: Bench, name: str) -> None:
    admin, (method, args) = here.client(role=Role.ADMIN), BY_NAME[name]
    before, behind = (["dict"] if name == "get_datum" else []), ([2] if name == "get_barrier" else [])
    made(admin, (name, *before, OURS, *behind), method, *args)
    with pytest.raises(WrongShard, match=f"'{OTHERS}' is in shard 2 of this cluster, and shard 1 was asked"):
        made(admin, (name, *before, OTHERS, *behind), method, *args)


@pytest.mark.parametrize(("name", "method"), BY_ID)
def test_an_id_of_another_shard_is_refused_wherever_it_stands(here: Bench, name: str, method: str) -> None:
    admin, args = here.client(role=Role.ADMIN), BY_ID[name, method]
    made(admin, target_of(name), method, *with_x(args, OUR_ID))
    with pytest.raises(WrongShard, match="is in shard 2 of this cluster, and shard 1 was asked") as refused:
        made(admin, target_of(name), method, *with_x(args, OTHER_ID))
    assert (refused.value.shard, refused.value.here) == (2, 1)
    assert show_id(OTHER_ID) in str(refused.value)


@pytest.mark.parametrize(("name", "method"), BY_NAME_WITHIN)
def test_a_name_of_another_shard_is_refused_wherever_it_stands(here: Bench, name: str, method: str) -> None:
    admin, args = here.client(role=Role.ADMIN), BY_NAME_WITHIN[name, method]
    made(admin, target_of(name), method, *with_x(args, OURS))
    with pytest.raises(WrongShard, match=f"'{OTHERS}' is in shard 2"):
        made(admin, target_of(name), method, *with_x(args, OTHERS))


@pytest.mark.parametrize(("call", "args"), WITH_OTHERS)
def test_what_belongs_together_is_refused_across_shards_with_the_name_that_helps(
    here: Bench, call: tuple[str, str], args: list[Any]
) -> None:
    name, method = call
    admin = here.client(role=Role.ADMIN)
    made(admin, target_of(name), method, *with_x(args, OUR_ID))
    with pytest.raises(WrongShard, match=r"one tag in braces, as \{shop\}fetch and \{shop\}mail"):
        made(admin, target_of(name), method, *with_x(args, OTHER_ID))


@pytest.mark.parametrize(("call", "args"), ANYWHERE)
def test_what_is_needed_may_be_in_any_shard_of_the_cluster_and_in_no_other(
    here: Bench, call: tuple[str, str], args: list[Any]
) -> None:
    name, method = call
    admin = here.client(role=Role.ADMIN)
    for id in (OUR_ID, OTHER_ID):
        made(admin, target_of(name), method, *with_x(args, id))
    with pytest.raises(InvalidArgument, match="is of shard 9, and this cluster has 4"):
        made(admin, target_of(name), method, *with_x(args, id_in(OUR_ID, 9)))


@pytest.mark.parametrize(("call", "args"), WITH_OTHERS_BY_NAME)
def test_queues_that_belong_together_are_refused_across_shards(
    here: Bench, call: tuple[str, str], args: list[Any]
) -> None:
    name, method = call
    admin = here.client(role=Role.ADMIN)
    made(admin, target_of(name), method, *with_x(args, OURS))
    with pytest.raises(WrongShard, match=r"one tag in braces"):
        made(admin, target_of(name), method, *with_x(args, OTHERS))


def test_every_place_of_the_boundary_is_tried_here() -> None:
    tried = {*BY_ID, *BY_NAME_WITHIN, *(call for call, _ in ANYWHERE)}
    assert {(name, method) for name, methods in NAMING.items() for method in methods} == tried
    assert set(FOUND) == set(BY_NAME)


# Arguments with these names say which task, flow or queue is meant: each is looked at, or stands here with the reason.
SAY_WHICH = {
    "id",
    "ids",
    "flow",
    "queue",
    "waiter",
    "runs",
    "started",
    "held",
    "definition",
    "declared",
    "tasks",
}
NOT_OF_ONE_SHARD: dict[tuple[str, str, str], str] = {
    ("get_dispatcher", "lend", "waiter"): "it may run in another shard than what it waits for",
    ("get_lock", "notify", "held"): "a token of a lock that is found by its name",
    ("get_lock", "wait", "held"): "a token of a lock that is found by its name",
}


def test_no_argument_that_names_a_task_a_flow_or_a_queue_is_forgotten() -> None:
    for name, kind in EXPOSED.items():
        for method in exposed_methods(kind):
            parameters = set(list(inspect.signature(getattr(kind, method)).parameters)[2:])
            for parameter in parameters & SAY_WHICH:
                looked_at = parameter in NAMING.get(name, {}).get(method, {})
                assert looked_at or (name, method, parameter) in NOT_OF_ONE_SHARD, (name, method, parameter)


def test_streams_are_of_the_session_and_in_every_shard(make_bench: Callable[..., Bench]) -> None:
    for shard in range(SHARDS):
        client = make_bench(shard=Shard(shard, SHARDS)).client()
        for stream in ("default", "child-7", OTHERS):
            client.call(("get_result_queue", stream), "watch", [an_id_in(shard)])


def test_an_id_of_a_shard_that_no_cluster_of_this_size_has_says_so(here: Bench) -> None:
    with pytest.raises(InvalidArgument, match="is of shard 9, and this cluster has 4, numbered from 0"):
        made(here.client(), ("get_tasks",), "show", NO_ONES)


AWKWARD: list[Any] = [None, 7, "text", [], [[]], {}, b"", b"\x00" * 15, [None], [[7, 3]]]


def test_an_argument_of_another_form_is_left_to_its_method(here: Bench) -> None:
    admin = here.client(role=Role.ADMIN)
    for (name, method), args in (BY_ID | BY_NAME_WITHIN).items():
        for given in AWKWARD:
            try:
                made(admin, target_of(name), method, *with_x(args, given))
            except TqError as error:
                assert not isinstance(error, WrongShard) or given == "text"  # noqa: PT017 - any other is the method's


def test_a_named_argument_is_looked_at_as_a_placed_one(here: Bench) -> None:
    with pytest.raises(WrongShard):
        made(here.client(), ("get_tasks",), "show", id=OTHER_ID)


def test_of_a_large_call_that_is_not_decoded_yet_the_name_is_judged(here: Bench) -> None:
    head = Request(1, ("get_task_queue", OTHERS), "submit", [None] * 3, {}, None, 100_000)
    with pytest.raises(WrongShard):
        here.registry.validate(here.client().session, head)
    here.registry.validate(here.client().session, head._replace(target=("get_task_queue", OURS)))


def test_a_master_of_one_shard_has_no_boundary_and_takes_any_id(bench: Bench) -> None:
    assert type(bench.registry) is Registry
    bench.client().call(("get_task_queue", "q"), "submit", "m:f", {}, [[OTHER_ID, b"\x92\x90\x80"]])


def test_a_shard_takes_and_gives_out_its_own(here: Bench) -> None:
    assert type(here.registry) is ShardRegistry
    client = here.client()
    keyed = key_id(OURS, "m:f", "order-1", 1)
    payload = b"\x92\x90\x80"
    assert client.call(("get_task_queue", OURS), "submit", "m:f", {}, [[OUR_ID, payload]]) == 1
    accepted = client.call(
        ("get_task_queue", OURS),
        "submit",
        "m:f",
        {},
        [[keyed, payload]],
        proofs=[[bytes(keyed), keyed.proof]],
    )
    assert accepted == 1
    wrong = bytes(key_id(OURS, "m:f", "order-1", 2))
    with pytest.raises(WrongShard):
        client.call(
            ("get_task_queue", OURS),
            "submit",
            "m:f",
            {},
            [[wrong, payload]],
            proofs=[[wrong, keyed.proof]],
        )
    worker = here.worker("m:f")
    leased = [each(worker.call("get_dispatcher", "lease", 1)[1]) for _ in range(2)]
    assert {id for [[id, *_]] in leased} == {OUR_ID, bytes(keyed)}


def test_what_a_shard_makes_itself_has_its_number(here: Bench) -> None:
    client = here.client(role=Role.ADMIN)
    here.engine.part(Keyring).add_unstored(client.session.verifier)
    flow = client.call("get_flows", "open", an_id_in(1), key=b"nightly")
    assert shard_of_id(bytes.fromhex(flow["id"].replace("-", ""))) == 1
    definition = {"task": "m:f", "queue": OURS, "every": 3600.0}
    client.call("get_schedules", "add", "nightly", definition)
    made_now = client.call("get_schedules", "run_now", "nightly", os.urandom(16))
    assert shard_of_id(made_now) == 1


SPREAD = "{spread}fetch"
OF_SPREAD: list[tuple[tuple[Any, ...], str, list[Any]]] = [
    (("get_task_queue", SPREAD), "submit", ["m:f", {}, [["x", b""]]]),
    (("get_task_queue", SPREAD), "pause", []),
    (("get_task_queue", SPREAD), "resume", []),
    (("get_queues",), "set", [SPREAD, 9]),
    (("get_workers",), "serving", [SPREAD, "m:f"]),
    (("get_outbox",), "hand_over", [TOKEN, [1, SPREAD, "m:f", {}, [["x", b""]]]]),
    (("get_schedules",), "add", ["nightly", {"queue": SPREAD}]),
    (("get_flows",), "call_back", ["x", TOKEN, "then", SPREAD, "m:f", {}]),
]


def test_the_tasks_of_a_queue_that_is_spread_are_taken_by_every_shard(
    make_bench: Callable[..., Bench],
) -> None:
    for shard in range(SHARDS):
        admin, id = make_bench(shard=Shard(shard, SHARDS)).client(role=Role.ADMIN), an_id_in(shard)
        for target, method, args in OF_SPREAD:
            made(admin, target, method, *with_x(args, id))


def test_of_a_queue_that_is_spread_ids_and_items_still_have_one_shard(here: Bench) -> None:
    admin = here.client(role=Role.ADMIN)
    with pytest.raises(WrongShard):
        made(admin, ("get_task_queue", SPREAD), "submit", "m:f", {}, [[OTHER_ID, b""]])
    elsewhere = next(
        name for n in range(99) if shard_of_name(name := f"{{spread}}{n}", SHARDS) != HERE.number
    )
    for target, method, args in (
        (("get_queue", elsewhere), "make", []),
        (("get_task_queue", elsewhere), "put", [TOKEN, 1, b""]),
        (("get_queues",), "delete", [elsewhere]),
        (("get_lock", elsewhere), "acquire", [TOKEN]),
    ):
        with pytest.raises(WrongShard):
            made(admin, target, method, *args)
