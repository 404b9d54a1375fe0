"""Rows that show a whole master: queues, workers, running tasks and failures. Reads only, and only a bounded part of the
store."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from itertools import chain, islice
from typing import Any, Final

from ...common.auth.keys import Verifier
from ...common.contract.rows import to_wire
from ...common.contract.workers import HeldTask
from ...common.domain.model import StateNumber
from ...common.domain.probe import PROBE
from ...common.wire.frames import pack
from ..engine.engine import Engine
from ..engine.work import GLANCES
from ..items.deliveries import Deliveries
from ..items.items import Items
from ..items.queue import ItemQueueState
from ..tasks.attempt_output import AttemptOutput
from ..tasks.explain_placing import place_of
from ..tasks.full_queues import FullQueues
from ..tasks.leases import Leases
from ..tasks.route import Capability, Queue
from ..tasks.routes import Routes
from ..tasks.shown import attempts_of, begun, running_by_route, shown_counts
from ..workers.membership import Membership, Worker
from ..workers.worker_info import WorkerInfo
from .last_failures import LastFailures
from .pools import pool_rows

ROUTES_MAX: Final = 500  # of one queue, read for its oldest task
ROUTES_OF_ALL: Final = 5_000  # of all queues in one list; in a long list each queue has a share
TOP_MAX: Final = 20  # rows of the longest running tasks and of the latest failures
SHOWN_MAX: Final = 50  # tasks shown of one worker; candidates for the longest running tasks
# Of the rows of workers in one answer, which must fit a frame however long the announcements are.
ROWS_BYTES_MAX: Final = 5 * 1024 * 1024
ROW_BYTES: Final = 400  # without the host and the fields in LONG
DETAILS_BYTES_MAX: Final = 5 * 1024 * 1024
QUEUES_SHOWN_MAX: Final = 3_000  # each has a name of up to a kilobyte and some thirty numbers
LEFT_OUT: Final = "…"
NO_TASKS: Final = Counter[int]()
LONG: Final = (
    "tasks",
    "allow",
    "labels",
    "resources",
    "queues",
    "pools",
)  # fields of a worker's row that may be long, and are not needed every second


def queue_rows(engine: Engine, allows: Callable[[str], bool]) -> list[dict[str, Any]]:
    """The queues of tasks or items that the caller may see, by name; as many as fit in one answer, those that are not empty
    first. A queue that belongs to one program is private to it and left out."""
    names = _seen(engine, allows)
    items = {
        name: one for name in names if (one := engine.part(Items).by_name.get(name)) and one.owner is None
    }
    queues = {name: engine.part(Routes).queues.get(name) or Queue(name) for name in names}
    running = Counter[Queue]()
    for lane, tasks in running_by_route(engine).items():
        running[engine.part(Routes).by_number[lane].queue] += tasks
    # Each look reads the store: of many queues each gets a share, and at least one.
    routes_max = max(1, min(ROUTES_MAX, ROUTES_OF_ALL // max(1, len(names))))
    return [
        {
            "name": name,
            "paused": queue.paused,
            "reason": queue.reason,
            "since": None if queue.since is None else engine.now.shown(queue.since),
            "until": None if queue.until is None else engine.now.shown(queue.until),
            "paused_by": queue.key,
            "rate": 0.0 if queue.rate is None else queue.rate.per_second(engine.now.mono),
            "oldest_ready_seconds": oldest_ready_seconds(engine, queue, routes_max),
            "maxsize": queue.maxsize,
            "order": "lifo" if queue.is_lifo else "fifo",
            "aging": queue.aging / 1000,
            "submits_waiting": engine.part(FullQueues).waiting_in(name)[0],
            "items": items[name].waiting if name in items else 0,
            "item_queue": _item_row(engine, items[name]) if name in items else None,
            **_states(queue, running[queue]),
        }
        for name, queue in queues.items()
    ]


def _seen(engine: Engine, allows: Callable[[str], bool]) -> list[str]:
    """The names of the queues in a list, sorted: as many as fit, those that are not empty first."""
    items, routes = engine.part(Items).by_name, engine.part(Routes).queues
    engine.work.glanced(len(items) + len(routes))
    public = (one.name for one in items.values() if one.owner is None and one.name not in routes)
    seen = [name for name in chain(routes, public) if allows(name)]
    if len(seen) <= QUEUES_SHOWN_MAX:
        return sorted(seen)

    def is_empty(name: str) -> bool:
        return not ((name in routes and routes[name].is_used) or (name in items and items[name].waiting))

    return sorted(heapq.nsmallest(QUEUES_SHOWN_MAX, seen, key=lambda name: (is_empty(name), name)))


def _states(queue: Queue, running: int) -> dict[str, int]:
    """How many tasks are in each state, as shown; ``assigned``: how many of the ready ones wait at a worker."""
    counts = shown_counts(queue.counts, running)
    assigned = queue.counts[StateNumber.RUNNING] - running
    return {**{str(state): counts[state] for state in StateNumber}, "assigned": assigned}


def _item_row(engine: Engine, queue: ItemQueueState) -> dict[str, Any]:
    """The state of an item queue. ``taken``: items that are held and not confirmed; ``getting`` and
    ``putting``: how many calls wait for an item, and for room. ``come`` and ``gone``: items per second of late."""
    return {
        "kind": queue.kind,
        "maxsize": queue.maxsize,
        "taken": engine.part(Deliveries).taken(queue),
        "unfinished": queue.unfinished,
        "getting": len(queue.getters),
        "putting": len(queue.putters),
        "joining": len(queue.joiners),
        "shut": bool(queue.shut),
        "come": 0.0 if queue.come is None else queue.come.per_second(engine.now.mono),
        "gone": 0.0 if queue.gone is None else queue.gone.per_second(engine.now.mono),
    }


def oldest_ready_seconds(engine: Engine, queue: Queue, routes_max: int = ROUTES_MAX) -> float | None:
    """How long ago the oldest ready task was submitted, among those ``routes_max`` lanes of the queue that have had some the longest."""
    routes = [route.number for route in islice(queue.ready, routes_max)]
    engine.work.looked(len(routes))
    created = [one for one in map(engine.store.oldest_ready, routes) if one is not None]
    return max(0, engine.now.steady - min(created)) / 1000 if created else None


def worker_rows(engine: Engine, key: Verifier) -> list[dict[str, Any]]:
    """The announced workers, as many as fit in one answer: connected ones first, then those with short announcements. The
    fields in LONG are left out of rows for which there is no room. A key that is bound to queues sees the workers that serve one
    of them, and nothing of others."""
    serves = serving(engine, key)
    workers = [one for one in engine.part(Membership).listed() if one.info is not None and serves(one)]
    engine.work.glanced(len(workers) * GLANCES + len(engine.part(Leases).running))
    leased = engine.part(Leases).running.by_worker()
    rows = {
        one: _worker_row(engine, one, one.info, leased.get(one.number, NO_TASKS))
        for one in workers
        if one.info is not None
    }
    # Measured as it travels: only that says whether the answer fits a frame.
    long = {one: len(pack([row[name] for name in LONG])) for one, row in rows.items()}
    left, details_left = ROWS_BYTES_MAX, DETAILS_BYTES_MAX
    shown: set[Worker] = set()
    for one in sorted(rows, key=lambda one: (one.session is None, long[one], len(rows[one]["host"]))):
        left -= ROW_BYTES + len(rows[one]["host"].encode("utf-8", "replace"))
        if left < 0:
            break
        shown.add(one)
        details_left -= long[one]
        if details_left < 0:
            asked_for = rows[one]["queues"]
            rows[one] |= {
                "tasks": [],
                "allow": [],
                "labels": {},
                "resources": {},
                "queues": asked_for and [LEFT_OUT],
                "pools": [],
            }
    return [row for one, row in rows.items() if one in shown]


def serving(engine: Engine, key: Verifier) -> Callable[[Worker], bool]:
    """Whether a worker takes tasks of a queue that there is and that the key may use. Equal workers are compared once."""
    if not key.queues:
        return lambda worker: True
    names = [name for name in engine.part(Routes).queues if key.allows_queue(name)]
    engine.work.glanced(len(engine.part(Routes).queues))
    found: dict[Capability, bool] = {}

    def serves(worker: Worker) -> bool:
        capability = worker.capability
        if capability is None:
            return False
        if capability not in found:
            engine.work.glanced(len(names))
            found[capability] = any(map(capability.takes_from, names))
        return found[capability]

    return serves


def _worker_row(engine: Engine, worker: Worker, info: WorkerInfo, held: Counter[int]) -> dict[str, Any]:
    """``held``: how many tasks it has, by their lanes."""
    here, leased = worker.session is not None, held.total()
    return {
        "node": worker.node.hex(),
        "host": info.host,
        "pid": info.pid,
        "slots": info.slots,
        "labels": info.labels,
        "resources": _resources(engine, worker),
        # Every worker serves that one, for `tq doctor`: it says nothing about this worker.
        "tasks": [name for name in info.tasks if name != PROBE],
        "allow": info.allow,
        "queues": info.queues,
        "pools": pool_rows(engine.part(Routes), worker, info, held) if here else [],
        "version": info.version,
        "state": worker.state,
        "connected": here,
        # What is leased beyond its slots waits there.
        "running": min(leased, info.slots) if here else 0,
        "leased": leased,
        "rate": 0.0 if worker.rates is None else worker.rates.recent.per_second(engine.now.mono),
        # What it said before it went away is not true now.
        "memory_bytes": worker.memory_bytes if here else None,
        "since": engine.now.shown(worker.since),
        "last_seen": worker.presence.last_seen_wall / 1000,
    }


def _resources(engine: Engine, worker: Worker) -> dict[str, list[int]]:
    """What there is of each, and what is free of it, in thousandths."""
    place = place_of(engine, worker)
    return {name: [there, max(0, place.free[name])] for name, there in place.resources.items()}


def snapshot(engine: Engine, key: Verifier) -> dict[str, Any]:
    """The state of the whole master, as far as the key may see it; cheap enough to be called every second."""
    allows = key.allows_queue
    queues = queue_rows(engine, allows)
    return {
        **engine.facts,
        **engine.shell_facts(),
        "now": engine.now.wall / 1000,
        "rate": sum(queue["rate"] for queue in queues),
        "queues": queues,
        "workers": [
            {name: value for name, value in row.items() if name not in LONG}
            for row in worker_rows(engine, key)
        ],
        "running": _longest(engine, allows),
        "failing": _failing(engine, allows),
    }


def running_rows(engine: Engine, node: str, allows: Callable[[str], bool]) -> list[list[Any]]:
    """The tasks that a worker holds (HeldTask), the longest running first."""
    worker = next((one for one in engine.part(Membership).by_node.values() if one.node.hex() == node), None)
    if worker is None:
        return []
    mine = [held for _, held in engine.part(Leases).running.of_worker(worker.number)]
    # What has begun first; then what waits there, in the order of its lease.
    mine.sort(key=lambda held: (held.begun is None, held.begun or 0, held.seq))
    rows: list[list[Any]] = []
    for held in mine[:SHOWN_MAX]:
        task = engine.store.brief(held.seq)
        if task is not None and allows(task.queue):
            since = held.begun or task.started or 0
            has_begun = held.begun is not None
            shown = attempts_of(engine, task), engine.now.shown(since)
            rows.append(to_wire(HeldTask(task.id, task.task, task.queue, *shown, has_begun)))
    return rows


def _longest(engine: Engine, allows: Callable[[str], bool]) -> list[dict[str, Any]]:
    """The longest running tasks, as of their workers' last beat."""
    # More than are shown: some are of queues that the key may not see.
    longest = heapq.nsmallest(SHOWN_MAX, begun(engine), key=lambda held: held.begun or 0)
    found = [(held, engine.store.brief(held.seq)) for held in longest]
    tasks = [(held, task) for held, task in found if task is not None and allows(task.queue)]
    return [
        {
            "id": task.id,
            "name": task.task,
            "queue": task.queue,
            "attempt": attempts_of(engine, task),
            "started": engine.now.shown(held.begun or 0),
            "worker": None if task.worker is None else engine.store.worker_host(task.worker),
            "progress": engine.part(AttemptOutput).progress(task),
        }
        for held, task in tasks[:TOP_MAX]
    ]


def _failing(engine: Engine, allows: Callable[[str], bool]) -> list[dict[str, Any]]:
    """The latest failures, by queue and name, each with its number among them."""
    by_name: dict[tuple[str, str], dict[str, Any]] = {}
    for failed in engine.part(LastFailures).newest_first():
        route = engine.part(Routes).by_number.get(failed.route)
        if route is None or not allows(route.queue.name):
            continue
        key = (route.queue.name, route.task)
        if key in by_name:
            by_name[key]["tasks"] += 1
        elif len(by_name) < TOP_MAX:
            by_name[key] = {
                "name": route.task,
                "queue": route.queue.name,
                "tasks": 1,
                "id": failed.id,
                "at": engine.now.shown(failed.at),
                "state": failed.state,
                "error": failed.error,
            }
    return list(by_name.values())
