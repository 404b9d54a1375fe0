"""``tq.Pool``: ``multiprocessing.Pool`` whose processes are all the workers of a cluster.

Argument names, defaults, blocking, exceptions and the order of results are as the standard library documents them. A
chunk is one task: durable, retried according to the pool's options, and run by any free worker.

::

    map, imap, … ──► feeder thread: encodes chunks, a bounded number under way ──► SubmissionQueue
    AsyncResult, iterators of imap  ◄────────── submissions thread ◄─────────────────────┘
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sized
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, cast

from ...common.domain.model import Delivery, Role, TaskOptions
from ...common.errors import InvalidArgument
from ...common.runtime.discovery import discover
from ...common.wire.caller import ambient
from ..app import App
from ..local.local import start_embedded_cluster
from .pool_feeder import Feeder, IterableFeed, connected_slots, paced_feed
from .pool_pace import ChunkPace
from .pool_results import AsyncResult, IMapIterator, IMapUnorderedIterator, MapResult
from .remote_functions import RemoteFunctions
from .submission_queue import UNREACHABLE_SECONDS_MAX, SubmissionQueue

if TYPE_CHECKING:
    from typing import Unpack

    from ..tasks.options import Options

RUN, CLOSE, TERMINATE = "RUN", "CLOSE", "TERMINATE"  # as multiprocessing.pool shows them

Callback = Callable[[Any], object]


class Pool:
    """A ``multiprocessing.Pool`` whose processes are all the workers of a cluster.

    If no master is configured, the pool starts its own cluster on this machine. As with multiprocessing, a script then needs
    ``if __name__ == "__main__":`` around the code that starts the work.

    Args:
        processes: Of the pool's own cluster: how many tasks run at a time; by default the number of cores. Of any other: the
            number that ``map`` assumes when it chooses the size of chunks; by default the slots of the connected workers.
        initializer: Refused: the processes are the workers'.
        initargs: Refused, as ``initializer``.
        maxtasksperchild: Refused: it is an option of ``tq-worker``.
        context: Refused, as ``maxtasksperchild``.
        url: Address of the master, as for ``App``.
        authkey: Key, as for ``App``.
        app: An App to use in place of ``url`` and ``authkey``.
        master_timeout: Seconds that the master may be unreachable before all waiting calls fail with BrokenCluster; by
            default 300. None: no limit.
        options: The queue and options of ``App.task``, for all tasks.

    Raises:
        InvalidArgument: An argument is refused, or an option cannot be used.

    Example::

        with tq.Pool() as pool:
            print(pool.map(math.sqrt, range(1000)))
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., Any] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
        context: Any = None,
        *,
        url: str | None = None,
        authkey: str | None = None,
        app: App | None = None,
        master_timeout: float | None = UNREACHABLE_SECONDS_MAX,
        **options: Unpack[Options],
    ) -> None:
        if processes is not None and processes < 1:
            raise ValueError("Number of processes must be at least 1")
        if initializer is not None or tuple(initargs):
            raise InvalidArgument(
                "this pool cannot initialise the processes of workers; do that where the function's module is imported; "
                "for a connection and the like write a function with functools.cache that returns it"
            )
        if maxtasksperchild is not None or context is not None:
            raise InvalidArgument(
                "maxtasksperchild and context are settings of the workers: tq-worker --max-tasks-per-child N"
            )
        cluster = None
        if (
            # Nothing names a master: not an argument, not a worker around us, not the environment.
            app is None
            and url is None
            and ambient() is None
            and discover(None, None, Role.CLIENT).url is None
        ):
            cluster = start_embedded_cluster(processes, None)
            url, authkey = cluster.url, cluster.key("client")
        self._app = app or App(url, authkey)
        self._submissions = SubmissionQueue(self._app.session, master_timeout)
        if app is None:
            # An App of the caller stays open.
            self._submissions.on_end.append(self._app.session.close)
        if cluster is not None:
            cluster.on_end.append(self._submissions.mark_broken)
            self._submissions.on_end.append(cluster.stop)
        self._functions = RemoteFunctions(self._app.session, options, joins_calls=True)
        self._processes, self._has_processes = processes, processes is not None
        self._feeder = Feeder(self._app.session, self._submissions)
        self._state = RUN  # guarded by the feeder's lock

    def __repr__(self) -> str:
        return f"<tq.Pool state={self._state} {self._app!r}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    # one call

    def apply(self, func: Callable[..., Any], args: Iterable[Any] = (), kwds: Mapping[str, Any] = {}) -> Any:
        """Run ``func(*args, **kwds)`` on a worker and wait for it.

        Args:
            func: A function that a worker can import by its name.
            args: Its positional arguments.
            kwds: Its keyword arguments.

        Returns:
            What the function returned. Its exception is raised here.
        """
        return self.apply_async(func, args, kwds).get()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] = {},
        callback: Callback | None = None,
        error_callback: Callback | None = None,
    ) -> AsyncResult:
        """Start ``func(*args, **kwds)`` on a worker.

        Args:
            func: A function that a worker can import by its name.
            args: Its positional arguments.
            kwds: Its keyword arguments.
            callback: Called in a thread with the result.
            error_callback: Called in a thread with the exception.

        Returns:
            The result to come, with ``get``, ``wait``, ``ready`` and ``successful``.
        """
        self._check_running()
        remote, args, kwds = self._functions.of(func), tuple(args), dict(kwds)
        result = AsyncResult(self._submissions, callback, error_callback)
        self._feeder.send_one(remote, lambda met: remote.payload(args, kwds, met), result)
        return result

    # many calls, one result

    def map(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None
    ) -> list[Any]:
        """Do as ``list(map(func, iterable))`` on the workers, and wait for all results.

        Args:
            func: A function that a worker can import by its name.
            iterable: The items.
            chunksize: Number of items that are one task. By default it follows the pace of the function: the first tasks are
                single items, later ones take about 50 ms, the last ones are small again.

        Returns:
            The results, in order.
        """
        return cast("list[Any]", self.map_async(func, iterable, chunksize).get())

    def map_async(
        self,
        func: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callback | None = None,
        error_callback: Callback | None = None,
    ) -> MapResult:
        """Start ``map``.

        Args:
            func: A function that a worker can import by its name.
            iterable: The items.
            chunksize: Number of items that are one task. By default it follows the pace of the function: the first tasks are
                single items, later ones take about 50 ms, the last ones are small again.
            callback: Called in a thread with the list of results.
            error_callback: Called in a thread with the first exception.

        Returns:
            The list to come, with ``get``, ``wait``, ``ready`` and ``successful``.
        """
        return self._map_async(func, iterable, chunksize, callback, error_callback, star=False)

    def starmap(
        self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]], chunksize: int | None = None
    ) -> list[Any]:
        """Do as ``map``, with the parts of each item as positional arguments.

        Args:
            func: A function that a worker can import by its name.
            iterable: The items, each a tuple.
            chunksize: Number of items that are one task. By default it follows the pace of the function: the first tasks are
                single items, later ones take about 50 ms, the last ones are small again.

        Returns:
            The results, in order.
        """
        return cast("list[Any]", self.starmap_async(func, iterable, chunksize).get())

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callback | None = None,
        error_callback: Callback | None = None,
    ) -> MapResult:
        """Start ``starmap``.

        Args:
            func: A function that a worker can import by its name.
            iterable: The items, each a tuple.
            chunksize: Number of items that are one task. By default it follows the pace of the function: the first tasks are
                single items, later ones take about 50 ms, the last ones are small again.
            callback: Called in a thread with the list of results.
            error_callback: Called in a thread with the first exception.

        Returns:
            The list to come, with ``get``, ``wait``, ``ready`` and ``successful``.
        """
        return self._map_async(func, iterable, chunksize, callback, error_callback, star=True)

    # many calls, one result after the other

    def imap(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None
    ) -> IMapIterator:
        """Yield results in order, each as soon as possible.

        Args:
            func: A function that a worker can import by its name.
            iterable: The items; it may have no end, and is read as results are taken.
            chunksize: Number of items that are one task. By default it follows the pace of the function, as ``map``'s: items that
                take about 50 ms together, and single ones at first, for slow functions and while a worker is free. What an item
                raises is its own and the others go on. When a worker dies, the items of its chunks run again. Each item is a task
                of its own if the pool has ``retries``, a ``timeout`` or ``delivery="at_most_once"``, or with a chunksize of 1.

        Returns:
            An iterator, whose ``next(timeout)`` takes seconds.
        """
        return self._imap(IMapIterator(self._submissions), func, iterable, chunksize)

    def imap_unordered(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None
    ) -> IMapIterator:
        """Yield results in the order of arrival.

        Args:
            func: A function that a worker can import by its name.
            iterable: The items; it may have no end, and is read as results are taken.
            chunksize: Number of items that are one task. By default it follows the pace of the function, as ``map``'s: items that
                take about 50 ms together, and single ones at first, for slow functions and while a worker is free. What an item
                raises is its own and the others go on. When a worker dies, the items of its chunks run again. Each item is a task
                of its own if the pool has ``retries``, a ``timeout`` or ``delivery="at_most_once"``, or with a chunksize of 1.

        Returns:
            An iterator, whose ``next(timeout)`` takes seconds.
        """
        return self._imap(IMapUnorderedIterator(self._submissions), func, iterable, chunksize)

    # the end

    def close(self) -> None:
        """Accept no more work; accepted work is still done."""
        with self._feeder.lock:
            if self._state == RUN:
                self._state = CLOSE
                self._feeder.close()

    def terminate(self) -> None:
        """Accept no more work and cancel all accepted work, running tasks included. Calls that wait get an error."""
        self.close()
        self._state = TERMINATE
        self._feeder.terminate()

    def join(self) -> None:
        """Wait until all accepted work is done; call ``close`` or ``terminate`` before.

        Raises:
            ValueError: The pool still accepts work.
        """
        if self._state == RUN:
            raise ValueError("Pool is still running")
        self._feeder.join()
        self._submissions.join()

    def __enter__(self) -> Self:
        self._check_running()
        return self

    def __exit__(self, *error: object) -> None:
        self.terminate()

    def __del__(self, warn: Callable[..., None] = warnings.warn) -> None:
        if getattr(self, "_state", None) == RUN:
            warn(f"unclosed running multiprocessing pool {self!r}", ResourceWarning, source=self)
            self.close()

    # inside

    def _check_running(self) -> None:
        if self._state != RUN:
            raise ValueError("Pool not running")
        self._submissions.check_not_broken()

    def _map_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        chunksize: int | None,
        callback: Callback | None,
        error_callback: Callback | None,
        *,
        star: bool,
    ) -> MapResult:
        self._check_running()
        if chunksize is not None:
            _check_chunk_size(chunksize)
        remote = self._functions.of(func)
        items = iterable if isinstance(iterable, Sized) else list(iterable)
        length = len(items)
        size = chunksize or ChunkPace(length, self._slots() if length else 1)
        most = length if chunksize is None else -(-length // chunksize)
        result = MapResult(self._submissions, callback, error_callback, most)
        if length:
            feed = IterableFeed(remote, islice(items, length), size, result, star=star)
            feed.counts_slots = not self._has_processes
            self._feed(feed)
        return result

    def _imap(
        self,
        result: IMapIterator,
        func: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: int | None,
    ) -> IMapIterator:
        self._check_running()
        if chunksize is not None:
            _check_chunk_size(chunksize)
        remote, items = self._functions.of(func), iter(iterable)
        if chunksize is None and _may_be_joined(remote.kind.choice.options):
            feed = paced_feed(remote, iterable, items, self._slots(), result)
            feed.counts_slots = not self._has_processes
        else:
            feed = IterableFeed(remote, items, chunksize or 1, result)
        self._feed(feed)
        return result

    def _feed(self, feed: IterableFeed) -> None:
        with self._feeder.lock:
            self._check_running()
            self._feeder.feed(feed)

    def _slots(self) -> int:
        """The number of task slots of the cluster."""
        if self._processes is None:
            self._processes = connected_slots(self._app.session.ask(("get_workers",), "list"))
        return self._processes


def _check_chunk_size(chunksize: int) -> None:
    if chunksize < 1:
        raise ValueError(f"Chunksize must be 1+, not {chunksize:n}")


def _may_be_joined(options: TaskOptions) -> bool:
    """Whether several items may be one task: with these options a user counts on what holds for each of them alone."""
    return not options.retries and options.timeout is None and options.delivery == Delivery.AT_LEAST_ONCE
