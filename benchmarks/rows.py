"""What is shown of a reading: every figure beside a floor or a peer of the same run, and its goal. Pure.

A row is made when its numbers are there; what could not be measured has a row that says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from .figures import (
    Goal,
    Numbers,
    Row,
    at_least,
    show_bytes_rate,
    show_megabytes,
    show_rate,
    show_seconds,
    times,
)

BARE: Final = "floor.arrays.1000"  # what no-op tasks in large arrays stand beside
NOOP_GOAL: Final = 40_000
ENQUEUE_GOAL: Final = 100_000
POOLS: Final = {"pool": "`Pool.imap_unordered`", "executor": "`Executor.map`"}
CROWD_SLOTS_PER_WORKER: Final = 8
PEERS: Final = {
    "celery": "Celery on Redis",
    "rq": "RQ on Redis",
    "dramatiq": "Dramatiq on Redis",
    "huey": "Huey on Redis",
    "taskiq": "Taskiq on Redis",
    "pgqueuer": "PgQueuer on PostgreSQL",
    "procrastinate": "Procrastinate on PostgreSQL",
    "huey-sqlite": "Huey on SQLite",
}


def rows(numbers: Numbers, notes: Mapping[str, str]) -> list[Row]:
    """The table, as far as there are numbers for it."""
    made: list[Row] = []
    for maker in (_noop, _async, _enqueue, _trips, _backlog, _short, _values, _crowd, _idle, _restart):
        try:
            made += maker(numbers)
        except KeyError:
            continue  # not measured this time, or only a part; the notes tell a failure
    failed = [name for name in notes if name.startswith("failed.")]
    return made + [Row(title=name.removeprefix("failed."), figure=notes[name]) for name in failed]


def floor_rows(numbers: Numbers) -> list[Row]:
    """The floor's parts."""
    shown: list[tuple[str, str, Callable[[float], str]]] = [
        ("msgpack, a small call as bytes and back", "floor.value_pack_seconds", show_seconds),
        ("msgpack, per task of a batch of 1,000, one hop", "floor.batch_pack_seconds", show_seconds),
        ("a function call", "floor.call_seconds", show_seconds),
        ("loopback between two processes", "floor.tcp.bytes", show_bytes_rate),
        ("the same with TLS 1.3", "floor.tls.bytes", show_bytes_rate),
        ("round trip of 128 bytes", "floor.tcp.trip_seconds", show_seconds),
        ("the same with TLS 1.3", "floor.tls.trip_seconds", show_seconds),
        ("fdatasync of a page", "floor.fdatasync_seconds", show_seconds),
        (
            "SQLite, insert leased + finish, 1,000 a commit, per task",
            "floor.store.direct_seconds",
            show_seconds,
        ),
        ("SQLite, insert + lease + finish, likewise", "floor.store.leased_seconds", show_seconds),
        (
            "SQLite, a table without indexes, insert + update, likewise",
            "floor.store.bare_seconds",
            show_seconds,
        ),
        ("SQLite, one task alone, two commits", "floor.store.trip_fsync_seconds", show_seconds),
        ("**floor of a task**: processor time", "floor.task_busy_seconds", show_seconds),
        ("**floor tasks/s**: that on two cores, or the store alone", "floor.tasks", show_rate),
        ("**floor of 1 MB there and back**", "floor.value_bytes", show_bytes_rate),
        ("**floor of a round trip**: two commits and the hops", "floor.trip_fsync_seconds", show_seconds),
        ("**bare array floor**: tasks/s end to end, arrays of 1,000", f"{BARE}.tasks", show_rate),
        ("… of 100", "floor.arrays.100.tasks", show_rate),
        ("… of 10", "floor.arrays.10.tasks", show_rate),
        ("… processor time a task in all processes, arrays of 1,000", f"{BARE}.busy_seconds", show_seconds),
        ("… of 100", "floor.arrays.100.busy_seconds", show_seconds),
        ("… of 10", "floor.arrays.10.busy_seconds", show_seconds),
        ("… round trip of one task, p50", "floor.arrays.trip_p50_seconds", show_seconds),
        ("… p99", "floor.arrays.trip_p99_seconds", show_seconds),
    ]
    return [Row(title=title, figure=show(numbers[key])) for title, key, show in shown if key in numbers]


def pool_rows(numbers: Numbers) -> list[tuple[str, ...]]:
    """Kind by kind and chunk size by chunk size: both rates, their ratio, and that of the processor time."""
    made: list[tuple[str, ...]] = []
    for kind, title in POOLS.items():
        for name in numbers:
            if not name.startswith(f"pools.{kind}.") or not name.endswith(".tq.items"):
                continue
            chunk = name.split(".")[2]
            rate, other, busy, other_busy = (
                numbers[f"pools.{kind}.{chunk}.{who}.{what}"]
                for what in ("items", "busy_seconds")
                for who in ("tq", "local")
            )
            spent = (
                f"{busy / other_busy:.1f} × ({show_seconds(busy)}, {show_seconds(other_busy)})"
                if other_busy
                else ""
            )
            made.append(
                (
                    f"{title}, {int(chunk):,}",
                    show_rate(rate),
                    show_rate(other),
                    f"{rate / other:.2f} ×",
                    spent,
                )
            )
    return made


