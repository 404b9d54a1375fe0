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


def _fixed_queue(name: str, what: str) -> Callable[..., ItemQueue]:
    def make(self: BaseManager) -> ItemQueue:
        return ItemQueue(self.app.session, name)

    # An f-string is not taken for a docstring.
    make.__doc__ = f"""Return the queue ``{name}``, which every master has: where {what} are put.

    Returns:
        A ``queue.Queue`` that all programs share.
    """
    return make


def _named_queue(kind: str, what: str) -> Callable[..., ItemQueue]:
    def make(self: BaseManager, maxsize: int = 0, *, name: str | None = None) -> ItemQueue:
        mine = name is None
        return ItemQueue(
            self.app.session, private_name(kind) if name is None else name, kind, maxsize, mine=mine
        )

    make.__doc__ = f"""Make a {what}, or find the one of this name.

    Args:
        maxsize: Items that it holds at most; by default 0, for no limit.
        name: Name of a durable queue that all programs share; by default it ends with this program.

    Returns:
        What has the methods of ``queue.Queue``.

    Raises:
        InvalidArgument: There is a queue of this name that is of another kind or size.
    """
    return make


def _simple_queue(self: BaseManager, *, name: str | None = None) -> SimpleQueue:
    """Make a ``queue.SimpleQueue``, or find the one of this name: without a limit, ``task_done`` and ``join``.

    Args:
        name: Name of a durable queue that all programs share; by default it ends with this program.

    Returns:
        What has the methods of ``queue.SimpleQueue``.
    """
    return SimpleQueue(
        self.app.session, private_name("fifo") if name is None else name, "fifo", mine=name is None
    )


def _lock(self: BaseManager, name: str | None = None) -> Lock:
    """Make a lock as ``threading.Lock``, over all processes of the cluster, or find the one of this name.

    Args:
        name: Name of a lock that all programs share; by default it ends with this program.

    Returns:
        The lock. A holder that dies releases it within the master's ``grace_seconds``.
    """
    return Lock(self.app.session, name)


def _rlock(self: BaseManager, name: str | None = None) -> RLock:
    """Make a lock that its owner may acquire again, as ``threading.RLock``, or find the one of this name.

    Args:
        name: Name of a lock that all programs share; by default it ends with this program.

    Returns:
        The lock. Its owner is a thread of a process.
    """
    return RLock(self.app.session, name)


def _semaphore(self: BaseManager, value: int = 1, name: str | None = None) -> Semaphore:
    """Make a semaphore as ``threading.Semaphore``, or find the one of this name.

    Args:
        value: Permits that there are, from 0; by default 1.
        name: Name of a semaphore that all programs share; by default it ends with this program.

    Returns:
        The semaphore. A holder that dies releases its permits.

    Raises:
        ValueError: The value is negative.
    """
    return Semaphore(self.app.session, value, name)


def _bounded_semaphore(self: BaseManager, value: int = 1, name: str | None = None) -> BoundedSemaphore:
    """Make a semaphore whose permits only their holders release, as ``threading.BoundedSemaphore``.

    Args:
        value: Permits that there are, from 0; by default 1.
        name: Name of a semaphore that all programs share; by default it ends with this program.

    Returns:
        The semaphore. A holder that dies releases its permits.

    Raises:
        ValueError: The value is negative.
    """
    return BoundedSemaphore(self.app.session, value, name)


def _condition(self: BaseManager, lock: Lock | RLock | None = None, name: str | None = None) -> Condition:
    """Make a condition as ``threading.Condition``, or find the one of this name.

    Args:
        lock: A Lock or RLock of this manager; by default an RLock of its own.
        name: Name of a condition that all programs share; by default it ends with this program.

    Returns:
        The condition. Its ``wait`` may wake up without a notification, after a lost connection; ``wait_for`` looks again.

    Raises:
        InvalidArgument: The lock is none of this manager.
    """
    return Condition(self.app.session, lock, name)


