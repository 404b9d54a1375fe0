"""Objects of managers: made when a manager's typeid is called, known by an ident, gone with the program that made them.

``register`` tells the names (``module:callable``) and what of each may be called; the master of a manager that was
started is handed them when it starts. The types of data are every master's. Calls run in threads, as for all
objects of users, and nothing here is stored.

Invariants: 1. what is not among an object's exposed names cannot be called; 2. an object goes when the node that
made it has had no connection for the grace; 3. objects, and the bytes in one of ours, are bounded.
"""

from __future__ import annotations

import array
import json
import os
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final

from ..common.codec import decode_call, encode
from ..common.errors import ConfigError, Forbidden, InvalidArgument, TqError, UnknownObject
from ..common.exposed import ALLOWED
from ..common.failure import Failure
from ..common.model import Role
from ..common.naming import load_callable
from ..common.session import Request
from .sessions import Call, Session

NAME: Final = "get_shared"
OBJECTS_MAX: Final = 10_000
DATA_BYTES_MAX: Final = 64 * 1024 * 1024  # in one dict, list, Namespace, Value or Array
IDENT_BYTES: Final = 16
GROWING: Final = frozenset(
    {"append", "extend", "insert", "setdefault", "update", "set", "__setitem__", "__setattr__"}
)
ALWAYS: Final = frozenset({"__repr__", "#GETVALUE"})
VIEWS: Final[tuple[type[Any], ...]] = (type({}.keys()), type({}.values()), type({}.items()))
QUEUES: Final = {"get_task_queue": "default", "get_result_queue": "results"}
KINDS: Final = {queue.Queue: "fifo", queue.LifoQueue: "lifo", queue.PriorityQueue: "priority"}


class SharedList(list[Any]):
    """A list that a small request cannot make large."""

    def repeated(self, times: int) -> list[Any]:
        _check_bytes(len(encode(list(self))) * max(0, times))
        return list(self) * times


class SharedValue:
    def __init__(self, typecode: str, value: Any, lock: bool = True) -> None:
        self._value = value

    def get(self) -> Any:
        return self._value

    def set(self, value: Any) -> None:
        self._value = value


def make_array(typecode: str, sequence: Sequence[Any], lock: bool = True) -> array.array[Any]:
    return array.array(typecode, sequence)


@dataclass(frozen=True, kw_only=True)
class Served:
    """One typeid. ``exposed``: None is every public method."""

    make: Callable[..., Any] | None
    exposed: tuple[str, ...] | None = None
    method_to_typeid: dict[str, str] = field(default_factory=dict)
    is_data: bool = False


DATA: Final = {
    "dict": Served(make=dict, is_data=True, method_to_typeid={"__iter__": "Iterator"}),
    "list": Served(make=SharedList, is_data=True),
    "Namespace": Served(make=SimpleNamespace, is_data=True),
    "Value": Served(make=SharedValue, is_data=True),
    "Array": Served(make=make_array, is_data=True),
    "Iterator": Served(make=None, exposed=("__next__", "send", "throw", "close")),
}
_EXPOSED: Final = {
    "dict": "__contains__ __delitem__ __getitem__ __iter__ __len__ __setitem__ clear copy get items keys pop popitem "
    "setdefault update values",
    "list": "__contains__ __delitem__ __getitem__ __len__ __setitem__ append count extend index insert pop remove "
    "reverse sort repeated",
    "Namespace": "__getattribute__ __setattr__ __delattr__",
    "Value": "get set",
    "Array": "__len__ __getitem__ __setitem__",
}


@dataclass(eq=False, kw_only=True)
class _Object:
    thing: Any
    served: Served
    exposed: frozenset[str]
    owner: bytes
    bytes: int = 0  # at most, as far as was counted
    lock: threading.RLock = field(default_factory=threading.RLock)


