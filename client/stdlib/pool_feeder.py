"""The thread of a Pool that reads iterables and sends their chunks. It references the results but not the Pool, so that an
unused Pool can be collected while its work is under way.

::

    imap, map, … ──► feed ──► thread: a chunk, encoded ──► SubmissionQueue     at most UNDER_WAY_MAX unanswered
    Result ◄── ChunkResult ◄─────────────────────────────────────────┘

A feed of ``imap`` pauses while too many of its results have not been taken, and other feeds continue: an infinite iterable
uses bounded memory and delays no other feed. A feed whose iterator was collected keeps no results and is read to its end.
"""

from __future__ import annotations

import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import wait
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from ..core.fork import in_child
from .pool_pace import CHUNKS_PER_SLOT, ChunkPace
from .pool_results import DISCARDED, ChunkResult, EachResult, IMapIterator
from .submission_queue import CANCEL_SECONDS

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ...common.values.blob import Blob
    from ..core.session import ClientSession
    from .pool_results import MapResult, Parts, Result
    from .remote_functions import RemoteFunction
    from .submission_queue import SubmissionQueue

UNDER_WAY_MAX: Final = 20_000  # chunks sent and not yet ended
UNTAKEN_ITEMS_MAX: Final = 20_000  # of one imap, sent and not yet taken from its iterator; but at least:
UNTAKEN_CHUNKS_MIN: Final = 1_000  # enough for the workers of a large cluster, even with large chunks
UNTAKEN_ITEMS_MIN: Final = 50  # of a chunk that follows the pace, however many slots there are
AT_HAND: Final = frozenset(
    {list, tuple, range, str, bytes, dict, set, frozenset, deque}
)  # no item is waited for
SLOTS_SECONDS: Final = 5.0  # between two looks at the cluster's slots, while chunks are sent at a pace
TURN_CHUNKS: Final = 1_000  # of one feed, before another one gets its turn


def connected_slots(workers: list[dict[str, Any]]) -> int:
    """The slots of the connected workers among these, at least 1."""
    return max(1, sum(int(row["slots"]) for row in workers if row["connected"]))


def _collected() -> None:
    """Stands for a weak reference whose object was collected."""


