"""The results of a Pool's calls, to wait for or to iterate over, as ``multiprocessing.pool`` documents them."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ...common.domain.model import StateNumber
from ...common.errors import ProtocolError, TaskError, TqError
from ...common.values.failure import Failure, to_error
from ..core.fork import guard
from ..tasks.lent_slot import wait_lending
from ..tasks.outcomes import TaskOutcome
from .exceptions import as_broken_cluster, rebuilt
from .timed_waits import TimedWait

if TYPE_CHECKING:
    from ..core.session import ClientSession
    from .submission_queue import SubmissionQueue

log = logging.getLogger("tq.client")

LENGTH, ABORTED = -1, -2  # used in place of a part's index
# Read by an iterator of imap: so the feeder can refill before the iterator runs empty
ARRIVALS_AT_ONCE: Final = 1_000

Callback = Callable[[Any], object]

_lock = guard(threading.Lock())  # guards ``ChunkResult._claimed`` and ``MapResult._left``, each for a moment


@dataclass(frozen=True, slots=True)
class _Failed:
    """An error in place of a result, or of a chunk's results."""

    _tq_in_place_of_a_result: ClassVar[bool] = True  # see common/values/shapes.py
    error: BaseException


class ChunkResult:
    """One task of a result, a call or a chunk: passes its outcome on. A ``submission_queue.Receiver``."""

    __slots__ = ("_claimed", "_on_end", "_received", "_result", "_session", "index", "task")

    def __init__(
        self,
        session: ClientSession,
        task: bytes,
        result: Result,
        index: int,
        on_end: Callable[[], None] | None = None,
        received: Callable[[Any], Any] | None = None,
    ) -> None:
        """``received``: makes what the worker answered of plain data, as the annotation of the function says."""
        self._session, self.task, self._received = session, task, received
        self._result, self.index, self._on_end = result, index, on_end
        self._claimed = False

    def succeeded(self, value: Any) -> None:
        try:
            made = value if self._received is None else self._received(value)
        except TqError as error:
            self.give_up(error)
            return
        if self._claim():
            self._result.chunk_done(self.index, made)

    def ended(self, outcome: TaskOutcome) -> None:
        try:
            value = outcome.value(self.task, self._session)
        # As the exception that the function raised, if its class can be found here.
        except TaskError as error:
            self.give_up(rebuilt(error))
        except Exception as error:
            # No such task, or a value that cannot be decoded here: its class may raise anything.
            self.give_up(error)
        else:
            self.succeeded(value)

    def failed(self, error: TqError) -> None:
        self.give_up(as_broken_cluster(error))

    def give_up(self, error: BaseException) -> None:
        """Make this error the result, unless there is one already."""
        if self._claim():
            self._result.chunk_failed(self.index, error)

    def is_part_of(self, result: object) -> bool:
        return self._result is result

    def _claim(self) -> bool:
        """Whether the caller may report the result: only the first of the queue's thread and ``give_up`` may."""
        with _lock:
            # A chunk may be given up while its result arrives: the first one counts.
            claimed, self._claimed = self._claimed, True
        # Outside the lock: it wakes the feeder, which takes locks of its own.
        if not claimed and self._on_end is not None:
            self._on_end()
        return not claimed


class EachResult(ChunkResult):
    """A chunk whose calls end each for itself: ``[results, [[place, failure], …]]``."""

    __slots__ = ()

    def succeeded(self, value: Any) -> None:
        try:
            results, failures = value
            for place, body in failures:
                results[place] = _Failed(rebuilt(to_error(StateNumber.FAILED, Failure.decode(body))))
        except Exception as error:
            self.give_up(ProtocolError(f"the worker answered many calls in an unknown form: {error}"))
        else:
            super().succeeded(results)