class Shared:
    """All of them in one master. Threads call; the loop tells who comes and goes."""

    def __init__(self, registered: str | None = None, grace_seconds: float = 0.0) -> None:
        """``registered``: JSON of ``{typeid: [callable, exposed, method_to_typeid]}``."""
        self.grace_seconds = grace_seconds
        self._served = dict(DATA)
        self._objects: dict[bytes, _Object] = {}
        self._sessions: dict[bytes, int] = {}  # open ones of each node
        self._lock = threading.Lock()
        for typeid, (name, exposed, methods) in json.loads(registered or "{}").items():
            try:
                make = None if name is None else load_callable(name)
            except TqError as error:
                raise ConfigError(f"register({typeid!r}): {error}") from error
            self._served[typeid] = Served(
                make=make, exposed=None if exposed is None else tuple(exposed), method_to_typeid=methods
            )

    # calls

    def run(self, session: Session, request: Request, role: Role) -> Callable[[Call], bytes]:
        """What answers ``create``, ``call`` or ``drop``."""
        if role not in ALLOWED[Role.CLIENT]:
            raise Forbidden(f"objects of managers need the role client, this key has {role}")
        node = session.node
        match request.method, request.args:
            case "create", [str(typeid), bytes(payload)]:
                return lambda call: self._answer(lambda: self._make(node, typeid, payload))
            case "call", [bytes(ident), str(method), bytes(payload), list(slices)]:
                return lambda call: self._answer(lambda: self._call(node, ident, method, payload, slices))
            case "drop", [bytes(ident)]:
                return lambda call: self._answer(lambda: self._drop(node, ident))
        raise InvalidArgument(f"{NAME} has create, call and drop; see docs/protocol.md")

    def _answer(self, work: Callable[[], list[Any]]) -> bytes:
        try:
            return encode(work(), root="result")
        except TqError:
            raise
        except Exception as error:
            return encode(["error", Failure.of(error).encode()])

    def _make(self, node: bytes, typeid: str, payload: bytes) -> list[Any]:
        served = self._served.get(typeid)
        if served is None:
            if typeid in QUEUES:
                return ["queue", QUEUES[typeid], None, 0]
            raise UnknownObject(
                f"this master has no typeid {typeid!r:.80}; it has {', '.join(sorted({*self._served, *QUEUES}))}"
            )
        if served.make is None:
            raise InvalidArgument(
                f"{typeid} is registered without a callable: there is nothing to make it with"
            )
        args, kwargs = decode_call(payload)
        thing = served.make(*args, **kwargs)
        if isinstance(thing, queue.Queue | queue.SimpleQueue):
            return _as_queue(typeid, thing)
        return self._keep(node, typeid, served, thing, len(payload))

    def _keep(self, node: bytes, typeid: str, served: Served, thing: Any, size_bytes: int = 0) -> list[Any]:
        names = _EXPOSED[typeid].split() if served.is_data else served.exposed
        exposed = tuple(names) if names is not None else public_methods(thing)
        ident = os.urandom(IDENT_BYTES)
        kept = _Object(thing=thing, served=served, exposed=frozenset(exposed), owner=node, bytes=size_bytes)
        with self._lock:
            if len(self._objects) >= OBJECTS_MAX:
                raise InvalidArgument(f"managers have {OBJECTS_MAX:,} objects in this master; let some go")
            self._objects[ident] = kept
        return ["object", typeid, ident, list(exposed)]

    def _call(self, node: bytes, ident: bytes, method: str, payload: bytes, slices: list[Any]) -> list[Any]:
        kept = self._objects.get(ident)
        if kept is None:
            raise UnknownObject(
                "this object is gone: with the program that made it, or with the master's last run"
            )
        if method not in kept.exposed and method not in ALWAYS:
            raise AttributeError(
                f"method {method!r:.80} of {type(kept.thing).__name__!r} object is not exposed"
            )
        args, kwargs = decode_call(payload)
        for at in slices:
            args[at] = slice(*args[at])
        if method == "#GETVALUE":
            return ["value", _plain(kept.thing)]
        if not kept.served.is_data:
            return self._result(node, kept, method, getattr(kept.thing, method)(*args, **kwargs))
        with kept.lock:
            if method in GROWING:
                self._reserve(kept, len(payload))
            return self._result(node, kept, method, getattr(kept.thing, method)(*args, **kwargs))

    def _result(self, node: bytes, kept: _Object, method: str, result: Any) -> list[Any]:
        typeid = kept.served.method_to_typeid.get(method)
        if typeid is None:
            return ["value", _plain(result)]
        served = self._served.get(typeid)
        if served is None:
            raise UnknownObject(f"method_to_typeid of {method} names {typeid!r}, which is not registered")
        return self._keep(node, typeid, served, result)

    def _reserve(self, kept: _Object, size_bytes: int) -> None:
        """Counted is what was ever put in; only when that is too much, what is there."""
        if kept.bytes + size_bytes > DATA_BYTES_MAX:
            kept.bytes = len(encode(_plain(kept.thing)))
            _check_bytes(kept.bytes + size_bytes)
        kept.bytes += size_bytes

    def _drop(self, node: bytes, ident: bytes) -> list[Any]:
        kept = self._objects.get(ident)
        if kept is not None and kept.owner == node:
            self._objects.pop(ident, None)
        return ["value", None]

    # who comes and goes

    def opened(self, node: bytes) -> None:
        self._sessions[node] = self._sessions.get(node, 0) + 1

    def closed(self, node: bytes) -> bool:
        """Whether ``give_up`` is to be called when the grace is over."""
        left = self._sessions.pop(node, 0) - 1
        if left > 0:
            self._sessions[node] = left
        return left <= 0 and any(kept.owner == node for kept in self._objects.copy().values())

    def give_up(self, node: bytes) -> None:
        if node not in self._sessions:
            for ident in [ident for ident, kept in self._objects.copy().items() if kept.owner == node]:
                self._objects.pop(ident, None)


def public_methods(thing: Any) -> tuple[str, ...]:
    """As the standard library chooses when nothing is said."""
    names: Iterable[str] = dir(thing)
    return tuple(name for name in names if not name.startswith("_") and callable(getattr(thing, name)))


def _plain(value: Any) -> Any:
    """What of a result the codec would refuse for its type, and the standard library's proxies give as data."""
    if isinstance(value, SimpleNamespace):
        return dict(vars(value))
    if isinstance(value, SharedValue):
        return value.get()
    is_list = isinstance(value, (*VIEWS, SharedList, array.array))
    return list(value) if is_list else value


def _as_queue(typeid: str, thing: Any) -> list[Any]:
    if not thing.empty():
        raise InvalidArgument(
            f"{typeid}: its callable gives a queue with items in it; put them after it is there"
        )
    kind = next((KINDS[one] for one in type(thing).__mro__ if one in KINDS), "fifo")
    return ["queue", QUEUES.get(typeid, typeid), kind, max(0, getattr(thing, "maxsize", 0))]


def _check_bytes(size_bytes: int) -> None:
    if size_bytes > DATA_BYTES_MAX:
        raise InvalidArgument(
            f"this object would have {size_bytes:,} bytes, and {DATA_BYTES_MAX:,} is the limit; keep it in several"
        )