def peer_rows(numbers: Numbers, notes: Mapping[str, str]) -> list[Row]:
    """Every peer, measured or not, and its settings."""
    made = []
    for peer, title in PEERS.items():
        for kind, words in (("durable", "every write synced"), ("memory", "nothing synced")):
            key = f"peer.{peer}.{kind}"
            if key in notes:
                figure = show_rate(numbers[key]) if key in numbers else "not measured"
                note = notes[key].removeprefix("not measured: ")
                made.append(Row(title=f"{title}, {words}", figure=figure, beside=note))
    return made


def durable_peers(numbers: Numbers) -> dict[str, float]:
    return {peer: numbers[f"peer.{peer}.durable"] for peer in PEERS if f"peer.{peer}.durable" in numbers}


def _noop(numbers: Numbers) -> list[Row]:
    tasks = numbers["noop.tasks"]
    made = [
        at_least(
            "no-op tasks end to end, every result in the client's hand", tasks, NOOP_GOAL, show_rate(tasks)
        )
    ]
    others: list[tuple[str, str, float | None, float]] = [
        ("the floor", "floor of the same task", numbers.get("floor.tasks"), 0.5),
        ("the bare array floor", "arrays of 1,000, bare", numbers.get(f"{BARE}.tasks"), 0.4),
        ("`Pool`", "`Pool.imap_unordered(chunksize=1)`, local, in memory", numbers.get("pool.tasks"), 0.9),
        ("`BaseManager`", "the `BaseManager` tutorial, in memory", numbers.get("tutorial.tasks"), 8),
    ]
    if durable := durable_peers(numbers):
        fastest = max(durable, key=durable.__getitem__)
        title = f"{PEERS[fastest]}, the fastest durable peer"
        others.append(("the fastest durable peer", title, durable[fastest], 4))
    for name, words, other, least in others:
        if other is not None:
            beside = f"{words}: {show_rate(other)}"
            made.append(times(f"… against {name}", tasks, other, beside, least=least))
    each = numbers["noop.busy_seconds"]
    bare = numbers.get(f"{BARE}.busy_seconds")
    beside = "" if bare is None else f"arrays of 1,000, bare: {show_seconds(bare)}"
    goal = Goal(words="≤ 9 µs", value=each, bound=9e-6, most=True)
    title = "… processor time a task, all processes"
    return [*made, Row(title=title, figure=show_seconds(each), beside=beside, goal=goal)]


def _async(numbers: Numbers) -> list[Row]:
    rate, other = numbers["async.async.tasks"], numbers["async.process.tasks"]
    each, other_each = numbers["async.async.busy_seconds"], numbers["async.process.busy_seconds"]
    beside = f"functions in `process:2` of the same worker: {show_rate(other)}"
    title = "no-op coroutines in `async:500`, one process"
    spent = f"functions: {show_seconds(other_each)} ({each / other_each:.1f} ×)"
    return [
        Row(title=title, figure=f"{show_rate(rate)} ({rate / other:.2f} ×)", beside=beside),
        Row(title="… processor time a task, all processes", figure=show_seconds(each), beside=spent),
    ]


def _enqueue(numbers: Numbers) -> list[Row]:
    rate, floor = numbers["enqueue.tasks"], numbers["floor.enqueue"]
    beside = f"inserts of the store alone: {show_rate(floor)}"
    return [at_least("enqueue alone, `map` from one client", rate, ENQUEUE_GOAL, show_rate(rate), beside)]


def _trips(numbers: Numbers) -> list[Row]:
    made = []
    for durability in ("fsync", "os", "memory"):
        p50, p99 = (numbers[f"trip.{durability}.{share}_seconds"] for share in ("p50", "p99"))
        floor = numbers[f"floor.trip_{durability}_seconds"]
        beside = f"two commits and the hops: {show_seconds(floor)} ({p50 / floor:.1f} ×)"
        goal = (
            Goal(words="≤ 1.2 × of it", value=p50 / floor, bound=1.2, most=True)
            if durability == "fsync"
            else Goal(words="p50 ≤ 0.5 ms", value=p50, bound=0.0005, most=True)
        )
        figure = f"{p50 * 1e3:.2f} / {p99 * 1e3:.2f} ms"
        title = f"round trip of one task, {durability}, p50 / p99"
        made.append(Row(title=title, figure=figure, beside=beside, goal=goal))
        if durability == "fsync":
            made += _trips_beside_bare(numbers, p50, p99)
    return made


