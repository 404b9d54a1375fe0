"""The thread of a Pool that reads iterables and sends their chunks. It knows the results, not the Pool: a Pool that nobody
holds any more is collected, whatever is under way.

::

    imap, map, … ──► feed ──► thread: a chunk, encoded ──► Courier     at most UNDER_WAY_MAX unanswered
    Result ◄── Piece ◄─────────────────────────────────────────┘
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from ..common.codec import encode_chunk
from ..common.ids import new_ids
from .courier import CANCEL_SECONDS
from .pool_results import Piece

if TYPE_CHECKING:
    from ..common.blob import Blob
    from .app import App
    from .courier import Courier
    from .pool_results import IMapIterator, MapResult, Result
    from .sendable import Sendable

UNDER_WAY_MAX: Final = (
    20_000  # chunks sent and not yet answered: an iterable without end costs bounded memory
)


class Feed:
    """One iterable on its way. ``star``: each item is all arguments of a call."""

    __slots__ = ("items", "result", "sendable", "size", "star")

    def __init__(
        self,
        sendable: Sendable,
        items: Iterator[Any],
        size: int,
        result: MapResult | IMapIterator,
        *,
        star: bool = False,
    ) -> None:
        self.sendable, self.items, self.size, self.result, self.star = sendable, items, size, result, star


class Feeder:
    def __init__(self, app: App, courier: Courier) -> None:
        self._app, self._courier = app, courier
        self._feeds: SimpleQueue[Feed | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._terminated = False

    def feed(self, feed: Feed) -> None:
        """Send the chunks of this iterable, behind those of the ones before it."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="tq-pool-feeder", daemon=True)
            self._thread.start()
        self._feeds.put(feed)

    def send_one(self, sendable: Sendable, payload: Callable[[list[Blob]], bytes], result: Result) -> None:
        """Send a call at once. What cannot be sent is told as its result."""
        self._send(sendable, Piece(self._app, new_ids(), result, 0), payload)

    def close(self) -> None:
        """There will be no more: when all is sent, the courier is closed."""
        if self._thread is None:
            self._courier.close()
        else:
            self._feeds.put(None)

    def terminate(self) -> None:
        """Send nothing more, and cancel what was sent, also what runs. Who waits for a result is told."""
        self._terminated = True
        self._give_up([piece for piece in self._courier.waiting() if isinstance(piece, Piece)])

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join()

    # the thread

    def _run(self) -> None:
        while (feed := self._feeds.get()) is not None:
            self._send_all(feed)
        self._courier.close()

    def _send_all(self, feed: Feed) -> None:
        sent = 0
        try:
            while chunk := list(islice(feed.items, feed.size)):
                if self._terminated:
                    raise _terminated()
                self._courier.await_room(UNDER_WAY_MAX)
                piece = Piece(self._app, new_ids(), feed.result, sent)
                payload = partial(encode_chunk, chunk, star=feed.star, first=sent * feed.size)
                self._send(feed.sendable, piece, payload)
                sent += 1
        except (
            Exception
        ) as error:  # of the user's iterable, or ours: it is told in its place, as the last result
            feed.result.piece_failed(sent, error)
            sent += 1
        feed.result.set_length(sent)

    def _send(self, sendable: Sendable, piece: Piece, payload: Callable[[list[Blob]], bytes]) -> None:
        try:
            blobs: list[Blob] = []
            self._courier.send(sendable.name, sendable.choice, payload(blobs), piece, blobs)
        except Exception as error:  # a value that cannot travel, or no address: told as its result
            piece.give_up(error)
        if self._terminated:  # terminate() may have looked just before this one was sent
            self._give_up([piece])

    def _give_up(self, pieces: list[Piece]) -> None:
        """Nobody waits for these any more: tell who did, and the master."""
        for piece in pieces:
            piece.give_up(_terminated())
        ids = [piece.task for piece in pieces]
        answers = self._courier.cancel(ids, running=True)
        done, late = wait(answers, CANCEL_SECONDS)
        if late or any(answer.exception() for answer in done):
            self._courier.forget(ids)
            words = "the master did not answer; tasks of the terminated pool may go on"
            warnings.warn(words, RuntimeWarning, stacklevel=3)


def _terminated() -> RuntimeError:
    return RuntimeError("the pool was terminated")
