"""How each method finds its shard in a cluster of several: the one place that says it. Pure.

::

    by a name      the name of its object (``get_lock(name)``) or an argument: SHA-256 of its tag, see ``common/domain/shards.py``
    by an id       the shard that the id says; several ids: each shard is asked for its own
    by its tasks   of a queue that is spread: the shard of the ids in the call
    every          all shards are asked, and their answers merged (``client/core/merges.py``)
    first          shard 0: what the cluster has once
    own            of a connection: a worker's, or of what a client watches; the caller has chosen it
    a schedule     the shard of its queue; of one that is spread see ``shard_of_schedule``

A method that is called in every shard to change something is done when all of them have answered. What only reads is answered without
the shards that are away, and says so.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ..domain.columns import NO_COLUMNS, LaneColumns
from ..domain.id_runs import IdRun, is_run, run_from_wire
from ..domain.model import TASK_ID_BYTES
from ..domain.shards import is_spread, shard_of_id, shard_of_name
from ..errors import InvalidArgument, ProtocolError, UnknownTask
from ..values.brief import brief
from .items import ITEM_METHODS


class By(enum.Enum):
    FIRST = "first"
    OWN = "own"
    OBJECT = "object"  # the name in the target
    NAME = "name"  # the argument at ``place``
    ID = "id"
    IDS = "ids"
    ROW = "row"  # an outbox's row at ``place``, which has its queue and tasks in it
    TASKS = "tasks"  # those at ``place``, which have their ids in them
    FIND = "find"  # a name that is looked for in every shard
    EVERY = "every"


class ShardRoute(NamedTuple):
    """``place``: of the argument that says where. ``merge``: the name of a function of ``client/core/merges.py``. ``changes``: all
    shards have to be reached."""

    by: By
    place: int = 0
    merge: str = ""
    changes: bool = False


FIRST, OWN, OBJECT, NAME, ID = (
    ShardRoute(By.FIRST),
    ShardRoute(By.OWN),
    ShardRoute(By.OBJECT),
    ShardRoute(By.NAME),
    ShardRoute(By.ID),
)
FIND: Final = ShardRoute(By.FIND)


def every(merge: str) -> ShardRoute:
    return ShardRoute(By.EVERY, merge=merge)


def in_every(merge: str = "same") -> ShardRoute:
    return ShardRoute(By.EVERY, merge=merge, changes=True)


# By object: of all its methods, or by method.
ROUTES: Final[Mapping[str, ShardRoute | Mapping[str, ShardRoute]]] = {
    "get_task_queue": OBJECT,
    "get_queue": OBJECT,
    "get_lock": OBJECT,
    "get_event": OBJECT,
    "get_barrier": OBJECT,
    "get_datum": ShardRoute(By.OBJECT, 1),  # behind its type
    "get_result_queue": {
        # Outcomes are collected on the line to the shard that has the tasks.
        **dict.fromkeys(("watch", "unwatch", "collect"), OWN),
        **dict.fromkeys(ITEM_METHODS, OBJECT),
    },
    "get_locks": {"list": every("named_rows"), "take_away": NAME, "delete": NAME},
    "get_data": {"list": every("named_rows"), "show": NAME, "delete": NAME},
    "get_tasks": {
        "states": ShardRoute(By.IDS),
        "show": ID,
        "why": ID,
        "log": ID,
        "last_runs": ShardRoute(By.IDS),
        "progress": ShardRoute(By.IDS),
        "list": every("newest_tasks"),
        "lines": every("lines"),
        "meant": every("meant"),
        "select": every("selected"),
        "cancel": ShardRoute(By.IDS),
        "cancel_where": in_every("portions"),
        "retry": ShardRoute(By.IDS),
        "retry_where": in_every("portions"),
        "purge": in_every("portions"),
    },
    "get_dependencies": {
        "results": ID,
        "of": every("related"),
        "rows": ShardRoute(By.IDS),
        "needed_by": OWN,
        "missing": ShardRoute(By.IDS),
    },
    "get_steps": ID,
    # By the task that names the content: who transfers it says the shard.
    "get_blobs": OWN,
    "get_dispatcher": OWN,
    "get_workers": {
        "list": every("workers"),
        "serving": NAME,
        "running": every("longest_held"),
        "signatures": every("signatures"),
        "attempts": every("attempts"),
        "drain": in_every("first_done"),
    },
    "get_queues": {"list": every("queues"), "delete": NAME, "set": NAME},
    "get_keys": {
        "add": in_every("key_added"),
        "set": in_every("key_set"),
        "revoke": in_every("first_done"),
        "list": every("keys"),
    },
    "get_schedules": {
        "declare": OWN,
        "add": in_every("schedule_added"),
        "edit": FIND,
        "pause": FIND,
        "resume": FIND,
        "remove": FIND,
        "run_now": FIND,
        "backfill": FIND,
        "list": every("schedules"),
        "show": FIND,
        "preview": FIND,
    },
    "get_limits": {
        "list": every("limits"),
        "show": every("limit_shown"),
        "set": in_every("limit_set"),
        "reset": in_every("limit_reset"),
        "remove": in_every("limit_removed"),
    },
    "get_strikes": {
        "list": every("strikes"),
        "check": in_every("strike_checked"),
        "add": in_every("strike_added"),
        "remove": in_every("strike_removed"),
    },
    "get_tenants": {
        "list": every("tenants"),
        "plan": FIRST,
        "set": in_every("tenant_set"),
        "remove": in_every("first_done"),
    },
    "get_flows": {
        **dict.fromkeys(
            ("open", "seal", "call_back", "cancel", "retry", "wait", "show", "members", "graph", "of_task"),
            ID,
        ),
        "list": every("flows"),
        "meant": every("meant"),
    },
    "get_outbox": {"hand_over": ShardRoute(By.ROW, 1), "forget": in_every()},
    "get_audit": every("audit"),
    "get_master": {
        "info": every("info"),
        "snapshot": every("snapshot"),
        "series": every("series"),
        "causes": every("causes"),
        "masters": every("masters"),
        "revoke": in_every("first_done"),
    },
    # The objects of a program's managers and users' own: the cluster has each of them once.
    "get_shared": FIRST,
    "get_disk": FIRST,
}


# What is otherwise for a queue that is spread: by object and method.
OF_SPREAD: Final[Mapping[tuple[str, str], ShardRoute]] = {
    ("get_task_queue", "submit"): ShardRoute(By.TASKS, 2),
    ("get_task_queue", "pause"): in_every(),
    ("get_task_queue", "resume"): in_every(),
    ("get_queues", "set"): in_every("queue_set"),
}


def route_of_call(target: Sequence[Any], method: str, args: Sequence[Any]) -> ShardRoute:
    """How a call finds its shard."""
    spread = OF_SPREAD.get((target[0], method))
    if spread is not None:
        named = args if target[0] == "get_queues" else target[1:]
        if named and isinstance(named[0], str) and is_spread(named[0]):
            return spread
    return route_of(target[0], method)


def route_of(name: str, method: str) -> ShardRoute:
    """The same of any other call. An object that is not known here is a user's, of which there is one."""
    found = ROUTES.get(name, FIRST)
    if isinstance(found, ShardRoute):
        return found
    return found.get(method, FIRST)