class AsyncResult:
    """The result of ``apply_async``."""

    def __init__(
        self,
        submissions: SubmissionQueue,
        callback: Callback | None,
        error_callback: Callback | None,
    ) -> None:
        self._submissions = submissions
        self._callback, self._error_callback = callback, error_callback
        self._event = threading.Event()
        self._value: Any = None
        self._error: BaseException | None = None

    def get(self, timeout: float | None = None) -> Any:
        """Wait for the result and return it. Raises what the call raised, or multiprocessing.TimeoutError after ``timeout``
        seconds."""
        if timeout is None or self._event.is_set():
            self.wait()
        else:
            timed = timed_wait(self._submissions, self, self._event.wait, timeout)
            if not timed.succeeds():
                raise multiprocessing.TimeoutError(timed.complaint)
        if self._error is not None:
            raise self._error
        return self._value

    def wait(self, timeout: float | None = None) -> None:
        if timeout is None and not self._event.is_set():
            self._submissions.check_may_wait()
        wait_lending(self._event.wait, self._submissions.pending_runs, timeout)

    def ready(self) -> bool:
        return self._event.is_set()

    def successful(self) -> bool:
        """Whether the call succeeded; raises ValueError when it has not ended."""
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
                # Before the event: as in multiprocessing, ``get`` returns after the callback.
                callback(argument)
        except Exception:
            log.exception("a callback of a pool's result raised")
        finally:
            self._event.set()


class MapResult(AsyncResult):
    """The result of ``map_async``: the complete list, or the first exception once all chunks have ended."""

    def __init__(
        self,
        submissions: SubmissionQueue,
        callback: Callback | None,
        error_callback: Callback | None,
        chunks: int,
    ) -> None:
        super().__init__(submissions, callback, error_callback)
        self._parts: dict[int, list[Any]] = {}
        self._chunks = self._left = chunks
        # No chunk will ever end it.
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
        """Set the real number of chunks: fewer than expected if the iterable raised or shrank."""
        # The length was a guess as long as the iterable was read: what was counted too many is taken off.
        self._count_ended(self._chunks - chunks)

    def abort(self, error: BaseException) -> None:
        """End without the remaining chunks, whose number is unknown."""
        # The first one: the others mostly have the same cause.
        if self._error is None:
            self._error = error
        self._count_ended(self._left)

    def _count_ended(self, chunks: int = 1) -> None:
        with _lock:
            self._left -= chunks
            if self._left or not chunks:
                return
        self._value = [value for index in sorted(self._parts) for value in self._parts[index]]
        # A result of many megabytes is not kept twice.
        self._parts.clear()
        self._finish()


