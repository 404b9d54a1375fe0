"""``tq.Pool``: ``multiprocessing.Pool`` whose processes are all the workers of a cluster.

Argument names, defaults, blocking, exceptions and the order of results are those of the standard library's
documentation. A chunk is one task: durable, retried as the pool's options say, and run by whoever is free.

::

    map, imap, … ──► feeder thread: encodes chunks, a bounded number under way ──► Courier
    AsyncResult, iterators of imap  ◄────────── courier thread ◄─────────────────────┘
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Self, cast

from ..common.blob import Blob
from ..common.codec import encode_chunk
from ..common.discovery import discover
from ..common.errors import InvalidArgument, TqError
from ..common.ids import new_ids
from ..common.link import ambient
from ..common.model import Role
from .app import App
from .courier import Courier
from .handle import TASKS
from .local import own_cluster
from .pool_results import AsyncResult, IMapIterator, IMapUnorderedIterator, MapResult, Piece
from .sendable import Sendable, Sendables

if TYPE_CHECKING:
    from typing import Unpack

    from .options import Options

UNDER_WAY_MAX: Final = (
    20_000  # chunks sent and not yet answered: an iterable without end costs bounded memory
)
CANCEL_TASKS_MAX: Final = 10_000  # in one call
CHUNKS_PER_SLOT: Final = 4  # of a map, as in the standard library

Callback = Callable[[Any], object]
Work = tuple[Piece, Callable[[list[Blob]], bytes]]
"""Who waits, and what makes the payload; it tells the blobs that this names."""
Feed = tuple[Iterator[Work], Sendable]


class Pool:
    """``with tq.Pool() as pool: pool.map(math.sqrt, range(1000))``

    ``url`` and ``authkey`` as for ``tq.App``, and the options of tasks as for ``app.task``. Where no master is
    named anywhere, the pool has a cluster of its own on this machine, with so many ``processes``. For any other
    ``processes`` is how many it is taken to have when ``map`` chooses its chunks; without it the master is asked.
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
        **options: Unpack[Options],
    ) -> None:
        if processes is not None and processes < 1:
            raise ValueError("Number of processes must be at least 1")
        if initializer is not None or tuple(initargs):
            raise InvalidArgument(
                "a worker's processes are not this pool's to initialise; do it where the function's module is imported, "
                "or in a function with functools.cache that it calls first"
            )
        if maxtasksperchild is not None or context is not None:
            raise InvalidArgument(
                "maxtasksperchild and context belong to whoever starts the workers: tq-worker --max-tasks-per-child N"
            )
        cluster = None
        if (
            app is None
            and url is None
            and ambient() is None
            and discover(None, None, Role.CLIENT).url is None
        ):
            cluster = own_cluster(processes, None)
            url, authkey = cluster.url, cluster.key("client")
        self._app = app or App(url, authkey)
        self._courier = Courier(self._app)
        if app is None:
            self._courier.at_end.append(self._app.close)
        if cluster is not None:
            self._courier.at_end.append(cluster.stop)
        self._sendables = Sendables(self._app, options)
        self._processes = processes
        self._lock = threading.Lock()
        self._running = True  # guarded by the lock, together with starting the feeder
        self._terminated = False
        self._feeder: threading.Thread | None = None
        self._feeds: SimpleQueue[Feed | None] = SimpleQueue()
        self._room = threading.Semaphore(UNDER_WAY_MAX)

    def __repr__(self) -> str:
        state = "RUN" if self._running else "TERMINATE" if self._terminated else "CLOSE"
        return f"<tq.Pool state={state} {self._app!r}>"

    # one call

    def apply(self, func: Callable[..., Any], args: Iterable[Any] = (), kwds: Mapping[str, Any] = {}) -> Any:
        """``func(*args, **kwds)`` on a worker; waits for it."""
        return self.apply_async(func, args, kwds).get()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] = {},
        callback: Callback | None = None,
        error_callback: Callback | None = None,
    ) -> AsyncResult:
        self._check_running()
        sendable, args = self._sendables.of(func), tuple(args)
        result = AsyncResult(callback, error_callback)
        self._feed(sendable, iter([(self._piece(result, 0), lambda met: sendable.payload(args, kwds, met))]))
        return result

    # many calls, one result

    def map(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None
    ) -> list[Any]:
        """``list(map(func, iterable))`` on the workers; waits for all."""
        return cast("list[Any]", self.map_async(func, iterable, chunksize).get())

    def map_async(
        self,
        func: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callback | None = None,
        error_callback: Callback | None = None,
    ) -> MapResult:
        return self._map_async(func, iterable, chunksize, callback, error_callback, star=False)

    def starmap(
        self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]], chunksize: int | None = None
    ) -> list[Any]:
        """As ``map``, but each item is all arguments of a call."""
        return cast("list[Any]", self.starmap_async(func, iterable, chunksize).get())

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callback | None = None,
        error_callback: Callback | None = None,
    ) -> MapResult:
        return self._map_async(func, map(tuple, iterable), chunksize, callback, error_callback, star=True)

    # many calls, one result after the other

    def imap(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1) -> IMapIterator:
        """Results in order, each as soon as it is its turn. ``iterable`` may have no end."""
        return self._imap(IMapIterator(), func, iterable, chunksize)

    def imap_unordered(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1
    ) -> IMapIterator:
        """Results as they come."""
        return self._imap(IMapUnorderedIterator(), func, iterable, chunksize)

    # the end

    def close(self) -> None:
        """Take no more work; what was taken is done."""
        with self._lock:
            if not self._running:
                return
            self._running = False
            if self._feeder is not None:
                self._feeds.put(None)
            else:
                self._courier.close()

    def terminate(self) -> None:
        """Take no more work, and cancel what was taken, also what runs. Who waits for a result is told."""
        self._terminated = True
        self.close()
        self._give_up([piece for piece in self._courier.waiting() if isinstance(piece, Piece)])

    def join(self) -> None:
        """Wait until everything taken is done; after ``close`` or ``terminate``."""
        if self._running:
            raise ValueError("Pool is still running")
        if self._feeder is not None:
            self._feeder.join()
        self._courier.join()

    def __enter__(self) -> Self:
        self._check_running()
        return self

    def __exit__(self, *error: object) -> None:
        self.terminate()

    def __del__(self, warn: Callable[..., None] = warnings.warn) -> None:
        if getattr(self, "_running", False):
            warn(f"unclosed running pool {self!r}", ResourceWarning, source=self)
            self.close()

    # inside

    def _give_up(self, pieces: list[Piece]) -> None:
        """Nobody waits for these any more: tell who did, and the master."""
        for piece in pieces:
            piece.give_up(_terminated())
        ids = [piece.task for piece in pieces]
        try:
            for start in range(0, len(ids), CANCEL_TASKS_MAX):
                self._app.call(TASKS, "cancel", ids[start : start + CANCEL_TASKS_MAX])
        except TqError as error:
            warnings.warn(f"tasks of the terminated pool may go on: {error}", RuntimeWarning, stacklevel=3)

    def _check_running(self) -> None:
        if not self._running:
            raise ValueError("Pool not running")

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
        sendable = self._sendables.of(func)
        items = iterable if isinstance(iterable, Sequence) else list(iterable)
        size = chunksize or max(1, -(-len(items) // (self._slots() * CHUNKS_PER_SLOT)))
        result = MapResult(-(-len(items) // size), callback, error_callback)
        self._feed(sendable, self._chunks(iter(items), size, result, star=star))
        return result

    def _imap(
        self, result: IMapIterator, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int
    ) -> IMapIterator:
        self._check_running()
        if chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize:n}")
        self._feed(self._sendables.of(func), self._watched(iter(iterable), chunksize, result))
        return result

    def _watched(self, items: Iterator[Any], size: int, result: IMapIterator) -> Iterator[Work]:
        """The chunks of an imap, whose iterator is told how many there were, or that the iterable broke."""
        sent = 0
        try:
            for chunk in self._chunks(items, size, result, star=False):
                sent += 1
                yield chunk
        except Exception as error:  # of the user's iterable: it is told in its place, as the last result
            result.piece_failed(sent, error)
            sent += 1
        result.set_length(sent)

    def _chunks(
        self, items: Iterator[Any], size: int, result: AsyncResult | IMapIterator, *, star: bool
    ) -> Iterator[Work]:
        index = 0
        while chunk := list(islice(items, size)):
            yield (
                self._piece(result, index),
                partial(encode_chunk, chunk, star=star, first=index * size),
            )
            index += 1

    def _piece(self, result: AsyncResult | IMapIterator, index: int) -> Piece:
        return Piece(self._app, new_ids(), result, index, self._room.release)

    def _slots(self) -> int:
        """How many processes the cluster has."""
        if self._processes is None:
            rows = self._app.call(("get_workers",), "list")
            self._processes = max(1, sum(row["slots"] for row in rows if row["connected"]))
        return self._processes

    def _feed(self, sendable: Sendable, works: Iterator[Work]) -> None:
        with self._lock:
            self._check_running()
            if self._feeder is None:
                self._feeder = threading.Thread(target=self._run_feeder, name="tq-pool-feeder", daemon=True)
                self._feeder.start()
        self._feeds.put((works, sendable))

    def _run_feeder(self) -> None:
        while (feed := self._feeds.get()) is not None:
            works, sendable = feed
            for piece, make_payload in works:
                if self._terminated:
                    piece.abandon(_terminated())
                    break
                self._room.acquire()
                try:
                    blobs: list[Blob] = []
                    payload = make_payload(blobs)
                    self._courier.send(sendable.name, sendable.choice, payload, piece, blobs)
                except Exception as error:  # an item that cannot travel, or no address: told as its result
                    self._room.release()
                    piece.give_up(error)
                if self._terminated:  # terminate() may have looked just before this one was sent
                    self._give_up([piece])
        self._courier.close()


def _terminated() -> RuntimeError:
    return RuntimeError("the pool was terminated")