def shard_of_call(route: ShardRoute, target: Sequence[Any], args: Sequence[Any], shards: int) -> int:
    """The shard of a call that has one. What cannot be read goes to the first one, which says what is wrong with it."""
    match route.by:
        case By.OBJECT:
            name = target[route.place + 1] if len(target) > route.place + 1 else _NAMELESS.get(target[0])
            # The tutorial of multiprocessing.managers has no name for it: see ``get_result_queue``.
            if target[0] == "get_result_queue" and name == "default":
                name = "results"
        case By.NAME:
            name = args[route.place] if len(args) > route.place else None
        case By.ROW:
            row = args[route.place] if len(args) > route.place else None
            name = row[1] if isinstance(row, list) and len(row) > 1 else None
            if isinstance(name, str) and is_spread(name):
                return _shard_of_tasks(_tasks_of_row(row), shards)
        case By.TASKS:
            return _shard_of_tasks(args[route.place] if len(args) > route.place else None, shards)
        case By.ID:
            id = args[route.place] if len(args) > route.place else None
            return shard_of(id, shards) if isinstance(id, bytes) and len(id) == TASK_ID_BYTES else 0
        case _:
            name = None
    return shard_of_name(name, shards) if isinstance(name, str) else 0


def tasks_made(target: Sequence[Any], method: str, args: Sequence[Any]) -> Sequence[Any]:
    """The rows of the tasks that a call submits; empty: it submits none."""
    match target[0], method:
        case ("get_task_queue", "submit"):
            rows = args[2] if len(args) > 2 else ()
        case ("get_outbox", "hand_over"):
            rows = _tasks_of_row(args[1] if len(args) > 1 else ())
        case _:
            rows = ()
    return rows if isinstance(rows, list) else ()


