"""The requests that a stock client may make, validated before anything is done. Pure.

A connection carries one question to the server (``dummy``, ``create``, …) or, after ``accept_connection``, any number of
calls of objects. An object is a queue; its ident is ``number/name``, so that nothing has to be remembered to serve it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ...common.domain.model import check_name
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..items.calls import MAXSIZE_MAX
from ..items.queue import KINDS
from .decoder import TokenRecord

EXPOSED: Final = (
    "put",
    "get",
    "put_nowait",
    "get_nowait",
    "qsize",
    "empty",
    "full",
    "task_done",
    "join",
    "shutdown",
)
GET_VALUE: Final = "#GETVALUE"
OF_EVERY_OBJECT: Final = ("__str__", "__repr__", GET_VALUE)  # for str(proxy) and proxy._getvalue()
PUBLIC: Final = (
    "dummy",
    "create",
    "incref",
    "decref",
    "accept_connection",
    "get_methods",
    "number_of_objects",
    "debug_info",
    "shutdown",
)
DEFAULT_NAMES: Final = {"get_task_queue": "default", "get_result_queue": "results", "get_queue": None}
PARAMETERS: Final = {
    "put": ("item", "block", "timeout"),
    "get": ("block", "timeout"),
    "put_nowait": ("item",),
    "shutdown": ("immediate",),
}
READS: Final[dict[str, Callable[[Any], Any]]] = {  # what a queue says of itself
    "qsize": lambda queue: queue.waiting,
    "empty": lambda queue: not queue.waiting,
    "full": lambda queue: queue.is_full,
    "__str__": lambda queue: f"<{queue.kind} queue {queue.name!r} of a tq-master>",
}
READS["__repr__"] = READS["__str__"]
SECONDS_MAX: Final = 1e8
REFERENCES_MAX: Final = 10_000  # counted; those unused for longest are forgotten, their queues stay reachable


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueRequest:
    """``seconds``: how long it waits; None: without end."""

    ident: str
    queue: str
    method: str
    item: Any = None
    seconds: float | None = None
    immediate: bool = False  # of a shutdown


@dataclass(frozen=True, kw_only=True, slots=True)
class Creation:
    queue: str
    kind: str | None = None
    maxsize: int = 0


def shown(value: Any) -> str:
    """The beginning of how Python shows it, for an error message."""
    try:
        return f"{brief(value, 60)}"
    except ValueError:  # a number of thousands of digits, which Python does not turn into text
        return f"a {type(value).__name__}"


class References:
    """How many proxies there are of each ident. Zero: its program has dropped all of them in good order.

    ``start``: where the numbers of idents begin; at random, so that a program that had one before a restart of the master
    does not drop another's.
    """

    def __init__(self, start: int) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._last = start

    def __len__(self) -> int:
        return len(self._counts)

    def new(self, queue: str) -> str:
        self._last += 1
        ident = f"{self._last:x}/{queue}"
        self._counts[ident] = 1
        if len(self._counts) > REFERENCES_MAX:
            self._counts.popitem(last=False)
        return ident

    def add(self, ident: str) -> None:
        if ident in self._counts:
            self._counts[ident] += 1

    def used(self, ident: str) -> None:
        if ident in self._counts:
            self._counts.move_to_end(ident)

    def drop(self, ident: str) -> bool:
        """Whether that was the last."""
        left = self._counts.get(ident, 0) - 1
        if left > 0:
            self._counts[ident] = left
        return left == 0 and self._counts.pop(ident, None) is not None


def split_request(request: Any) -> tuple[Any, str, tuple[Any, ...], dict[str, Any]]:
    """``(ident, method, args, kwds)``; raises InvalidArgument for anything else."""
    match request:
        case (ident, str(method), tuple(args), dict(kwds)) if all(type(name) is str for name in kwds):
            return ident, method, args, kwds
    raise InvalidArgument("a request is (ident, method, args, kwds)")


def queue_of(ident: Any) -> str:
    number, slash, name = ident.partition("/") if type(ident) is str else ("", "", "")
    if not (number and slash):
        raise InvalidArgument(f"no object is known as {shown(ident)}")
    return check_name("queue", name)


def ident_of(thing: Any) -> str:
    """From the only argument of incref, decref and get_methods."""
    ident = thing.id if isinstance(thing, TokenRecord) else thing
    queue_of(ident)
    return str(ident)


def read_creation(args: tuple[Any, ...], kwds: dict[str, Any]) -> Creation:
    typeid, *rest = args or ("",)
    if type(typeid) is not str or typeid not in DEFAULT_NAMES:
        known = ", ".join(DEFAULT_NAMES)
        raise InvalidArgument(f"the typeid {shown(typeid)} is not served here; there are {known}")
    names = ("name", "kind", "maxsize") if typeid == "get_queue" else ("name",)
    given = _bound(typeid, names, tuple(rest), kwds)
    kind, maxsize = given.get("kind"), given.get("maxsize", 0)
    if kind is not None and kind not in KINDS:
        raise InvalidArgument(f"kind must be one of {', '.join(KINDS)}, not {shown(kind)}")
    if type(maxsize) is not int or not 0 <= maxsize <= MAXSIZE_MAX:
        raise InvalidArgument(f"maxsize is a whole number from 0 to {MAXSIZE_MAX:,}")
    name = check_name("queue", given.get("name", DEFAULT_NAMES[typeid]))
    return Creation(queue=name, kind=kind or ("fifo" if maxsize else None), maxsize=maxsize)


def read_call(ident: Any, method: str, args: tuple[Any, ...], kwds: dict[str, Any]) -> QueueRequest:
    queue = queue_of(ident)
    if method not in EXPOSED and method not in OF_EVERY_OBJECT:
        raise InvalidArgument(f"method {brief(method, 60)} is not in exposed={EXPOSED!r}")
    given = _bound(method, PARAMETERS.get(method, ()), args, kwds)
    if method.startswith("put") and "item" not in given:
        raise InvalidArgument(f"{method}() missing the argument 'item'")
    seconds: float | None = None
    if method.endswith("_nowait"):
        method, seconds = method.removesuffix("_nowait"), 0.0
    elif not given.get("block", True):
        seconds = 0.0
    elif given.get("timeout") is not None:
        seconds = _seconds(given["timeout"])
    immediate = bool(given.get("immediate"))
    return QueueRequest(
        ident=ident, queue=queue, method=method, item=given.get("item"), seconds=seconds, immediate=immediate
    )


def _seconds(value: Any) -> float:
    if type(value) not in (int, float, bool) or not value >= 0:  # a NaN is not, either
        raise ValueError("'timeout' must be a non-negative number")
    return float(min(value, SECONDS_MAX))


def _bound(
    method: str, names: tuple[str, ...], args: tuple[Any, ...], kwds: dict[str, Any]
) -> dict[str, Any]:
    if len(args) > len(names) or set(kwds) & set(names[: len(args)]) or not set(kwds) <= set(names):
        raise InvalidArgument(f"{method}({', '.join(names)}) does not take these arguments")
    return {**dict(zip(names, args, strict=False)), **kwds}
