"""What the calls of a Pool give: results to wait for and to iterate, as ``multiprocessing.pool`` documents them."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from ..common.errors import TaskError, TqError
from .exceptions import broken, rebuilt
from .outcomes import Outcome

log = logging.getLogger("tq.client")

Callback = Callable[[Any], object]

_lock = threading.Lock()  # guards ``Piece._told`` and ``MapResult._left``, each for a moment


class Piece:
    """One task of a result: a call or a chunk. A ``courier.Receiver``."""

    __slots__ = ("_answered", "_index", "_result", "_told", "task")

    def __init__(
        self, task: bytes, result: AsyncResult | IMapIterator, index: int, answered: Callable[[], None]
    ) -> None:
        self.task, self._result, self._index, self._answered = task, result, index, answered
        self._told = False

    def ended(self, outcome: Outcome) -> None:
        try:
            value = outcome.value(self.task)
        except TaskError as error:
            self.give_up(rebuilt(error))
        except TqError as error:
            self.give_up(error)
        else:
            if self._claim():
                self._result.piece_done(self._index, value)
        self._answered()

    def failed(self, error: TqError) -> None:
        self.give_up(broken(error))
        self._answered()

    def abandon(self, error: BaseException) -> None:
        """This piece was never sent, and none behind it will be."""
        self._result.abandon(self._index, error)

    def give_up(self, error: BaseException) -> None:
        """The result is this error, unless it is known already."""
        if self._claim():
            self._result.piece_failed(self._index, error)

    def _claim(self) -> bool:
        """Whether the result has to be told: once, by the courier's thread or by whoever gives up."""
        with _lock:
            told, self._told = self._told, True
        return not told


class AsyncResult:
    """The result of ``apply_async``."""

    def __init__(self, callback: Callback | None, error_callback: Callback | None) -> None:
        self._callback, self._error_callback = callback, error_callback
        self._event = threading.Event()
        self._value: Any = None
        self._error: BaseException | None = None

    def get(self, timeout: float | None = None) -> Any:
        """The result, when it arrives. Raises what the call raised; multiprocessing.TimeoutError after ``timeout`` s."""
        if not self._event.wait(timeout):
            raise multiprocessing.TimeoutError
        if self._error is not None:
            raise self._error
        return self._value

    def wait(self, timeout: float | None = None) -> None:
        self._event.wait(timeout)

    def ready(self) -> bool:
        return self._event.is_set()

    def successful(self) -> bool:
        """Whether the call ended without an exception; raises ValueError when it has not ended."""
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return self._error is None

    # for Piece

    def piece_done(self, index: int, value: Any) -> None:
        self._value = value
        self._finish()

    def piece_failed(self, index: int, error: BaseException) -> None:
        self._error = error
        self._finish()

    def abandon(self, index: int, error: BaseException) -> None:
        self.piece_failed(index, error)

    def _finish(self) -> None:
        callback, argument = (
            (self._callback, self._value) if self._error is None else (self._error_callback, self._error)
        )
        try:
            if callback is not None:
                callback(argument)
        except Exception:
            log.exception("a callback of a pool's result raised")
        self._event.set()


class MapResult(AsyncResult):
    """The result of ``map_async``: a list, complete; or the first exception, once all pieces have ended."""

    def __init__(self, pieces: int, callback: Callback | None, error_callback: Callback | None) -> None:
        super().__init__(callback, error_callback)
        self._parts: list[list[Any]] = [[]] * pieces
        self._left = pieces
        if not pieces:
            self._value = []
            self._finish()

    def piece_done(self, index: int, value: Any) -> None:
        self._parts[index] = value
        self._account_for()

    def piece_failed(self, index: int, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self._account_for()

    def abandon(self, index: int, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self._account_for(len(self._parts) - index)

    def _account_for(self, pieces: int = 1) -> None:
        with _lock:
            self._left -= pieces
            if self._left:
                return
        self._value = [value for part in self._parts for value in part]
        self._parts.clear()
        self._finish()


class IMapIterator:
    """The iterator of ``imap``: a chunk's exception is raised in its turn, and ``next`` goes on behind it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._parts: dict[int, list[Any] | BaseException] = {}  # that have arrived and were not begun
        self._part: deque[Any] = deque()  # being given out
        self._next = 0
        self._length: int | None = None

    def __iter__(self) -> IMapIterator:
        return self

    def __next__(self) -> Any:
        return self.next()

    def next(self, timeout: float | None = None) -> Any:
        """The next result. Raises multiprocessing.TimeoutError when there is none within ``timeout`` seconds."""
        with self._changed:
            if not self._part:
                if not self._changed.wait_for(self._has_news, timeout):
                    raise multiprocessing.TimeoutError
                if self._next == self._length:
                    raise StopIteration
                self._next += 1
                part = self._take()
                if isinstance(part, BaseException):
                    raise part
                self._part.extend(part)
            return self._part.popleft()

    def _has_news(self) -> bool:
        return self._next in self._parts or self._next == self._length

    def _take(self) -> list[Any] | BaseException:
        return self._parts.pop(self._next - 1)

    # for Piece and the feeder

    def piece_done(self, index: int, value: Any) -> None:
        self._arrived(index, value)

    def piece_failed(self, index: int, error: BaseException) -> None:
        self._arrived(index, error)

    def abandon(self, index: int, error: BaseException) -> None:
        self.piece_failed(index, error)
        self.set_length(index + 1)

    def set_length(self, pieces: int) -> None:
        """So many pieces there are."""
        with self._changed:
            self._length = pieces
            self._changed.notify_all()

    def _arrived(self, index: int, part: list[Any] | BaseException) -> None:
        with self._changed:
            self._parts[index] = part
            self._changed.notify_all()


class IMapUnorderedIterator(IMapIterator):
    """The iterator of ``imap_unordered``."""

    def _has_news(self) -> bool:
        return bool(self._parts) or self._next == self._length

    def _take(self) -> list[Any] | BaseException:
        return self._parts.pop(next(iter(self._parts)))
