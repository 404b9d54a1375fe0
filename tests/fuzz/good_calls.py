"""A good call of most methods, and what random changes make of one: so the arguments that matter are reached, and not only refused."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

from tq.common.domain.columns import FailureHandler, LaneColumns
from tq.common.domain.limits import Limit
from tq.common.domain.model import OutcomeNumber, Role, TaskOptions
from tq.common.domain.text_columns import TextColumn
from tq.common.domain.unique import ON_CONFLICT, Unique, terms_of
from tq.common.values.codec import encode_call

IDS: Final = tuple(bytes([number]) * 16 for number in range(1, 9))
QUEUES: Final = ("q", "default", "narrow")
LEASE: Final = b"L" * 16
DEPTH_MAX: Final = 4  # of a change inside an argument
LIMITS: Final = (
    Limit("few", max_running=2),
    Limit("mail", rate="100/s", burst=3),
    Limit("wide", max_running=50),
)
CONDITIONS: Final = (
    "task=m:f",
    "queue in (q, 'na*')",
    "tenant=acme",
    "limit.few=a",
    "not has tenant and task='*:f'",
)
PLACES: Final = ("zone=eu", "zone!=us and has gpu", "not zone in (eu, us)", "has gpu or zone=eu", "")


class GoodCall(NamedTuple):
    role: Role
    target: tuple[Any, ...]
    method: str
    args: list[Any]


def good_call(random: Random, held: list[list[Any]]) -> GoodCall:
    """``held``: ``[id, attempt, lease]`` of what the engine has leased."""
    if held and random.random() < 0.2:
        return _report(random, random.choice(held))
    return random.choice(_CALLS)(random)


def changed(value: Any, random: Random, other: Callable[[], Any], depth: int = 0) -> Any:
    """The same but for one place, somewhere in it."""
    inside = isinstance(value, (list, dict)) and value and depth < DEPTH_MAX
    if not inside or random.random() < 0.15:
        return _replaced(value, random, other)
    if isinstance(value, dict):
        key = random.choice(list(value))
        if random.random() < 0.2:
            return {**{one: two for one, two in value.items() if one != key}, other_key(random): value[key]}
        return {**value, key: changed(value[key], random, other, depth + 1)}
    place = random.randrange(len(value))
    return [*value[:place], changed(value[place], random, other, depth + 1), *value[place + 1 :]]


def other_key(random: Random) -> str:
    return random.choice(("limits", "tenant", "needs", "on_failure", "x", ""))


def _replaced(value: Any, random: Random, other: Callable[[], Any]) -> Any:
    if type(value) in (int, float) and random.random() < 0.5:
        return random.choice((-value, value + 1, value * 2**40, value / 3, 0, -1))
    if isinstance(value, str) and value and random.random() < 0.5:
        place = random.randrange(len(value))
        return random.choice(
            (value * 200, value[:place], value[:place] + "\x00" + value[place:], value.upper())
        )
    if isinstance(value, list) and random.random() < 0.5:
        return random.choice((value * 2, value[1:], [value], value[::-1]))
    return other()


def _ids(random: Random, most: int = 3) -> list[bytes]:
    return random.choices(IDS, k=random.randint(1, most))


def _columns(random: Random, tasks: int) -> dict[str, Any]:
    limits = random.sample(LIMITS, random.randint(0, 2))
    keys = tuple(TextColumn.of([random.choice("ab") for _ in range(tasks)]) for _ in limits)
    tenant = (
        None if random.random() < 0.5 else TextColumn.of([random.choice(("acme", "")) for _ in range(tasks)])
    )
    handler = FailureHandler("q", "m:failed", TaskOptions(), LaneColumns()) if random.random() < 0.3 else None
    return LaneColumns(tuple(zip(limits, keys, strict=True)), tenant, handler).to_wire()


def _options(random: Random) -> dict[str, Any]:
    some: dict[str, Any] = {
        "priority": random.randint(-5, 5),
        "delay": random.choice((0.01, 3.0)),
        "expires": random.choice((0.02, 100.0)),
        "retries": 2,
        "backoff": 0.01,
        "timeout": 1.0,
        "needs": random.choice(({"gpu": 1_000}, {"gpu": 333, "mem": 5}, {})),
        "where": random.choice(PLACES),
        "delivery": "at_most_once",
        "max_crashes": 2,
        "tags": {"order": "4711"},
    }
    names = random.sample(list(some), random.randint(0, 3))
    return {name: some[name] for name in names}


def _submit(random: Random) -> GoodCall:
    unique = None
    if random.random() < 0.25:
        on_conflict = random.choice(ON_CONFLICT)
        states = ("scheduled", "ready") if on_conflict == "replace" else ("ready", "running", "succeeded")
        period = random.choice((None, 0.01, 60.0))
        unique = list(
            terms_of(Unique(states=states, period=period, on_conflict=on_conflict), random.choice("kl"))
        )
    tasks = 1 if unique else random.randint(1, 4)
    payload = encode_call((1,), {})
    rows = (
        [[random.choice(IDS), payload]]
        if tasks == 1
        else [[random.randbytes(15) + b"\x01", [payload] * tasks]]
    )
    parent = [random.choice(IDS), LEASE] if random.random() < 0.1 else None
    args = ["m:f", _options(random), rows, random.choice((None, "s")), None, None, None, parent]
    args += [_columns(random, tasks), random.choice(("wait", "raise")), unique]
    return GoodCall(Role.CLIENT, ("get_task_queue", random.choice(QUEUES)), "submit", args)


def _announce(random: Random) -> GoodCall:
    info = {
        "host": "h",
        "pid": 1,
        "slots": 3,
        "lent": 2,
        "tasks": ["m:f", "m:failed"],
        "queues": None,
        "version": "v",
        "labels": {"zone": random.choice(("eu", "us"))},
        "resources": {"gpu": 2_000, "mem": 8},
    }
    if random.random() < 0.3:
        info["pools"] = [[["m:f"], [], ["q"], []], [["m:f"], ["m:*"], [], ["q"]]]
    return GoodCall(Role.WORKER, ("get_dispatcher",), "announce", [info, []])


def _of_worker(random: Random) -> GoodCall:
    runs = [[random.choice(IDS), 2], random.choice(IDS)]
    method, args = random.choice(
        (
            ("lease", [random.randint(1, 4), 0]),
            ("lease", [1, 1]),
            ("lend", [random.choice(IDS), runs, random.randint(0, 2)]),
            ("starting", [_ids(random)]),
            ("orders", []),
            ("leave", []),
        )
    )
    return GoodCall(Role.WORKER, ("get_dispatcher",), method, args)


def _report(random: Random, held: list[Any]) -> GoodCall:
    outcome = random.choice(list(OutcomeNumber))
    body = random.choice(IDS) if outcome == OutcomeNumber.BECAME else None if outcome else b"r"
    row = [*held, int(outcome), body, 1.0, 0.1, random.choice((None, 0.01))]
    method, args = random.choice(
        (
            ("finish", [[row], None, []]),
            ("finish", [[row], None, []]),
            ("finish", [[], None, [[*held, [b"r", b"s"], b"\x00" * 8]]]),
            ("release", [[held], random.random() < 0.5]),
            ("beat", [[[*held, 0.5]], {"memory_bytes": 1, "draining": False}]),
        )
    )
    return GoodCall(Role.WORKER, ("get_dispatcher",), method, args)


def _of_tasks(random: Random) -> GoodCall:
    method, args = random.choice(
        (
            ("cancel", [_ids(random)]),
            ("cancel", [_ids(random), True]),
            ("retry", [_ids(random)]),
            ("states", [_ids(random)]),
            ("show", [random.choice(IDS)]),
            ("why", [random.choice(IDS)]),
            ("purge", [{"queue": "q"}]),
            ("list", [{"queue": random.choice(QUEUES)}]),
            ("lines", [{"task": "m:f"}]),
        )
    )
    return GoodCall(Role.ADMIN, ("get_tasks",), method, args)


def _of_operator(random: Random) -> GoodCall:
    target, method, args = random.choice(
        (
            ("get_queues", "set", ["narrow", random.choice((0, 1, 5))]),
            ("get_queues", "list", []),
            ("get_limits", "set", ["few", {"max_running": random.choice((1, 3, None))}]),
            ("get_limits", "set", ["mail", {"rate": random.choice(("1/min", "5/s", None)), "burst": 2}]),
            ("get_limits", "reset", [random.choice(("few", "mail"))]),
            ("get_limits", "remove", ["wide"]),
            ("get_limits", "list", []),
            ("get_limits", "show", ["few", 5]),
            ("get_strikes", "add", [random.choice(CONDITIONS), "a reason", random.choice((None, 0.02))]),
            ("get_strikes", "remove", [random.choice(CONDITIONS)]),
            ("get_strikes", "remove", [random.randint(1, 9)]),
            ("get_strikes", "list", []),
            ("get_workers", "list", []),
            ("get_master", "snapshot", []),
        )
    )
    return GoodCall(Role.ADMIN, (target,), method, args)


def _of_queue(random: Random) -> GoodCall:
    method, args = random.choice((("pause", ["a reason"]), ("resume", []), ("resume", [])))
    return GoodCall(Role.ADMIN, ("get_task_queue", random.choice(QUEUES)), method, args)


def _of_composer(random: Random) -> GoodCall:
    id, flow, token = random.choice(IDS), random.choice(IDS), random.choice(IDS)
    target, method, args = random.choice(
        (
            ("get_flows", "open", [flow, "a flow", random.choice(("fail_fast", "continue"))]),
            ("get_flows", "seal", [flow]),
            ("get_flows", "cancel", [flow, "why"]),
            ("get_flows", "retry", [flow, 1]),
            (
                "get_flows",
                "call_back",
                [flow, token, random.choice(("then", "finally")), "q", "m:f", _options(random)],
            ),
            ("get_flows", "wait", [flow]),
            ("get_dependencies", "of", [id]),
            ("get_steps", "signal", [id, "name", b"\xc0", token]),
            ("get_result_queue", "watch", [_ids(random)]),
        )
    )
    return GoodCall(Role.CLIENT, (target,), method, args)


_CALLS: Final = (
    *(_submit, _submit, _submit, _submit, _announce, _of_worker, _of_worker, _of_worker, _of_worker),
    *(_of_tasks, _of_operator, _of_operator, _of_queue, _of_composer),
)
