"""The boundary of a shard: a call that names something of another shard is refused before anything is done.

What is found by a name, or has an id, is in one shard of a cluster (``common/domain/shards.py``), or in part in each, as a limit may be
(``common/domain/limit_parts.py``). A wrong route must not be
accepted: a task would be in a queue that no worker is given it from, a lock would be held twice. So each argument that names a
queue, a lock, a named value, a task or a flow stands in ``NAMING``; a test has the others, with the reason of each.

A master of one shard has no boundary: its registry is the one without it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ...common.domain.ids import show_id
from ...common.domain.limit_parts import check_place
from ...common.domain.limits import limit_from_wire
from ...common.domain.model import TASK_ID_BYTES
from ...common.domain.shards import is_spread, shard_of_id, shard_of_name
from ...common.errors import InvalidArgument, WrongShard
from ...common.values.brief import brief
from ...common.wire.protocol import Request
from ..engine.engine import Engine
from ..engine.session import Call, Deed, Session
from .registry import Invocation, Registry, ThreadedObjects
from .validation import EngineObject

TOGETHER: Final = (
    "; flows, callbacks, handlers of failures and the results of items are in queues of one shard: "
    "give these one tag in braces, as {shop}fetch and {shop}mail"
)


class NamedThing(NamedTuple):
    """Something that a call names: an id, or a name. ``of``: what it is, for people. ``with_others``: it has to be where the rest is.
    ``may_spread``: it is a queue of tasks, which may be in every shard. ``anywhere``: it may be in any shard of the cluster."""

    what: bytes | str
    of: str
    with_others: bool = False
    may_spread: bool = False
    anywhere: bool = False


class SaidLimit(NamedTuple):
    """A limit of tasks that a call makes, or has made later, as it stands on the wire. ``queue``: empty, that of the target."""

    limit: Any
    column: Any
    units: Any
    queue: str = ""


Named = NamedThing | SaidLimit
Find = Callable[[Any], Iterator[Named]]  # of an argument from the wire, which may be anything


def _task(given: Any) -> Iterator[NamedThing]:
    """An id; or a row that begins with one, or with a run of tasks."""
    while isinstance(given, list) and given:
        given = given[0]
    if type(given) is bytes and len(given) == TASK_ID_BYTES:
        yield NamedThing(given, "task")


def _tasks(given: Any) -> Iterator[NamedThing]:
    for one in _list(given):
        yield from _task(one)


def _flow(given: Any) -> Iterator[NamedThing]:
    for named in _task(given):
        yield NamedThing(named.what, "flow")


def _with_others(find: Callable[[Any], Iterator[NamedThing]]) -> Find:
    def found(given: Any) -> Iterator[NamedThing]:
        for named in find(given):
            yield named._replace(with_others=True)

    return found


def _anywhere(find: Callable[[Any], Iterator[NamedThing]]) -> Find:
    """Tasks that are needed, see ``master/edges``."""

    def found(given: Any) -> Iterator[NamedThing]:
        for named in find(given):
            yield named._replace(anywhere=True)

    return found


def _name(of: str, *, may_spread: bool = False) -> Callable[[Any], Iterator[NamedThing]]:
    def found(given: Any) -> Iterator[NamedThing]:
        if isinstance(given, str):
            yield NamedThing(given, of, may_spread=may_spread)

    return found


_task_queue = _name("queue", may_spread=True)


def _new_tasks(given: Any) -> Iterator[Named]:
    """``[id, payload]``, or ``[first id, [payload, …]]``; with what they need behind it, ``[0, [run, …]]``."""
    for row in _list(given):
        yield from _task(row)
        match row:
            case [_, _, [_, list(needed)]]:
                yield from _anywhere(_tasks)(needed)


def _columns(given: Any, queue: str = "") -> Iterator[Named]:
    """The limits of tasks, and the queue and the limits of what is made of those that fail."""
    match given:
        case {"limits": list(limits)}:
            for row in limits:
                match row:
                    case [limit, column, *units]:
                        yield SaidLimit(limit, column, units[0] if units else 1, queue)
    match given:
        case {"on_failure": [str(handling), *rest]}:
            yield NamedThing(handling, "queue", with_others=True, may_spread=True)
            match rest:
                case [_, _, {"limits": _} as columns, *_]:
                    yield from _columns({"limits": columns["limits"]}, handling)


def _definition(given: Any) -> Iterator[Named]:
    """Of a schedule, or a change of it."""
    queue = ""
    match given:
        case {"queue": str(queue)}:
            yield NamedThing(queue, "queue", may_spread=True)
    match given:
        case {"columns": columns}:
            yield from _columns(columns, queue)


def _declared(given: Any) -> Iterator[Named]:
    for row in _list(given):
        match row:
            case [_, definition]:
                yield from _definition(definition)


def _applied(given: Any) -> Iterator[Named]:
    """The queues to whose items a worker applies a function, and those of the results."""
    match given:
        case {"apply": list(consumers)}:
            for row in consumers:
                match row:
                    case [queue, _, results]:
                        yield from _name("queue")(queue)
                        yield from _with_others(_name("queue"))(results)


def _outbox_row(given: Any) -> Iterator[Named]:
    """The arguments of a submit behind a version: see ``OutboxSubmit``."""
    match given:
        case [_, queue, _, _, tasks, *rest]:
            yield from _task_queue(queue)
            yield from _new_tasks(tasks)
            yield from _columns(rest[1] if len(rest) > 1 else None, queue if isinstance(queue, str) else "")


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


class FoundByName(NamedTuple):
    """An object that is found by a name: what it is, for people; which of its arguments is the name; and its name without one."""

    of: str
    place: int = 0
    default: str = ""


FOUND: Final[Mapping[str, FoundByName]] = {
    "get_task_queue": FoundByName("queue", default="default"),
    "get_result_queue": FoundByName("queue", default="results"),
    "get_queue": FoundByName("queue"),
    "get_lock": FoundByName("lock"),
    "get_event": FoundByName("event"),
    "get_barrier": FoundByName("barrier"),
    "get_datum": FoundByName("named value", place=1),  # behind its kind
}
OF_TASKS: Final = ("submit", "pause", "resume")  # of a queue: its other methods are of its items
STREAM: Final = "default"  # of a session, whatever its shard; as an item queue it is "results"
OF_THE_SESSION: Final = ("watch", "unwatch", "collect")  # by a stream, which is no queue

# Arguments that name something, by object and method.
NAMING: Final[Mapping[str, Mapping[str, Mapping[str, Find]]]] = {
    "get_task_queue": {
        "submit": {
            "tasks": _new_tasks,
            "flow": _with_others(_flow),
            "parent": _with_others(_task),
            "columns": _columns,
        }
    },
    "get_result_queue": {"watch": {"ids": _tasks}, "unwatch": {"ids": _tasks}},
    "get_tasks": {
        **{one: {"id": _task} for one in ("show", "why", "log")},
        **{one: {"ids": _tasks} for one in ("states", "last_runs", "progress", "cancel", "retry")},
    },
    "get_dependencies": {
        "results": {"id": _task, "first": _anywhere(_task)},
        "of": {"id": _task},
        "rows": {"ids": _tasks},
        "needed_by": {"id": _anywhere(_task)},
        "missing": {"ids": _tasks},
    },
    "get_dispatcher": {
        "announce": {"info": _applied, "held": _tasks},
        "lend": {"runs": _tasks},  # of this shard; what waits for them may run in another one
        "finish": {"rows": _tasks, "slices": _tasks},
        "release": {"rows": _tasks},
        "starting": {"ids": _tasks},
        "beat": {"started": _tasks},
        "observe": {"rows": _tasks},
    },
    "get_workers": {"serving": {"queue": _task_queue}},
    "get_queues": {"delete": {"name": _name("queue")}, "set": {"name": _task_queue}},
    "get_locks": {one: {"name": _name("lock")} for one in ("take_away", "delete")},
    "get_data": {one: {"name": _name("named value")} for one in ("show", "delete")},
    "get_schedules": {
        "declare": {"declared": _declared},
        "add": {"definition": _definition},
        "edit": {"changes": _definition},
    },
    "get_outbox": {"hand_over": {"row": _outbox_row}},
    "get_steps": {one: {"id": _task} for one in ("recorded", "record", "sleep", "wait", "signal")},
    "get_flows": {
        **{
            one: {"flow": _flow}
            for one in ("open", "seal", "cancel", "retry", "wait", "show", "members", "graph")
        },
        "call_back": {"flow": _flow, "queue": _with_others(_task_queue), "columns": _columns},
        "of_task": {"id": _task},
    },
}


class ShardRegistry(Registry):
    """What clients of one of several shards may call."""

    def __init__(
        self,
        engine: Engine,
        built_in: Mapping[str, type[EngineObject]],
        expose: Mapping[str, str],
        record: Callable[[Call, Deed, Any], None],
        own: Mapping[str, Callable[..., Any]] = {},
        threaded: Mapping[str, ThreadedObjects] = {},
    ) -> None:
        super().__init__(engine, built_in, expose, record, own, threaded)
        self._shard = engine.core.shard
        self._finds = {
            (name, method): _placed(built_in[name], method, finds)
            for name, methods in NAMING.items()
            for method, finds in methods.items()
        }

    def invocation(self, session: Session, request: Request) -> Invocation:
        """As of a registry without a boundary; raises WrongShard besides, and InvalidArgument for a limit that has no place here."""
        name, *arguments = request.target
        if name in FOUND and request.method not in OF_THE_SESSION:
            of, place, default = FOUND[name]
            found = arguments[place] if place < len(arguments) else default
            if name == "get_result_queue" and found == STREAM:
                found = default
            if isinstance(found, str):
                of_tasks = name == "get_task_queue" and request.method in OF_TASKS
                self._check(NamedThing(found, of, may_spread=of_tasks))
        for place, parameter, find in self._finds.get((name, request.method), ()):
            given = request.args[place] if place < len(request.args) else request.kwargs.get(parameter)
            for named in find(given):
                if isinstance(named, SaidLimit):
                    self._check_limit(named, request.target)
                else:
                    self._check(named)
        return super().invocation(session, request)

    def _check_limit(self, said: SaidLimit, target: Sequence[Any]) -> None:
        queue = said.queue
        if not queue and target[0] == "get_task_queue":
            queue = str(target[1]) if len(target) > 1 else FOUND["get_task_queue"].default
        match said.column:
            case [list(texts), _]:
                keys = [text for text in texts if isinstance(text, str)]
            case text:
                keys = [text] if isinstance(text, str) else []
        check_place(limit_from_wire(said.limit, said.units), keys, queue, self._shard)

    def _check(self, named: NamedThing) -> None:
        here, shards = self._shard
        what = named.what
        if named.may_spread and isinstance(what, str) and is_spread(what):
            return
        shard = shard_of_name(what, shards) if isinstance(what, str) else shard_of_id(what)
        if shard == here or (named.anywhere and shard < shards):
            return
        shown = brief(what, 80) if isinstance(what, str) else show_id(what)
        if shard >= shards:
            raise InvalidArgument(
                f"the {named.of} {shown} is of shard {shard}, and this cluster has {shards}, numbered from 0"
            )
        remedy = TOGETHER if named.with_others else ""
        raise WrongShard(
            f"the {named.of} {shown} is in shard {shard} of this cluster, and shard {here} was asked{remedy}",
            shard,
            here,
        )


def _placed(kind: type[EngineObject], method: str, finds: Mapping[str, Find]) -> list[tuple[int, str, Find]]:
    """Where each of these arguments stands among those of a call."""
    parameters = _parameters(getattr(kind, method))
    return [(parameters.index(one), one, find) for one, find in finds.items()]


@functools.cache  # a shard that is taken waits for it
def _parameters(method: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(method).parameters)[2:]
