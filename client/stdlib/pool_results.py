"""What the calls of a Pool give: results to wait for and to iterate, as ``multiprocessing.pool`` documents them."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ...common.errors import TaskError, TqError
from ..core.fork import guard
from ..tasks.outcomes import TaskOutcome
from .exceptions import as_broken_cluster, rebuilt

if TYPE_CHECKING:
    from ..core.session import ClientSession

log = logging.getLogger("tq.client")

LENGTH, ABORTED = -1, -2  # in the place of a part's index
ARRIVALS_AT_ONCE: Final = (
    1_000  # that an iterator of imap reads: the feeder is to hear of it before all has been given out
)

Callback = Callable[[Any], object]

_lock = guard(threading.Lock())  # guards ``ChunkResult._claimed`` and ``MapResult._left``, each for a moment


class ChunkResult:
    """One task of a result: a call or a chunk. A ``submission_queue.Receiver``."""

    __slots__ = ("_claimed", "_result", "_session", "index", "task")

    def __init__(self, session: ClientSession, task: bytes, result: Result, index: int) -> None:
        self._session, self.task = session, task
        self._result, self.index = result, index
        self._claimed = False

    def ended(self, outcome: TaskOutcome) -> None:
        try:
            value = outcome.value(self.task, self._session)
        except TaskError as error:
            self.give_up(rebuilt(error))
        except (
            Exception
        ) as error:  # no such task; or a value that cannot be made here, whatever its class raised
            self.give_up(error)
        else:
            if self._claim():
                self._result.chunk_done(self.index, value)

    def failed(self, error: TqError) -> None:
        self.give_up(as_broken_cluster(error))

    def give_up(self, error: BaseException) -> None:
        """The result is this error, unless it is known already."""
        if self._claim():
            self._result.chunk_failed(self.index, error)

    def _claim(self) -> bool:
        """Whether the result has to be claimed: once, by the queue's own thread or by whoever gives up."""
        with _lock:
            claimed, self._claimed = self._claimed, True
        return not claimed


class AsyncResult:
    """The result of ``apply_async``. ``check_may_wait`` raises where waiting without an end would have none."""

    def __init__(
        self,
        check_may_wait: Callable[[], None],
        callback: Callback | None,
        error_callback: Callback | None,
    ) -> None:
        self._check_may_wait = check_may_wait
        self._callback, self._error_callback = callback, error_callback
        self._event = threading.Event()
        self._value: Any = None
        self._error: BaseException | None = None

    def get(self, timeout: float | None = None) -> Any:
        """The result, when it arrives. Raises what the call raised; multiprocessing.TimeoutError after ``timeout`` s."""
        self.wait(timeout)
        if not self._event.is_set():
            raise multiprocessing.TimeoutError
        if self._error is not None:
            raise self._error
        return self._value

    def wait(self, timeout: float | None = None) -> None:
        if timeout is None and not self._event.is_set():
            self._check_may_wait()
        self._event.wait(timeout)

    def ready(self) -> bool:
        return self._event.is_set()

    def successful(self) -> bool:
        """Whether the call ended without an exception; raises ValueError when it has not ended."""
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return self._error is None

    # for ChunkResult

    def chunk_done(self, index: int, value: Any) -> None:
        self._value = value
        self._finish()

    def chunk_failed(self, index: int, error: BaseException) -> None:
        self._error = error
        self._finish()

    def _finish(self) -> None:
        callback, argument = (
            (self._callback, self._value) if self._error is None else (self._error_callback, self._error)
        )
        try:
            if callback is not None:
                callback(argument)
        except Exception:
            log.exception("a callback of a pool's result raised")
        finally:
            self._event.set()