def need_others(rows: Sequence[Any]) -> bool:
    """Whether tasks that are submitted need others: then all of one call do."""
    return bool(rows) and isinstance(rows[0], list) and len(rows[0]) > 2


def needs_of_rows(rows: Sequence[Any]) -> list[IdRun]:
    """What they need. What cannot be read is left out: the master says what is wrong with it."""
    found: list[IdRun | None] = []
    for row in rows:
        match row:
            case [_, _, [_, list(needed)], *_]:
                found += map(run_from_wire, needed)
    return [run for run in found if run is not None]


def runs_of_rows(rows: Sequence[Any]) -> list[IdRun]:
    """The tasks themselves."""
    found: list[IdRun] = []
    for row in rows:
        match row:
            case [bytes(first), payloads, *_]:
                length = len(payloads) if isinstance(payloads, list) else 1
                if is_run(first, length):
                    found.append(IdRun(first, length))
    return found


def _tasks_of_row(row: Any) -> Any:
    """Of an outbox."""
    return row[4] if isinstance(row, list) and len(row) > 4 else None


def _shard_of_tasks(rows: Any, shards: int) -> int:
    match rows:
        case [[bytes(id), *_], *_] if len(id) == TASK_ID_BYTES:
            return shard_of(id, shards)
    return 0


def shard_of(id: bytes, shards: int) -> int:
    """The shard of an id. Raises UnknownTask for one that no shard of this cluster has made."""
    shard = shard_of_id(id)
    if shard >= shards:
        raise UnknownTask(
            f"{id.hex()} is of shard {shard}, and this cluster has {shards}: it is a task of another cluster"
        )
    return shard


def shard_of_schedule(name: str, definition: Any, shards: int) -> int:
    """Of a schedule that is made. In a queue that is spread it is where its tasks have to be: with their handler of failures, by their key in
    a limit; else by the schedule's own name, so that many are in many. What cannot be read goes where its name says."""
    given = definition if isinstance(definition, dict) else {}
    queue = given.get("queue", "default")
    if isinstance(queue, str) and not is_spread(queue):
        return shard_of_name(queue, shards)
    try:
        columns = LaneColumns.from_wire(given.get("columns") or None, 1)
    except (InvalidArgument, ProtocolError):
        columns = NO_COLUMNS
    handler = columns.on_failure
    if handler is not None and not is_spread(handler.queue):
        return shard_of_name(handler.queue, shards)
    keys = (column.at(0) for limit, column in columns.limits if is_spread(limit.name))
    return shard_of_name(next(keys, name), shards)


def ids_by_shard(named: Any, shards: int) -> dict[int, list[Any]]:
    """Ids and runs of them, as a message names them, by their shards, in their order."""
    if not isinstance(named, (list, tuple)):
        raise InvalidArgument(f"ids are a list, not {brief(named, 40)}")
    found: dict[int, list[Any]] = {}
    for one in named:
        run = run_from_wire(list(one) if isinstance(one, tuple) else one)
        if run is None:
            raise InvalidArgument(f"neither a task id nor a run of them: {brief(one, 80)}")
        found.setdefault(shard_of(run.first, shards), []).append(one)
    return found


def runs_by_shard(runs: Iterable[IdRun], shards: int) -> dict[int, list[IdRun]]:
    found: dict[int, list[IdRun]] = {}
    for run in runs:
        found.setdefault(shard_of(run.first, shards), []).append(run)
    return found


_NAMELESS: Final = {"get_task_queue": "default", "get_result_queue": "results", "get_queue": "default"}