class IterableFeed:
    """One iterable that is being sent. ``star``: each item is a tuple with all arguments of a call. ``size``: of its chunks,
    or the pace that says it. ``each``: what an item raises is its own. ``may_wait``: its next item may be long in coming, or
    come only after a result: items gather for a larger chunk only while the chunks under way occupy all slots.
    """

    __slots__ = (
        "_ended",
        "_kept",
        "_lock",
        "_size",
        "_watched",
        "ahead_max",
        "counts_slots",
        "each",
        "flush",
        "gathered",
        "items",
        "items_sent",
        "may_wait",
        "pace",
        "remote",
        "sending",
        "sent",
        "star",
        "wake",
    )

    def __init__(
        self,
        remote: RemoteFunction,
        items: Iterator[Any],
        size: int | ChunkPace,
        result: MapResult | IMapIterator,
        *,
        star: bool = False,
        each: bool = False,
        may_wait: bool = False,
    ) -> None:
        self.remote, self.items, self.star, self.each, self.may_wait = remote, items, star, each, may_wait
        self.pace = size if isinstance(size, ChunkPace) else None
        self._size = 1 if isinstance(size, ChunkPace) else size
        self._lock = threading.Lock()  # guards the pace
        self.wake: Callable[[], None] = _collected  # called when the pace allows another chunk again
        self.flush: Callable[[], None] = _collected  # called to send what has gathered
        self.counts_slots = False  # its pace follows the slots of the cluster
        self.sent = self.items_sent = 0
        # Guards ``sent`` and ``gathered``: chunks are numbered as they are sent
        self.sending = threading.RLock()
        self.gathered: list[Any] = []  # read, not sent yet; only with ``may_wait``
        self._ended: BaseException | bool = False  # the iterable: by an error, or at its end
        self.ahead_max = max(UNTAKEN_CHUNKS_MIN, UNTAKEN_ITEMS_MAX // self._size)
        self._kept: MapResult | None = None
        self._watched: Callable[[], IMapIterator | None] = _collected
        if isinstance(result, IMapIterator):
            self._watched = weakref.ref(result)
        else:
            self._kept = result  # a strong reference: its callback is called even if the caller dropped it

    @property
    def result(self) -> Parts:
        return self._kept or self._watched() or DISCARDED

    @property
    def size(self) -> int:
        """Items of the next chunk."""
        if self.pace is None:
            return self._size
        with self._lock:
            return self.pace.size

    @property
    def keeps_pace(self) -> bool:
        """Whether no more chunks are under way than its pace allows."""
        if self.pace is None:
            return True
        with self._lock:
            return self.pace.has_room

    def read(self) -> list[Any]:
        """The items of the next chunk; none at the end. An error of the iterable is raised after the items before it. An item
        that is waited for leaves those that have gathered to ``flush``."""
        chunk: list[Any] = []
        try:
            if self._ended is not False:
                pass
            elif not self.may_wait:
                chunk.extend(islice(self.items, self._size if self.pace is None else self.size))
            else:
                for item in self.items:
                    with self.sending:
                        self.gathered.append(item)
                        if self._is_enough(len(self.gathered)):
                            return self.take_gathered()
                self._ended = True
        except Exception as error:
            self._ended = error
        # Also at an error: what came before it is sent first.
        if self.may_wait:
            chunk = self.take_gathered()
        # After the items before it: a map gives their results, and then the error.
        if not chunk and isinstance(self._ended, Exception):
            raise self._ended
        return chunk

    def take_gathered(self) -> list[Any]:
        with self.sending:
            taken, self.gathered = self.gathered, []
        return taken

    def _is_enough(self, items: int) -> bool:
        with self._lock:
            return self.pace is None or items >= self.pace.size or not self.pace.occupies_all

    @property
    def leaves_slots_idle(self) -> bool:
        """Whether items have gathered although there is a slot without a chunk."""
        if not self.gathered or self.pace is None:
            return False
        with self._lock:
            return not self.pace.occupies_all

    def slots_changed(self, slots: int) -> None:
        if self.pace is not None and self.counts_slots:
            with self._lock:
                self.pace.slots = slots

    def chunk_sent(self, items: int, payload: bytes | Exception) -> None:
        """Of a feed with a pace: a chunk is sent now, or cannot be."""
        if self.pace is not None:
            with self._lock:
                self.pace.sent(items)
                if isinstance(payload, bytes):
                    self.pace.item_bytes = len(payload) / items

    def chunk_ended(self, items: int) -> None:
        """Called in the thread in which the outcome arrives."""
        if self.pace is None:
            return
        with self._lock:
            had_room = self.pace.has_room
            self.pace.ended(items, time.monotonic())
            wake = not had_room and self.pace.has_room
        if wake:
            self.wake()
        # A chunk has ended, and workers wait: what has gathered is better sent small than late.
        if self.leaves_slots_idle:
            self.flush()

    def has_room(self) -> bool:
        """Whether fewer chunks than allowed are sent and not yet taken."""
        taker = self._watched()
        return taker is None or self.sent - taker.taken < self.ahead_max

    def may_go_on(self, wake: Callable[[], None]) -> bool:
        """Whether it has room for a whole turn. If not, ``wake`` is called when enough has been taken or the iterator is
        collected; the garbage collector may make that call in any thread."""
        taker = self._watched()
        if taker is None:
            return True
        self._watched = weakref.ref(taker, lambda _: wake())
        enough = self.sent - self.ahead_max // 2
        taker.call_when_taken(enough, wake)  # registered before the check: a take in between is noticed
        return taker.taken >= enough


def paced_feed(
    remote: RemoteFunction, iterable: Iterable[Any], items: Iterator[Any], slots: int, result: IMapIterator
) -> IterableFeed:
    """The feed of an imap whose chunks follow the pace. ``items``: the iterator of ``iterable``."""
    length = len(iterable) if isinstance(iterable, Sized) else None
    chunks = 2 * CHUNKS_PER_SLOT * slots  # as many not taken yet as are under way
    pace = ChunkPace(length, slots, max(UNTAKEN_ITEMS_MIN, UNTAKEN_ITEMS_MAX // chunks))
    feed = IterableFeed(remote, items, pace, result, each=True, may_wait=type(iterable) not in AT_HAND)
    feed.ahead_max = chunks
    return feed


class Feeder:
    def __init__(self, session: ClientSession, submissions: SubmissionQueue) -> None:
        self._session, self._submissions = session, submissions
        self._terminated = False
        self._reset()
        _feeders.add(self)

    def _reset(self) -> None:
        """Initialise the state of one process: after a fork the child has neither the thread nor the feeds."""
        self.lock = threading.Lock()  # the Pool's: guards its state, together with starting the thread
        self._thread: threading.Thread | None = None
        self._wakes: SimpleQueue[None] = SimpleQueue()  # wakes the thread to check its feeds
        self._feeds: deque[IterableFeed] = deque()  # any thread appends; only our thread does anything else
        self._closed = self._awaited = False
        self._slots_asked_at = time.monotonic()  # the Pool has asked before

    def feed(self, feed: IterableFeed) -> None:
        """Send the chunks of this iterable, after those of earlier ones."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="tq-pool-feeder", daemon=True)
            self._thread.start()
        feed.wake = self._wake
        feed.flush = partial(self._flush, feed)
        self._feeds.append(feed)
        self._wake()

    def send_one(
        self, remote: RemoteFunction, payload: Callable[[list[Blob]], bytes], result: Result
    ) -> None:
        """Send a single call at once. If it cannot be sent, the error becomes its result."""
        blobs: list[Blob] = []
        encoded: bytes | Exception
        try:
            encoded = payload(blobs)
        except Exception as error:
            encoded = error
        one = ChunkResult(self._session, remote.kind.ids.take_one(), result, 0, received=remote.received)
        self._send(remote, one, encoded, blobs)

    def close(self) -> None:
        """Accept no more: when everything is sent, the submission queue is closed."""
        self._closed = True
        # No feed ever began: nothing is left that could be sent.
        if self._thread is None:
            self._submissions.close()
        else:
            self._wake()

    def terminate(self) -> None:
        """Send nothing more and cancel all sent tasks, running ones included. Waiting readers get an error."""
        self._terminated = True  # set first: the thread checks it after each send, so no chunk slips through
        self._wake()
        for feed in list(self._feeds):  # not by the thread, which may be blocked in a user's iterable
            feed.result.abort(_terminated())
        self._give_up(
            [
                chunk_result
                for chunk_result in self._submissions.pending_receivers()
                if isinstance(chunk_result, ChunkResult)
            ]
        )
        self._submissions.close()

    def join(self) -> None:
        """Wait until all is sent. Limits on untaken results are lifted, because a caller that waits here takes none."""
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
        self._submissions.close()

    def _next_with_room(self) -> IterableFeed | None:
        """The next feed that may continue, in turn; it moves to the end of the queue."""
        for _ in range(len(self._feeds)):
            feed = self._feeds[0]
            # Round and round: no feed is served twice while another one waits.
            self._feeds.rotate(-1)
            if self._terminated or (feed.keeps_pace and (self._awaited or feed.may_go_on(self._wake))):
                return feed
        return None

    def _ask_for_slots(self) -> None:
        """Workers come and go while a long map is sent."""
        now = time.monotonic()
        # Workers may come and go during a long map.
        if now - self._slots_asked_at >= SLOTS_SECONDS:
            self._slots_asked_at = now
            asked = self._session.start_call(("get_workers",), "list")
            asked.add_done_callback(self._slots_known)

    def _slots_known(self, asked: Future[Any]) -> None:
        """In the I/O thread."""
        if asked.exception() is None:
            for feed in list(self._feeds):
                feed.slots_changed(connected_slots(asked.result()))
            self._wake()

    def _send_some(self, feed: IterableFeed) -> None:
        try:
            if feed.counts_slots:
                self._ask_for_slots()
            for _ in range(TURN_CHUNKS):
                if self._terminated:
                    raise _terminated()
                if not (feed.keeps_pace and (self._awaited or feed.has_room())):
                    return
                self._submissions.wait_for_room(UNDER_WAY_MAX)
                chunk = feed.read()
                if not chunk:
                    break
                self._send_chunk(feed, chunk)
            else:
                return
        except Exception as error:
            # From the user's iterable, or ours: it becomes the last result of this feed.
            feed.result.chunk_failed(feed.sent, error)
            feed.sent += 1
        # At its end only: a feed that pauses keeps its place among the others.
        self._feeds.remove(feed)
        feed.result.set_length(feed.sent)

    def _flush(self, feed: IterableFeed) -> None:
        """In the thread in which an outcome arrives, while ours waits for an item."""
        with feed.sending:
            chunk = feed.take_gathered()
            if chunk and not self._terminated:
                self._send_chunk(feed, chunk)

    def _send_chunk(self, feed: IterableFeed, chunk: list[Any]) -> None:
        items = len(chunk)
        blobs: list[Blob] = []
        with feed.sending:
            payload: bytes | Exception
            try:
                payload = feed.remote.chunk(
                    chunk, blobs, star=feed.star, first=feed.items_sent, each=feed.each
                )
            except Exception as error:  # an unsendable value
                if feed.each and items > 1:  # it fails alone
                    # Each by itself: one value that cannot be sent must not cost its neighbours.
                    for item in chunk:
                        self._send_chunk(feed, [item])
                    return
                payload = error
            on_end = None
            if feed.pace is not None:
                on_end = partial(feed.chunk_ended, items)
                feed.chunk_sent(items, payload)
            kind = EachResult if feed.each else ChunkResult
            task, received = feed.remote.kind.ids.take_one(), feed.remote.received_of(chunked=True)
            result = kind(self._session, task, feed.result, feed.sent, on_end, received)
            self._send(feed.remote, result, payload, blobs)
            feed.sent += 1
            feed.items_sent += items

    def _send(
        self, remote: RemoteFunction, result: ChunkResult, payload: bytes | Exception, blobs: list[Blob]
    ) -> None:
        try:
            if isinstance(payload, Exception):
                raise payload
            self._submissions.send(remote.kind, payload, result, blobs)
        except Exception as error:  # as given, or there is no address: it becomes the chunk's result
            result.give_up(_terminated() if self._terminated else error)
        if self._terminated:
            # terminate() may have collected the pending chunks just before this one was sent.
            self._give_up([result])

    def _give_up(self, chunks: list[ChunkResult]) -> None:
        """Fail these chunks and have the master cancel their tasks."""
        for chunk_result in chunks:
            chunk_result.give_up(_terminated())
        ids = [chunk_result.task for chunk_result in chunks]
        answers = self._submissions.cancel(ids, running=True)
        done, late = wait(answers, CANCEL_SECONDS)
        if late or any(answer.exception() for answer in done):
            self._submissions.forget(ids)
            words = "the master did not answer; tasks of the terminated pool may go on"
            warnings.warn(words, RuntimeWarning, stacklevel=3)


def _terminated() -> RuntimeError:
    return RuntimeError("the pool was terminated")


_feeders: weakref.WeakSet[Feeder] = weakref.WeakSet()


def _reset_in_child() -> None:
    for feeder in list(_feeders):
        feeder._reset()


in_child(_reset_in_child)