class MapResult(AsyncResult):
    """The result of ``map_async``: a list, complete; or the first exception, once all chunks have ended."""

    def __init__(
        self,
        check_may_wait: Callable[[], None],
        callback: Callback | None,
        error_callback: Callback | None,
        chunks: int,
    ) -> None:
        super().__init__(check_may_wait, callback, error_callback)
        self._parts: dict[int, list[Any]] = {}
        self._chunks = self._left = chunks
        if not chunks:
            self._value = []
            self._finish()

    def chunk_done(self, index: int, value: Any) -> None:
        self._parts[index] = value
        self._count_ended()

    def chunk_failed(self, index: int, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self._count_ended()

    def set_length(self, chunks: int) -> None:
        """So many there are: fewer than was expected, if the iterable broke or shrank."""
        self._count_ended(self._chunks - chunks)

    def abort(self, error: BaseException) -> None:
        """There will be no more, and nobody knows how many there would have been."""
        if self._error is None:
            self._error = error
        self._count_ended(self._left)

    def _count_ended(self, chunks: int = 1) -> None:
        with _lock:
            self._left -= chunks
            if self._left or not chunks:
                return
        self._value = [value for index in sorted(self._parts) for value in self._parts[index]]
        self._parts.clear()
        self._finish()


class _Failed(NamedTuple):
    """In the place of a chunk's results."""

    error: BaseException


class IMapIterator:
    """The iterator of ``imap``: a chunk's exception is raised in its turn, and ``next`` goes on behind it.

    Parts are put in order by whoever iterates: the queue's own thread only hands them over.
    """

    def __init__(self, check_may_wait: Callable[[], None]) -> None:
        self._check_may_wait = check_may_wait
        self.taken = 0  # parts that have been given out; a few more may have been
        self._wake: tuple[int, Callable[[], None]] | None = None
        self._ready: deque[Any] = deque()  # whose turn it is, to be given out
        self._lock = threading.Lock()  # guards the three below: several threads may iterate
        self._parts: dict[int, Any] = {}  # that have arrived before their turn
        self._begun = 0  # parts
        self._length: int | None = None
        self._is_aborted = False
        self._arrivals: SimpleQueue[tuple[int, Any]] = (
            SimpleQueue()
        )  # (index, results), (LENGTH, how many parts)

    def __iter__(self) -> IMapIterator:
        return self

    def __next__(self) -> Any:
        try:
            item = self._ready.popleft()
        except IndexError:
            return self.next()
        if type(item) is _Failed:
            raise item.error
        return item

    def next(self, timeout: float | None = None) -> Any:
        """The next result. Raises multiprocessing.TimeoutError when there is none within ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._lock.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            raise multiprocessing.TimeoutError
        try:
            while True:
                try:
                    item = self._ready.popleft()
                    break
                except IndexError:
                    if self._begun == self._length or self._is_aborted:
                        raise StopIteration from None
                self._read_arrivals(deadline)
        finally:
            self._lock.release()
        if type(item) is _Failed:
            raise item.error
        return item

    def _read_arrivals(self, deadline: float | None) -> None:
        """What there is, as far as it is read at once; waits for the first. All that was ready has been given out."""
        self.taken = self._begun
        if self._wake is not None and self.taken >= self._wake[0]:
            (_, wake), self._wake = self._wake, None
            wake()
        if deadline is None and self._arrivals.empty():
            self._check_may_wait()
        rest = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            index, part = self._arrivals.get(timeout=rest)
        except Empty:
            raise multiprocessing.TimeoutError from None
        for read in range(1, ARRIVALS_AT_ONCE + 1):
            if index == ABORTED:
                self._is_aborted = True
                self._ready.append(part)
                return
            if index == LENGTH:
                self._length = part
            else:
                self._arrived(index, part)
            if read == ARRIVALS_AT_ONCE or self._arrivals.empty():
                return
            index, part = self._arrivals.get()

    def _arrived(self, index: int, part: Sequence[Any]) -> None:
        if index != self._begun:
            self._parts[index] = part
            return
        turn: Sequence[Any] | None = part
        while turn is not None:
            self._begun += 1
            self._ready.extend(turn)
            turn = self._parts.pop(self._begun, None)

    # for ChunkResult and the feeder

    def call_when_taken(self, parts: int, wake: Callable[[], None]) -> None:
        """Call this once when so many have been taken."""
        self._wake = parts, wake

    def chunk_done(self, index: int, value: Any) -> None:
        self._arrivals.put((index, value))

    def chunk_failed(self, index: int, error: BaseException) -> None:
        self._arrivals.put((index, [_Failed(error)]))

    def set_length(self, chunks: int) -> None:
        """So many chunks there are."""
        self._arrivals.put((LENGTH, chunks))

    def abort(self, error: BaseException) -> None:
        """There will be no more: this stands behind what has arrived."""
        self._arrivals.put((ABORTED, _Failed(error)))


class IMapUnorderedIterator(IMapIterator):
    """The iterator of ``imap_unordered``."""

    def _arrived(self, index: int, part: Sequence[Any]) -> None:
        self._begun += 1
        self._ready.extend(part)


class DiscardedResults:
    """In the place of an iterator that nobody holds any more: nothing is kept for it."""

    def chunk_done(self, index: int, value: Any) -> None: ...
    def chunk_failed(self, index: int, error: BaseException) -> None: ...
    def set_length(self, chunks: int) -> None: ...
    def abort(self, error: BaseException) -> None: ...


DISCARDED: Final = DiscardedResults()

Parts = MapResult | IMapIterator | DiscardedResults
Result = AsyncResult | Parts
