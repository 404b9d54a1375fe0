"""The thread of a Pool that reads iterables and sends their chunks. It knows the results, not the Pool: a Pool that nobody
holds any more is collected, whatever is under way.

::

    imap, map, … ──► feed ──► thread: a chunk, encoded ──► Courier     at most UNDER_WAY_MAX unanswered
    Result ◄── Piece ◄─────────────────────────────────────────┘

A feed of ``imap`` rests while too many of its results have not been taken, and others have their turn: an iterable without
end costs bounded memory and holds up nobody. One whose iterator is gone gathers nothing, and is read to its end.
"""

from __future__ import annotations

import threading
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from ...common.domain.ids import new_ids
from ...common.values.codec import encode_chunk
from ..core.fork import in_child
from .pool_results import NOBODY, IMapIterator, Piece
from .submission_queue import CANCEL_SECONDS

if TYPE_CHECKING:
    from ...common.values.blob import Blob
    from ..core.session import Session
    from .pool_results import MapResult, Parts, Result
    from .sendable import Sendable
    from .submission_queue import Courier

UNDER_WAY_MAX: Final = 20_000  # chunks sent and not yet answered
UNTAKEN_ITEMS_MAX: Final = 20_000  # of one imap, sent and not yet taken from its iterator; or so many chunks:
UNTAKEN_CHUNKS_MIN: Final = 1_000  # enough for the workers of a large cluster, however large the chunks
TURN_CHUNKS: Final = 1_000  # of a feed, until another has its turn


def _nobody() -> None:
    """What a weak reference says when there is nobody any more."""


class Feed:
    """One iterable on its way. ``star``: each item is all arguments of a call."""

    __slots__ = ("_kept", "_watched", "ahead_max", "items", "sendable", "sent", "size", "star")

    def __init__(
        self,
        sendable: Sendable,
        items: Iterator[Any],
        size: int,
        result: MapResult | IMapIterator,
        *,
        star: bool = False,
    ) -> None:
        self.sendable, self.items, self.size, self.star = sendable, items, size, star
        self.sent = 0  # chunks
        self.ahead_max = max(UNTAKEN_CHUNKS_MIN, UNTAKEN_ITEMS_MAX // size)
        self._kept: MapResult | None = None
        self._watched: Callable[[], IMapIterator | None] = _nobody
        if isinstance(result, IMapIterator):
            self._watched = weakref.ref(result)
        else:
            self._kept = result  # its callback is called, whoever holds it

    @property
    def result(self) -> Parts:
        return self._kept or self._watched() or NOBODY

    def has_room(self) -> bool:
        """Whether less has not been taken than may be."""
        taker = self._watched()
        return taker is None or self.sent - taker.taken < self.ahead_max

    def may_go_on(self, wake: Callable[[], None]) -> bool:
        """Whether it has room again for a while. If not, ``wake`` is called when more has been taken, or nobody is left
        to take it: maybe by the collector, in any thread."""
        taker = self._watched()
        if taker is None:
            return True
        self._watched = weakref.ref(taker, lambda _: wake())
        enough = self.sent - self.ahead_max // 2
        taker.call_when_taken(enough, wake)  # before the look: what is taken after it is told
        return taker.taken >= enough


class Feeder:
    def __init__(self, session: Session, courier: Courier) -> None:
        self._session, self._courier = session, courier
        self._terminated = False
        self._make_anew()
        _feeders.add(self)

    def _make_anew(self) -> None:
        """What belongs to one process: after a fork the child has neither the thread nor what it was to send."""
        self.lock = threading.Lock()  # the Pool's: guards its state, together with starting the thread
        self._thread: threading.Thread | None = None
        self._wakes: SimpleQueue[None] = SimpleQueue()  # of the thread: look again
        self._feeds: deque[Feed] = deque()  # appended to by any thread, the rest is the thread's
        self._closed = self._awaited = False

    def feed(self, feed: Feed) -> None:
        """Send the chunks of this iterable, behind those of the ones before it."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="tq-pool-feeder", daemon=True)
            self._thread.start()
        self._feeds.append(feed)
        self._wake()

    def send_one(self, sendable: Sendable, payload: Callable[[list[Blob]], bytes], result: Result) -> None:
        """Send a call at once. What cannot be sent is told as its result."""
        self._send(sendable, Piece(self._session, new_ids(), result, 0), payload)

    def close(self) -> None:
        """There will be no more: when all is sent, the courier is closed."""
        self._closed = True
        if self._thread is None:
            self._courier.close()
        else:
            self._wake()

    def terminate(self) -> None:
        """Send nothing more, and cancel what was sent, also what runs. Who waits for a result is told."""
        self._terminated = True
        self._wake()
        for feed in list(self._feeds):  # the thread may be waiting for the next item of one, for ever
            feed.result.abort(_terminated())
        self._give_up([piece for piece in self._courier.waiting() if isinstance(piece, Piece)])
        self._courier.close()

    def join(self) -> None:
        """Wait until all is sent, taken or not: who waits here takes nothing."""
        if self._thread is not None:
            self._awaited = True
            self._wake()
            self._thread.join(CANCEL_SECONDS if self._terminated else None)

    def _wake(self) -> None:
        self._wakes.put(None)

    # the thread

    def _run(self) -> None:
        while True:
            feed = self._next_with_room()
            if feed is not None:
                self._send_some(feed)
            elif self._closed and not self._feeds:
                break
            else:
                self._wakes.get()
        self._courier.close()

    def _next_with_room(self) -> Feed | None:
        """The one whose turn it is; it stands last then."""
        for _ in range(len(self._feeds)):
            feed = self._feeds[0]
            self._feeds.rotate(-1)
            if self._awaited or self._terminated or feed.may_go_on(self._wake):
                return feed
        return None

    def _send_some(self, feed: Feed) -> None:
        try:
            for _ in range(TURN_CHUNKS):
                if self._terminated:
                    raise _terminated()
                if not (self._awaited or feed.has_room()):
                    return
                self._courier.await_room(UNDER_WAY_MAX)
                self._courier.check_whole()
                chunk = list(islice(feed.items, feed.size))
                if not chunk:
                    break
                piece = Piece(self._session, new_ids(), feed.result, feed.sent)
                payload = partial(encode_chunk, chunk, star=feed.star, first=feed.sent * feed.size)
                self._send(feed.sendable, piece, payload)
                feed.sent += 1
            else:
                return
        except (
            Exception
        ) as error:  # of the user's iterable, or ours: it is told in its place, as the last result
            feed.result.piece_failed(feed.sent, error)
            feed.sent += 1
        self._feeds.remove(feed)
        feed.result.set_length(feed.sent)

    def _send(self, sendable: Sendable, piece: Piece, payload: Callable[[list[Blob]], bytes]) -> None:
        try:
            blobs: list[Blob] = []
            self._courier.send(sendable.name, sendable.choice, payload(blobs), piece, blobs)
        except Exception as error:  # a value that cannot travel, or no address: told as its result
            piece.give_up(_terminated() if self._terminated else error)
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


_feeders: weakref.WeakSet[Feeder] = weakref.WeakSet()


def _forked() -> None:
    for feeder in list(_feeders):
        feeder._make_anew()


in_child(_forked)
