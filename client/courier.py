"""Calls out, outcomes back, for the doors of the standard library: Executor and Pool.

::

    any thread: send ──deque──► I/O thread: _ship: submit calls of up to 1,000 tasks ──► master
    receivers  ◄── courier thread: one outcome after the other ◄──queue── _Shipment  ◄──── outcomes

``send`` does not wait: while one submit is on its way, what is sent meanwhile gathers for the next. A task
is stored some milliseconds after; one that cannot be is told to its receiver. Receivers are called in the
courier's own thread, never in the one that carries everybody's bytes: they run callbacks of users.

Invariants: 1. every receiver hears exactly once, ``ended`` or ``failed``; 2. after ``close`` nothing is
taken, and the thread ends when the last receiver has heard.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from ..common.errors import TqError, Unreachable
from .handle import TASKS
from .mapping import CHUNK_BYTES, CHUNK_TASKS
from .outcomes import Outcome, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..common.blob import Blob
    from .app import App
    from .blobs import Named
    from .link import ClientLink
    from .options import Choice

CHUNK_BLOBS: Final = 1_000  # named by the tasks of one call


class Receiver(Protocol):
    """Who sends a task. ``task``: its id, new."""

    task: bytes

    def ended(self, outcome: Outcome) -> None:
        """The task has ended, in whatever way."""

    def failed(self, error: TqError) -> None:
        """It was not stored, or nobody will tell what becomes of it."""


class _Parcel(NamedTuple):
    name: str
    choice: Choice
    id: bytes
    payload: bytes
    blobs: Sequence[Blob]  # named by the payload

    def goes_with(self, first: _Parcel) -> bool:
        """Whether one call can hold both. Those that name blobs travel apart: a call is refused as a whole, and
        content may be gone."""
        mine, its = (self.name, self.choice, bool(self.blobs)), (first.name, first.choice, bool(first.blobs))
        return mine == its


class _Shipment:
    """The tasks of one submit call, as the line's listener: see ``outcomes.Listener``."""

    __slots__ = ("_ids", "_news")

    def __init__(self, news: SimpleQueue[Any], ids: Sequence[bytes]) -> None:
        self._news, self._ids = news, ids

    def put(self, rows: Sequence[Row]) -> None:
        self._news.put(rows)

    def fail(self, error: TqError) -> None:
        self._news.put((self._ids, error))

    def stored(self, done: Future[Any]) -> None:
        error = done.exception()
        if isinstance(error, TqError):
            self.fail(error)


class Courier:
    """``at_end``: called in the courier's thread when it has closed and everybody has heard. They must not hold on to
    who owns the courier, or it is never collected."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.at_end: list[Callable[[], None]] = []
        self._lock = threading.Lock()  # guards the three below
        self._idle = threading.Condition(self._lock)
        self._receivers: dict[bytes, Receiver] = {}
        self._closed = False
        self._thread: threading.Thread | None = None
        self._unsent: deque[_Parcel] = deque()
        self._due = False
        self._news: SimpleQueue[Any] = SimpleQueue()  # rows; (ids, error); None: look whether it is over

    def send(
        self, name: str, choice: Choice, payload: bytes, receiver: Receiver, blobs: Sequence[Blob] = ()
    ) -> None:
        """Start a task. ``blobs``: named by the payload; their content is sent first, in this thread.

        Raises RuntimeError once closed, InvalidArgument without an address or key, and what an upload raises.
        """
        link = self._app.link
        if blobs:
            self._app.blobs.send(blobs)
        id = receiver.task
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._receivers[id] = receiver
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tq-courier", daemon=True)
                self._thread.start()
        self._unsent.append(_Parcel(name, choice, id, payload, blobs))
        if not self._due:
            self._due = True
            if not link.post(lambda: self._ship(link)):
                self._news.put(([id], Unreachable("the app was closed; make a new one")))

    def waiting(self) -> list[Receiver]:
        """Those who have not heard."""
        with self._lock:
            return list(self._receivers.values())

    def close(self) -> None:
        """Take nothing more."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            started = self._thread is not None
        if started:
            self._news.put(None)
        else:
            self._end()

    def flush(self) -> None:
        """Wait until everything sent is stored, or refused: a call is answered after all that were made before it."""
        self._app.call(TASKS, "states", [])

    def join(self, timeout: float | None = None) -> bool:
        """Wait until everybody has heard; False when ``timeout`` seconds pass first."""
        with self._idle:
            if not self._idle.wait_for(lambda: not self._receivers, timeout):
                return False
        if self._closed and self._thread not in (None, threading.current_thread()):
            self._thread.join(timeout)
        return True

    # the I/O thread

    def _ship(self, link: ClientLink) -> None:
        self._due = False
        while self._unsent:
            first = self._unsent[0]
            tasks: list[list[bytes]] = []
            named: Named = {}
            size = blobs = 0
            while (
                self._unsent
                and len(tasks) < CHUNK_TASKS
                and (not tasks or size + len(self._unsent[0].payload) <= CHUNK_BYTES)
                and (not tasks or blobs + len(self._unsent[0].blobs) <= CHUNK_BLOBS)
                and self._unsent[0].goes_with(first)
            ):
                parcel = self._unsent.popleft()
                tasks.append([parcel.id, parcel.payload])
                size += len(parcel.payload)
                if parcel.blobs:
                    named[parcel.id] = list(parcel.blobs)
                    blobs += len(parcel.blobs)
            ids = [task[0] for task in tasks]
            shipment = _Shipment(self._news, ids)
            stored = self._app.submit_many(first.name, first.choice, tasks, ids, shipment, link, named)
            stored.add_done_callback(shipment.stored)

    # the courier's thread

    def _run(self) -> None:
        while True:
            news = self._news.get()
            if isinstance(news, tuple):
                ids, error = news
                for id in ids:
                    if (receiver := self._receivers.get(id)) is not None:
                        receiver.failed(error)
                        self._heard(id)
            elif news is not None:
                for id, state, body in news:
                    if (receiver := self._receivers.get(id)) is not None:
                        receiver.ended(Outcome(state, body))
                        self._heard(id)
            if self._closed and not self._receivers:
                self._end()
                return

    def _end(self) -> None:
        for step in self.at_end:
            step()

    def _heard(self, id: bytes) -> None:
        with self._idle:
            del self._receivers[id]
            if not self._receivers:
                self._idle.notify_all()