def _event(self: BaseManager, name: str | None = None) -> Event:
    """Make an event as ``threading.Event``, or find the one of this name.

    Args:
        name: Name of an event that all programs share; by default it ends with this program.

    Returns:
        The event.
    """
    return Event(self.app.session, name)


def _barrier(
    self: BaseManager,
    parties: int,
    action: Callable[[], object] | None = None,
    timeout: float | None = None,
    name: str | None = None,
) -> Barrier:
    """Make a barrier as ``threading.Barrier``, or find the one of this name.

    Args:
        parties: How many have to wait until all go on, from 1.
        action: Refused: write ``if barrier.wait() == 0: action()``.
        timeout: Seconds that ``wait`` waits; by default there is no limit.
        name: Name of a barrier that all programs share; by default it ends with this program.

    Returns:
        The barrier.

    Raises:
        InvalidArgument: An action is given.
        ValueError: There are no parties.
    """
    return Barrier(self.app.session, parties, action, timeout, name)


def _data(typeid: str, made_here: Callable[..., tuple[Any, ...]], what: str) -> Callable[..., Any]:
    """``made_here``: turns arguments into values that can be sent. ``what``: it is, and takes."""

    # Positional: a Namespace may have an attribute ``self``.
    def make(self: BaseManager, /, *args: Any, name: str | None = None, **kwds: Any) -> Any:
        payload = encode_call(made_here(*args), kwds)
        if name is None:
            return self._ask(TARGET, "create", typeid, payload)
        return self._ask(("get_datum", typeid, name), "make", payload)

    make.__doc__ = f"""Make {what}, or find the one of this name.

    Args:
        args: As the standard library's takes them; those of the first program count.
        name: Name of a durable one that all programs share; by default it is in the master's memory and ends with this program.
        kwds: As the standard library's takes them.

    Returns:
        A proxy. A call returns when what it changed is on disk, if it has a name.

    Raises:
        NotSerializable: A value is not plain data.
    """
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
    # Made here: an element that does not fit fails with the error of ``array`` itself.
    if len(rest) == 1 and not isinstance(rest[0], (bytes, str)):
        return typecode, array(typecode, rest[0]).tolist()
    return args


def _pool(self: BaseManager, /, *args: Any, **kwds: Any) -> Pool:
    """Make a pool whose processes are this manager's, or the workers of the cluster it is connected to.

    Args:
        args: As ``tq.Pool`` takes them.
        kwds: As ``tq.Pool`` takes them.

    Returns:
        The pool, which may be passed to other processes of this program.
    """
    self._pools += 1
    return pool_of(self.app, self._cluster, self._pools, *args, **kwds)


QueueManager._offer(
    {
        "get_task_queue": _fixed_queue(TASK_QUEUE, "tasks"),
        "get_result_queue": _fixed_queue(RESULT_QUEUE, "results"),
        "Queue": _named_queue("fifo", "queue"),
        "JoinableQueue": _named_queue("fifo", "queue"),
        "LifoQueue": _named_queue("lifo", "stack: the item that was put last is got first"),
        "PriorityQueue": _named_queue("priority", "queue that is ordered by its items"),
        "SimpleQueue": _simple_queue,
    }
)
SyncManager._offer(
    {
        "Lock": _lock,
        "RLock": _rlock,
        "Semaphore": _semaphore,
        "BoundedSemaphore": _bounded_semaphore,
        "Condition": _condition,
        "Event": _event,
        "Barrier": _barrier,
        "dict": _data("dict", _as_dict, "a dict"),
        "list": _data("list", _as_list, "a list"),
        "Namespace": _data("Namespace", _as_given, "an object with attributes"),
        "Value": _data("Value", _as_given, "a ``Value`` of a typecode and a value"),
        "Array": _data("Array", _as_array, "an ``Array`` of a typecode and its elements"),
        "Pool": _pool,
    }
)
