"""The managers with built-in types: ``QueueManager`` has the tutorial's queues and all other kinds, ``SyncManager`` also
data, locks, events, barriers and pools. For each typeid a function makes a proxy from a manager.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

from ...common.values.codec import encode_call
from ..core.pickling import private_name
from ..items.queue import ItemQueue, SimpleQueue
from ..locks.events_and_barriers import Barrier, Event
from ..locks.locks import BoundedSemaphore, Condition, Lock, RLock, Semaphore
from .manager_pool import pool_of
from .managers import BaseManager
from .pool import Pool
from .proxies import TARGET

TASK_QUEUE, RESULT_QUEUE = "default", "results"  # the queues that every master has


class QueueManager(BaseManager):
    """The manager of the well-known tutorial, with the queues that every master has.

    It has ``get_task_queue()`` and ``get_result_queue()``, and makes a ``Queue``, ``JoinableQueue``, ``LifoQueue``,
    ``PriorityQueue`` and ``SimpleQueue``: with ``name=`` the durable queue of that name, else one that ends with the program.
    """


class SyncManager(QueueManager):
    """A ``multiprocessing.managers.SyncManager``: a QueueManager that also has data, locks and pools.

    It makes a ``dict``, ``list``, ``Namespace``, ``Value`` and ``Array``, a ``Lock``, ``RLock``, ``Semaphore``,
    ``BoundedSemaphore``, ``Condition``, ``Event`` and ``Barrier``, and a ``Pool``. An object with ``name=`` is shared by all
    programs that use this name; one without ends with the program that made it.
    """


def _fixed_queue(name: str) -> Callable[..., ItemQueue]:
    def make(manager: BaseManager) -> ItemQueue:
        return ItemQueue(manager.app.session, name)

    return make


def _named_queue(kind: str) -> Callable[..., ItemQueue]:
    """``manager.Queue(maxsize=0, name=None)``: a private queue, or the durable queue of that name."""

    def make(manager: BaseManager, maxsize: int = 0, *, name: str | None = None) -> ItemQueue:
        mine = name is None
        return ItemQueue(
            manager.app.session, private_name(kind) if name is None else name, kind, maxsize, mine=mine
        )

    return make


def _simple_queue(manager: BaseManager, *, name: str | None = None) -> SimpleQueue:
    return SimpleQueue(
        manager.app.session, private_name("fifo") if name is None else name, "fifo", mine=name is None
    )


def _sync(kind: Callable[..., Any]) -> Callable[..., Any]:
    def make(manager: BaseManager, /, *args: Any, **kwds: Any) -> Any:
        return kind(manager.app.session, *args, **kwds)

    return make


def _data(typeid: str, made_here: Callable[..., tuple[Any, ...]]) -> Callable[..., Any]:
    """``manager.dict(…, name=None)``: an object that ends with this program, or the durable one of that name, created with
    these arguments if it does not exist. ``made_here``: turns arguments into values that can be sent."""

    def make(manager: BaseManager, /, *args: Any, name: str | None = None, **kwds: Any) -> Any:
        payload = encode_call(made_here(*args), kwds)
        if name is None:
            return manager._ask(TARGET, "create", typeid, payload)
        return manager._ask(("get_datum", typeid, name), "make", payload)

    return make


def _as_given(*args: Any) -> tuple[Any, ...]:
    return args


def _as_dict(*args: Any) -> tuple[Any, ...]:
    """The pairs may come from any iterable, such as a zip."""
    return (dict(*args),) if args else args


def _as_list(*args: Any) -> tuple[Any, ...]:
    return (list(*args),) if args else args


def _as_array(*args: Any) -> tuple[Any, ...]:
    """The elements as numbers, from any iterable; one that is no number of this type is refused here. Bytes are sent unchanged: they
    are the array's machine values."""
    typecode, *rest = args if args else ("",)
    if len(rest) == 1 and not isinstance(rest[0], (bytes, str)):
        return typecode, array(typecode, rest[0]).tolist()
    return args


def _pool(manager: BaseManager, /, *args: Any, **kwds: Any) -> Pool:
    manager._pools += 1
    return pool_of(manager.app, manager._cluster, manager._pools, *args, **kwds)


QueueManager._offer(
    {
        "get_task_queue": _fixed_queue(TASK_QUEUE),
        "get_result_queue": _fixed_queue(RESULT_QUEUE),
        "Queue": _named_queue("fifo"),
        "JoinableQueue": _named_queue("fifo"),
        "LifoQueue": _named_queue("lifo"),
        "PriorityQueue": _named_queue("priority"),
        "SimpleQueue": _simple_queue,
    }
)
SyncManager._offer(
    {
        **{kind.__name__: _sync(kind) for kind in (Barrier, BoundedSemaphore, Condition, Event)},
        **{kind.__name__: _sync(kind) for kind in (Lock, RLock, Semaphore)},
        "dict": _data("dict", _as_dict),
        "list": _data("list", _as_list),
        "Namespace": _data("Namespace", _as_given),
        "Value": _data("Value", _as_given),
        "Array": _data("Array", _as_array),
        "Pool": _pool,
    }
)
