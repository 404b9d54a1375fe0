"""What one shard of several makes of limits: its part of those without a tag, all of its own, nothing of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain.columns import FailureHandler, LaneColumns
from tq.common.domain.ids import IdSource
from tq.common.domain.limits import Limit
from tq.common.domain.model import Role, TaskOptions
from tq.common.domain.shards import Shard, shard_of_name
from tq.common.domain.text_columns import TextColumn
from tq.common.errors import InvalidArgument, TqError, WrongShard
from tq.master.limits.limits import NamedLimits
from tq.master.tasks.explain_limits import why_held

from .. import in_lanes
from ..conftest import Bench, Peer
from ..in_limits import declare, leased, under

SHARDS = 4
HERE = Shard(1, SHARDS)
LIMITS = "get_limits"
PAYLOAD = b"\x92\x90\x80"
OURS, OTHERS = (next(t for t in map(str, range(99)) if shard_of_name(t, SHARDS) == n) for n in (1, 2))
TEN = Limit("smtp", max_running=10)


@pytest.fixture
def here(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench(shard=HERE)


def columns(limit: Limit, *keys: str) -> LaneColumns:
    return LaneColumns(((limit, TextColumn.of(keys or ("",))),))


def submit(peer: Peer, limit: Limit, tasks: int = 1, key: str = "") -> list[bytes]:
    ids = [IdSource(shard=HERE.number).take_one() for _ in range(tasks)]
    said = columns(limit, key).to_wire()
    rows = [[id, PAYLOAD] for id in ids]
    peer.call(("get_task_queue", OURS), "submit", "m:f", {}, rows, None, None, None, None, None, said)
    return ids


def test_a_shard_lets_its_part_of_a_limit_run_and_says_of_how_much(here: Bench) -> None:
    client = here.client(role=Role.ADMIN)
    ids = submit(client, TEN, 9)
    part = here.engine.part(NamedLimits).in_force("smtp")
    assert part is not None
    assert part.max_running in (2, 3)
    assert len(leased(here.worker("m:f", slots=9), 9)) == part.max_running
    [row] = client.call(LIMITS, "list")
    assert (row["max_running"], row["over"], row["running"]) == (10, SHARDS, part.max_running)
    shown = client.call("get_tasks", "show", ids[-1])
    most = part.max_running
    assert f"{most} of at most {most} (the part here of 10, divided over 4 shards) run" in str(shown["why"])
    [reason] = [one for one in shown["reasons"] if one["kind"] == "limit"]
    assert (reason["max_running"], reason["over"]) == (most, SHARDS)


def test_a_limit_with_the_tag_of_its_queue_is_whole(here: Bench) -> None:
    client = here.client(role=Role.ADMIN)
    submit(client, Limit(f"{{{OURS}}}host", max_running=2), 3, "a.example")
    assert len(leased(here.worker("m:f", slots=9), 9)) == 2
    [row] = client.call(LIMITS, "list")
    assert "over" not in row


def test_the_part_is_the_same_after_a_restart(here: Bench, make_bench: Callable[..., Bench]) -> None:
    declare(here, TEN)
    before = here.engine.part(NamedLimits).in_force("smtp")
    after = make_bench(here.engine.store, shard=HERE)
    assert after.engine.part(NamedLimits).in_force("smtp") == before


FEW, ELSEWHERE = Limit("smtp", max_running=3), Limit(f"{{{OTHERS}}}smtp", max_running=3)
HOST = Limit("host", max_running=100, by="{host}")


def handled(limit: Limit, *keys: str) -> dict[str, Any]:
    handler = FailureHandler(OURS, "m:g", TaskOptions(), columns(limit, *keys))
    return LaneColumns(on_failure=handler).to_wire()


def said(limit: Limit, *keys: str) -> dict[str, Any]:
    return columns(limit, *keys).to_wire()


WAYS: dict[str, Callable[[Peer, dict[str, Any]], object]] = {
    "a submit": lambda peer, columns: peer.call(
        ("get_task_queue", OURS),
        "submit",
        "m:f",
        {},
        [[IdSource(shard=HERE.number).take_one(), PAYLOAD]],
        columns=columns,
    ),
    "a schedule": lambda peer, columns: peer.call(
        "get_schedules",
        "add",
        "nightly",
        {"task": "m:f", "queue": OURS, "every": 60.0, "columns": columns},
    ),
    "a callback": lambda peer, columns: peer.call(
        "get_flows",
        "call_back",
        IdSource(shard=HERE.number).take_one(),
        b"t" * 16,
        "then",
        OURS,
        "m:f",
        {},
        columns,
    ),
    "an outbox's row": lambda peer, columns: peer.call(
        "get_outbox",
        "hand_over",
        b"t" * 16,
        [1, OURS, "m:f", {}, [[IdSource(shard=HERE.number).take_one(), PAYLOAD]], None, columns],
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("of", [said, handled], ids=["of a task", "of a handler"])
@pytest.mark.parametrize(
    ("limit", "keys", "error"),
    [
        (FEW, ("",), InvalidArgument),
        (HOST, ("a.example",), InvalidArgument),
        (ELSEWHERE, ("",), WrongShard),
    ],
    ids=["too few", "with keys", "of another shard"],
)
def test_what_would_not_hold_in_all_shards_is_refused_wherever_it_is_said(
    here: Bench, way: str, of: Callable[..., Any], limit: Limit, keys: tuple[str, ...], error: type[TqError]
) -> None:
    admin = here.client(role=Role.ADMIN)
    with pytest.raises(error, match=r"write tq\.Limit\('\{"):
        WAYS[way](admin, of(limit, *keys))
    assert here.engine.part(NamedLimits).listing("", 9) == []


def test_a_column_of_keys_is_refused_as_one_key_is(here: Bench) -> None:
    said = columns(HOST, "a", "b").to_wire()
    rows = [[IdSource(shard=HERE.number).take_one(), [PAYLOAD, PAYLOAD]]]
    with pytest.raises(InvalidArgument, match="has by="):
        here.client().call(("get_task_queue", OURS), "submit", "m:f", {}, rows, columns=said)


def test_an_operator_cannot_leave_a_shard_without_any(here: Bench) -> None:
    admin = here.client(role=Role.ADMIN)
    submit(admin, TEN)
    with pytest.raises(
        InvalidArgument, match="max_running=3 leaves some of them without any: it takes at least 4"
    ):
        admin.call(LIMITS, "set", "smtp", {"max_running": 3})
    assert admin.call(LIMITS, "set", "smtp", {"max_running": 4})["max_running"] == 4
    assert here.engine.part(NamedLimits).in_force("smtp").max_running == 1  # type: ignore[union-attr]


def test_what_is_set_holds_where_no_task_has_had_the_limit_yet(here: Bench) -> None:
    admin = here.client(role=Role.ADMIN)
    elsewhere = ["0123456789ab", {"name": "smtp", "max_running": 10, "rate": None, "burst": None}]
    with pytest.raises(InvalidArgument, match="there is no limit"):
        admin.call(LIMITS, "set", "smtp", {"max_running": 4})
    assert admin.call(LIMITS, "set", "smtp", {"max_running": 4}, elsewhere)["key"] == "0123456789ab"
    submit(admin, TEN, 5)
    assert len(leased(here.worker("m:f", slots=9), 9)) == 1
    assert admin.call(LIMITS, "reset", "smtp")["max_running"] == 10


def test_what_is_set_is_forgotten_in_no_shard_since_another_may_keep_it(here: Bench) -> None:
    admin = here.client(role=Role.ADMIN)
    admin.call(
        LIMITS, "set", "smtp", {"max_running": 4}, ["0123456789ab", {"name": "smtp", "max_running": 10}]
    )
    with pytest.raises(InvalidArgument, match="tq limits set smtp --reset"):
        admin.call(LIMITS, "remove", "smtp")
    assert here.engine.part(NamedLimits).in_force("smtp").max_running == 1  # type: ignore[union-attr]
    admin.call(LIMITS, "reset", "smtp")
    admin.call(LIMITS, "remove", "smtp")
    assert admin.call(LIMITS, "list") == []


@pytest.mark.parametrize(
    "elsewhere",
    [[], "x", ["key"], ["key", {}], ["key", {"name": "other", "max_running": 9}], [7, {"name": "smtp"}]],
)
def test_what_another_shard_has_is_a_key_and_a_limit(here: Bench, elsewhere: Any) -> None:
    with pytest.raises(InvalidArgument, match="elsewhere is"):
        here.client(role=Role.ADMIN).call(LIMITS, "set", "smtp", {"max_running": 4}, elsewhere)


def test_of_one_shard_nothing_is_elsewhere(bench: Bench) -> None:
    admin = bench.client(role=Role.ADMIN)
    with pytest.raises(InvalidArgument, match="elsewhere is"):
        admin.call(LIMITS, "set", "smtp", {"max_running": 4}, ["key", {"name": "smtp", "max_running": 9}])


def test_why_says_that_a_part_is_too_small_for_a_task_and_what_is_enough(here: Bench) -> None:
    client = here.client(role=Role.ADMIN)
    [id] = submit(client, Limit("smtp", max_running=8, units=2))
    client.call(LIMITS, "set", "smtp", {"max_running": 4})
    worker = here.worker("m:f", slots=9)
    assert leased(worker, 9) == []
    why = str(client.call("get_tasks", "why", id)["why"])
    assert (
        "the task counts for 2, and the limit is divided over 4 shards, which leaves less than that here"
        in why
    )
    assert "`tq limits set smtp --max-running 8` is enough" in why
    client.call(LIMITS, "set", "smtp", {"max_running": 8})
    assert leased(worker, 9) == [id]


def test_a_task_of_before_under_a_limit_of_another_shard_waits_and_why_says_what_to_do(here: Bench) -> None:
    declare(here, ELSEWHERE)
    [id] = in_lanes.submit(here, under(ELSEWHERE.name))
    assert leased(here.worker("m:f", slots=9), 9) == []
    assert "cancel the task, and submit it to a queue with that tag" in str(why_held(here.engine, id))