class IMapIterator:
    """The iterator of ``imap``: a chunk's exception is raised in its turn, and ``next`` continues after it.

    The iterating thread puts parts in order; the submission queue's thread only appends them.
    """

    def __init__(self, submissions: SubmissionQueue) -> None:
        self._submissions = submissions
        self.taken = 0  # parts that were yielded completely; a few more may have been
        self._wake: tuple[int, Callable[[], None]] | None = None
        self._ready: deque[Any] = deque()  # in order, to be yielded next
        self._lock = threading.Lock()  # guards the three below: several threads may iterate
        self._parts: dict[int, Any] = {}  # arrived before their turn
        self._begun = 0  # parts
        self._length: int | None = None
        self._is_aborted = False
        # (index, results), (LENGTH, how many parts)
        self._arrivals: SimpleQueue[tuple[int, Any]] = SimpleQueue()

    def __iter__(self) -> IMapIterator:
        return self

    def __next__(self) -> Any:
        try:
            # Without the lock: a deque is safe, and this runs for each item.
            item = self._ready.popleft()
        except IndexError:
            return self.next()
        if type(item) is _Failed:
            raise item.error
        return item

    def next(self, timeout: float | None = None) -> Any:
        """Wait for the next result. Raises multiprocessing.TimeoutError after ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        # Another thread iterates, and may wait for long: its wait counts for this timeout.
        if not self._lock.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            raise multiprocessing.TimeoutError
        try:
            while True:
                try:
                    item = self._ready.popleft()
                    break
                except IndexError:
                    # After an abort the iterator ends, as a generator does after its exception.
                    if self._begun == self._length or self._is_aborted:
                        raise StopIteration from None
                self._read_arrivals(deadline)
        finally:
            self._lock.release()
        if type(item) is _Failed:
            raise item.error
        return item

    def _read_arrivals(self, deadline: float | None) -> None:
        """Wait for an arrival, then read those that are there, up to ARRIVALS_AT_ONCE. Called when nothing is ready."""
        self.taken = self._begun
        if self._wake is not None and self.taken >= self._wake[0]:
            # Taken off first: waking may register the next one.
            (_, wake), self._wake = self._wake, None
            wake()
        index, part = self._next_arrival(deadline)
        for read in range(1, ARRIVALS_AT_ONCE + 1):
            if index == ABORTED:
                self._is_aborted = True
                self._ready.append(part)
                return
            if index == LENGTH:
                self._length = part
            else:
                self._arrived(index, part)
            # Only what is there: never waits while something can be yielded.
            if read == ARRIVALS_AT_ONCE or self._arrivals.empty():
                return
            index, part = self._arrivals.get()

    def _next_arrival(self, deadline: float | None) -> tuple[int, Any]:
        with contextlib.suppress(Empty):
            # First without waiting: a loan of the slot is not begun for what is here.
            return self._arrivals.get_nowait()
        arrived: list[tuple[int, Any]] = []

        def wait(seconds: float | None) -> bool:
            with contextlib.suppress(Empty):
                arrived.append(self._arrivals.get(timeout=seconds))
            return bool(arrived)

        if deadline is None:
            self._submissions.check_may_wait()
            wait_lending(wait, self._submissions.pending_runs)
            return arrived[0]
        timed = timed_wait(self._submissions, self, wait, max(0.0, deadline - time.monotonic()))
        if not timed.succeeds():
            raise multiprocessing.TimeoutError(timed.complaint)
        return arrived[0]

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
        """Call ``wake`` once when this number of parts has been taken."""
        self._wake = parts, wake

    def chunk_done(self, index: int, value: Any) -> None:
        self._arrivals.put((index, value))

    def chunk_failed(self, index: int, error: BaseException) -> None:
        self._arrivals.put((index, [_Failed(error)]))

    def set_length(self, chunks: int) -> None:
        """Set the number of chunks."""
        self._arrivals.put((LENGTH, chunks))

    def abort(self, error: BaseException) -> None:
        """End with this error, after the results that have arrived."""
        self._arrivals.put((ABORTED, _Failed(error)))


class IMapUnorderedIterator(IMapIterator):
    """The iterator of ``imap_unordered``."""

    def _arrived(self, index: int, part: Sequence[Any]) -> None:
        self._begun += 1
        self._ready.extend(part)


def timed_wait(
    submissions: SubmissionQueue, result: Result, wait: Callable[[float], bool], timeout: float
) -> TimedWait:
    """For one of the tasks that the result still waits for."""

    def task() -> bytes | None:
        pending = submissions.pending_receivers()
        parts = (one.task for one in pending if isinstance(one, ChunkResult) and one.is_part_of(result))
        return next(parts, None)

    return TimedWait(submissions.session, task, wait, timeout, submissions.pending_runs)


class DiscardedResults:
    """Replaces an iterator that was garbage collected: its results are dropped."""

    def chunk_done(self, index: int, value: Any) -> None: ...
    def chunk_failed(self, index: int, error: BaseException) -> None: ...
    def set_length(self, chunks: int) -> None: ...
    def abort(self, error: BaseException) -> None: ...


DISCARDED: Final = DiscardedResults()

Parts = MapResult | IMapIterator | DiscardedResults
Result = AsyncResult | Parts