def _trips_beside_bare(numbers: Numbers, p50: float, p99: float) -> list[Row]:
    made = []
    if (bare := numbers.get("floor.arrays.trip_p50_seconds")) is not None:
        bare_p99 = numbers["floor.arrays.trip_p99_seconds"]
        beside = f"an array of one, bare: {bare * 1e3:.2f} / {bare_p99 * 1e3:.2f} ms"
        goal = Goal(words="≤ 1.25 ×", value=p50 / bare, bound=1.25, most=True)
        title = "… p50 against the bare array floor"
        made.append(Row(title=title, figure=f"{p50 / bare:.2f} ×", beside=beside, goal=goal))
    goal = Goal(words="≤ 2 ×", value=p99 / p50, bound=2, most=True)
    return [*made, Row(title="… p99 against p50", figure=f"{p99 / p50:.2f} ×", goal=goal)]


def _backlog(numbers: Numbers) -> list[Row]:
    made = []
    for what, title in (("enqueue", "enqueue with a long queue"), ("drain", "drain a long queue")):
        large, small = numbers[f"backlog.large.{what}"], numbers[f"backlog.small.{what}"]
        made.append(
            times(
                title, large, small, f"a short queue: {show_rate(small)}", least=0.9, figure=show_rate(large)
            )
        )
    more = numbers["backlog.large.memory_bytes"] - numbers["backlog.small.memory_bytes"]
    beside = f"a short queue: {show_megabytes(numbers['backlog.small.memory_bytes'])}"
    goal = Goal(words="≤ 50 MB more", value=more, bound=50e6, most=True)
    figure = show_megabytes(numbers["backlog.large.memory_bytes"])
    return [
        *made,
        Row(title="growth of the master's memory by a long queue", figure=figure, beside=beside, goal=goal),
    ]


def _short(numbers: Numbers) -> list[Row]:
    share = numbers["short.share"]
    beside = f"a bare loop of such sleeps: {numbers['short.sleep_share']:.1%}"
    title = "10 ms tasks on 2 slots, of the ideal"
    return [
        Row(
            title=title,
            figure=f"{share:.1%}",
            beside=beside,
            goal=Goal(words="≥ 98 %", value=share, bound=0.98),
        )
    ]


def _values(numbers: Numbers) -> list[Row]:
    rate, floor = numbers["values.bytes"], numbers["floor.value_bytes"]
    beside = f"floor: {show_bytes_rate(floor)}"
    title = "1 MB arguments and results, the bytes of both"
    return [times(title, rate, floor, beside, least=0.5, figure=show_bytes_rate(rate))]


def _crowd(numbers: Numbers) -> list[Row]:
    made = []
    for name, length in (("100ms", 0.1), ("1s", 1.0)):
        busy, slots = numbers[f"crowd.{name}.busy_share"], numbers["crowd.slots"]
        allowed = min(1.0, numbers["noop.tasks"] * length / slots)
        fair = f"fairness {numbers[f'crowd.{name}.fairness']:.3f}, the least {numbers[f'crowd.{name}.least_share']:.0%} of the mean"
        figure = f"{busy:.0%} busy, {show_rate(numbers[f'crowd.{name}.tasks'])}; {fair}"
        master, simulator = (numbers[f"crowd.{name}.{who}_share"] for who in ("master", "simulator"))
        beside = f"the no-op rate allows {allowed:.0%}; the master takes {master:.1f} cores, the simulation {simulator:.1f}"
        goal = Goal(words="≥ 90 % of that", value=busy / allowed, bound=0.9)
        title = f"{slots / CROWD_SLOTS_PER_WORKER:,.0f} workers of 8 slots, {length * 1e3:,.0f} ms tasks"
        made.append(Row(title=title, figure=figure, beside=beside, goal=goal))
    return made


def _idle(numbers: Numbers) -> list[Row]:
    cpu, resident = numbers["idle.cpu_share"], numbers["idle.all_bytes"]
    woken = f"{numbers['idle.wakeups']:.1f} wake-ups/s" if "idle.wakeups" in numbers else ""
    each = ", ".join(
        f"{who} {show_megabytes(numbers[f'idle.{who}_bytes'])}" for who in ("master", "supervisor", "child")
    )
    beside = f"{numbers['idle.processes']:.0f} bare interpreters: {show_megabytes(numbers['idle.bare_bytes'])}; {each}"
    return [
        Row(
            title="idle, master and worker with 2 children: of a core",
            figure=f"{cpu:.2%}",
            beside=woken,
            goal=Goal(words="≤ 0.2 %", value=cpu, bound=0.002, most=True),
        ),
        Row(
            title="… resident, in all",
            figure=show_megabytes(resident),
            beside=beside,
            goal=Goal(words="≤ 130 MB", value=resident, bound=130e6, most=True),
        ),
    ]


def _restart(numbers: Numbers) -> list[Row]:
    seconds = numbers["restart.large_seconds"]
    beside = f"with an empty queue: {numbers['restart.empty_seconds']:.2f} s"
    goal = Goal(words="≤ 2 s", value=seconds, bound=2, most=True)
    title = "start of a killed master with a long queue, until it accepts"
    return [Row(title=title, figure=f"{seconds:.2f} s", beside=beside, goal=goal)]
