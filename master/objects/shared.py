"""Objects of managers: created by a call of a manager's typeid, named by an ident, deleted with the program that made them.

``register`` gives a typeid its callable (``module:callable``) and its exposed methods; a manager's ``start()`` passes them to the
master that it starts. The types of data exist in every master. Calls run in threads, as for all
objects of users, and nothing here is stored.

Invariants: 1. only exposed methods can be called; 2. an object is deleted when the node that made it
is lost; 3. the number of objects, and the bytes in each object of a data type, are bounded.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from ...common.auth.keys import AUTHKEY_ID
from ...common.contract.exposed import ALLOWED
from ...common.domain.model import Role
from ...common.domain.naming import load_callable
from ...common.errors import (
    ConfigError,
    Forbidden,
    InvalidArgument,
    NotSerializable,
    QuotaExceeded,
    RemoteError,
    TqError,
    UnknownObject,
)
from ...common.values.brief import brief
from ...common.values.codec import encode
from ...common.values.elements import weight
from ...common.values.failure import Failure
from ...common.wire.protocol import Request
from ..api.payloads import check_weight, foreign_arguments
from ..data.types import (
    ALWAYS,
    DATA,
    DataType,
    Datum,
    arguments,
    encoded_answer,
    not_exposed,
    plain,
    takes_apart,
)
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import Call, Session

NAME: Final = "get_shared"
OBJECTS_MAX: Final = 10_000
DATA_BYTES_MAX: Final = 64 * 1024 * 1024  # in one dict, list, Namespace, Value or Array
MEMORY_BYTES_MAX: Final = 512 * 1024 * 1024  # of memory for all of those, about
# Of one key; a plain authkey is shared by all clients and has no limit of its own
KEY_OBJECTS_MAX: Final = 5_000
KEY_MEMORY_BYTES_MAX: Final = 128 * 1024 * 1024
IDENT_BYTES: Final = 16
USAGE: Final = f"{NAME} has create, call and drop; see docs/protocol.md"
ARGUMENTS: Final = {"create": 2, "call": 4, "drop": 1}
QUEUES: Final = {"get_task_queue": "default", "get_result_queue": "results"}
KINDS: Final = {queue.Queue: "fifo", queue.LifoQueue: "lifo", queue.PriorityQueue: "priority"}


@dataclass(frozen=True, kw_only=True)
class RegisteredType:
    """A typeid. ``exposed``: None exposes every public method."""

    make: Callable[..., Any] | None
    exposed: tuple[str, ...] | None = None
    method_to_typeid: Mapping[str, str] = field(default_factory=dict)
    data: DataType | None = None


ITERATORS: Final = RegisteredType(make=None, exposed=("__next__", "send", "throw", "close"))
DATA_TYPES: Final = {
    typeid: RegisteredType(
        make=one.make, exposed=one.exposed, method_to_typeid={"__iter__": "Iterator"}, data=one
    )
    for typeid, one in DATA.items()
}


@dataclass(eq=False, kw_only=True)
class _SharedObject:
    thing: Any
    served: RegisteredType
    exposed: frozenset[str]
    owner: bytes
    key: str
    datum: Datum | None = None  # None: an object of a registered callable
    weight: int = 0  # of memory, about, of a datum: counted by what was put in
    gone: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)


class _Requester(NamedTuple):
    """The node and key of the caller."""

    node: bytes
    key: str


class SharedObjects(Part):
    """All objects of managers in one master. Calls run in threads; the event loop reports lost nodes. ``_lock`` guards the tables."""

    def __init__(self, registered: str | None = None) -> None:
        """``registered``: JSON of ``{typeid: [callable, exposed, method_to_typeid]}``."""
        self._types = {**DATA_TYPES, "Iterator": ITERATORS}
        self._objects: dict[bytes, _SharedObject] = {}
        self._counts: Counter[str] = Counter()  # objects, by key
        self._weights: Counter[str] = Counter()
        self._lock = threading.Lock()
        for typeid, (name, exposed, methods) in json.loads(registered or "{}").items():
            try:
                make = None if name is None else load_callable(name)
            except TqError as error:
                raise ConfigError(f"register({typeid!r}): {error}") from error
            self._types[typeid] = RegisteredType(
                make=make, exposed=None if exposed is None else tuple(exposed), method_to_typeid=methods
            )

    # calls

    def run(self, session: Session, request: Request, role: Role) -> Callable[[Call], bytes]:
        """The function that performs a ``create``, ``call`` or ``drop``."""
        if role not in ALLOWED[Role.CLIENT]:
            raise Forbidden(f"objects of managers need the role client, this key has {role}")
        requester = _Requester(session.node, session.verifier.key_id)
        match request.method, request.args:
            case "create", [str(typeid), bytes(payload)]:
                return lambda call: self._answer(lambda: self._make(requester, typeid, payload))
            case "call", [bytes(ident), str(method), bytes(payload), list(slices)]:
                work = partial(self._call, requester, ident, method, payload, slices)
                return lambda call: self._answer(work, judged=self._is_ours(ident))
            case "drop", [bytes(ident)]:
                return lambda call: self._answer(lambda: self._drop(requester.node, ident))
        raise InvalidArgument(USAGE)

    def validate(self, head: Request) -> None:
        """Validate the number of arguments of a call that is not decoded yet."""
        if ARGUMENTS.get(head.method) != len(head.args) or head.kwargs:
            raise InvalidArgument(USAGE)

    def _is_ours(self, ident: bytes) -> bool:
        kept = self._objects.get(ident)
        return kept is not None and kept.datum is not None

    def _answer(self, work: Callable[[], list[Any]], *, judged: bool = False) -> bytes:
        try:
            answer = work()
        except TqError:
            raise
        except (
            BaseException
        ) as error:  # SystemExit too: an exception of the object is its answer, and must not end the thread
            return encode(["error", Failure.of(error).encode()])
        if answer[0] != "value":
            return encode(answer)
        try:
            return encoded_answer(answer[1], judged=judged)
        except NotSerializable as error:
            raise RemoteError(str(error)) from error

    def _make(self, requester: _Requester, typeid: str, payload: bytes) -> list[Any]:
        served = self._types.get(typeid)
        if served is None:
            if typeid in QUEUES:
                return ["queue", QUEUES[typeid], None, 0]
            raise UnknownObject(
                f"this master has no typeid {brief(typeid, 80)}; it has {', '.join(sorted({*self._types, *QUEUES}))}"
            )
        if served.make is None:
            raise InvalidArgument(f"{typeid} is registered without a callable and cannot be created")
        check_weight(payload)
        if served.data is None:
            args, kwargs = foreign_arguments(served.make, payload)
        else:
            args, kwargs = arguments(payload, [], kept=True, whole=typeid != "dict")
        thing = served.make(*args, **kwargs)
        if isinstance(thing, queue.Queue | queue.SimpleQueue):
            return _as_queue(typeid, thing)
        return self._keep(requester, typeid, served, thing, payload)

    def _keep(
        self, requester: _Requester, typeid: str, served: RegisteredType, thing: Any, payload: bytes = b""
    ) -> list[Any]:
        exposed = served.exposed if served.exposed is not None else public_methods(thing)
        ident = os.urandom(IDENT_BYTES)
        kept = _SharedObject(
            thing=thing, served=served, exposed=frozenset(exposed), owner=requester.node, key=requester.key
        )
        if served.data is not None:
            size = len(payload)
            kept.datum = Datum(type=served.data, thing=thing, size_bytes=size, bytes_max=DATA_BYTES_MAX)
        with self._lock:
            if len(self._objects) >= OBJECTS_MAX:
                raise InvalidArgument(
                    f"managers have {OBJECTS_MAX:,} objects in this master, and that is the limit; delete some"
                )
            if self._counts[requester.key] >= KEY_OBJECTS_MAX and requester.key != AUTHKEY_ID:
                raise QuotaExceeded(
                    f"this key has {KEY_OBJECTS_MAX:,} objects of managers, and that is the limit; delete some"
                )
            if kept.datum is not None:
                more = weight(payload)
                if not self._has_room(kept, more):
                    raise self._refusal(kept)
                self._count(kept, more)
            self._counts[requester.key] += 1
            self._objects[ident] = kept
        return ["object", typeid, ident, list(exposed)]

    def _call(
        self, requester: _Requester, ident: bytes, method: str, payload: bytes, slices: list[Any]
    ) -> list[Any]:
        kept = self._objects.get(ident)
        if kept is None:
            raise UnknownObject(
                "this object does not exist any more: the program that made it has ended, or the master was restarted"
            )
        check_weight(payload)
        if kept.datum is not None:
            grows, whole = method in kept.datum.type.growing, takes_apart(method, slices)
            args, kwargs = arguments(payload, slices, kept=grows, whole=whole)
            with kept.lock:
                if grows:
                    self._grow(kept, kept.datum, weight(payload))
                result = kept.datum.call(method, args, kwargs, len(payload))
                return self._result(requester, kept, method, result)
        if method == "#GETVALUE":
            return ["value", plain(kept.thing)]
        if method not in kept.exposed and method not in ALWAYS:
            raise not_exposed(method, kept.thing)
        called = getattr(kept.thing, method)
        args, kwargs = foreign_arguments(called, payload, slices)
        return self._result(requester, kept, method, called(*args, **kwargs))

    def _result(self, requester: _Requester, kept: _SharedObject, method: str, result: Any) -> list[Any]:
        typeid = kept.served.method_to_typeid.get(method)
        if typeid is None:
            return ["value", plain(result)]
        served = self._types.get(typeid)
        if served is None:
            raise UnknownObject(f"method_to_typeid of {method} names {typeid!r}, which is not registered")
        return self._keep(requester, typeid, served, result)

    def _drop(self, node: bytes, ident: bytes) -> list[Any]:
        kept = self._objects.get(ident)
        if kept is not None and kept.owner == node:
            self._forget(ident)
        return ["value", None]

    # memory

    def _grow(self, kept: _SharedObject, datum: Datum, more: int) -> None:
        """Charge more memory; raises QuotaExceeded. Counts what is put in; only when that exceeds the limit, measures the value."""
        with self._lock:
            if self._has_room(kept, more):
                self._count(kept, more)
                return
        there = weight(datum.serialized())
        with self._lock:
            self._count(kept, there - kept.weight)
            if not self._has_room(kept, more):
                raise self._refusal(kept)
            self._count(kept, more)

    def _refusal(self, kept: _SharedObject) -> QuotaExceeded:
        return QuotaExceeded(
            f"the objects of managers that this key made take {self._weights[kept.key]:,} bytes of memory, about, and all "
            f"{self._weights.total():,}; at most {KEY_MEMORY_BYTES_MAX:,} and {MEMORY_BYTES_MAX:,}: delete some, or remove "
            "elements"
        )

    def _has_room(self, kept: _SharedObject, more: int) -> bool:
        mine = kept.key == AUTHKEY_ID or self._weights[kept.key] + more <= KEY_MEMORY_BYTES_MAX
        return mine and self._weights.total() + more <= MEMORY_BYTES_MAX

    def _count(self, kept: _SharedObject, more: int) -> None:
        if not kept.gone:
            kept.weight += more
            self._weights[kept.key] += more

    def _forget(self, ident: bytes) -> None:
        with self._lock:
            kept = self._objects.pop(ident, None)
            if kept is not None:
                self._counts[kept.key] -= 1
                self._count(kept, -kept.weight)
                kept.gone = True

    # lost nodes

    def holds(self, node: bytes) -> bool:
        return any(kept.owner == node for kept in self._objects.copy().values())

    def node_lost(self, node: bytes, now: Now) -> bool:
        for ident in [ident for ident, kept in self._objects.copy().items() if kept.owner == node]:
            self._forget(ident)
        return False


def public_methods(thing: Any) -> tuple[str, ...]:
    """The methods that the standard library exposes by default."""
    names: Iterable[str] = dir(thing)
    return tuple(name for name in names if not name.startswith("_") and callable(getattr(thing, name)))


def _as_queue(typeid: str, thing: Any) -> list[Any]:
    if not thing.empty():
        raise InvalidArgument(
            f"{typeid}: its callable returns a queue with items in it; return an empty queue and put the items later"
        )
    kind = next((KINDS[one] for one in type(thing).__mro__ if one in KINDS), "fifo")
    return ["queue", QUEUES.get(typeid, typeid), kind, max(0, getattr(thing, "maxsize", 0))]
