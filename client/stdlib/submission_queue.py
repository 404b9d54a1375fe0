"""Calls out, outcomes back, for the doors of the standard library: Executor and Pool.

::

    any thread: send ──deque──► I/O thread: _submit_gathered: submit calls of up to 1,000 tasks ──► master
    receivers  ◄── submissions thread: one outcome after the other ◄──queue── _SubmitBatch  ◄──── outcomes

``send`` does not wait: while submits are on their way, what is sent meanwhile gathers and goes when one of them is
answered. A task is stored some milliseconds after; one that cannot be is told to its receiver. Receivers are called in
the submissions's own thread, never in the one that carries everybody's bytes: they run callbacks of users.

Invariants: 1. every receiver hears exactly once, ``ended`` or ``failed``; 2. after ``close`` nothing is
taken, and the thread ends when the last receiver has heard; 3. what has gathered is never left: either a step that
ships it is posted (``_due``), or a call is under way whose answer ships it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import weakref
from collections import deque
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Protocol

from ...common.errors import ProtocolError, Rejected, TqError, Unreachable
from ..blobs.blobs import SessionBlobs
from ..core.fork import in_child
from ..tasks.handle import TASKS
from ..tasks.mapping import CHUNK_BYTES, CHUNK_TASKS
from ..tasks.outcomes import TaskOutcome
from ..tasks.submission import submit_many
from .exceptions import BrokenCluster, no_worker_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ...common.contract.tasks import OutcomeRow
    from ...common.values.blob import Blob
    from ..blobs.blobs import Named
    from ..core.io_thread import ClientLink
    from ..core.session import ClientSession
    from ..tasks.options import Choice

    PendingTask = tuple[str, Choice, bytes, bytes, Sequence[Blob]]
    """Callable, options, id, payload, and the blobs that it names. A plain tuple: there is one for every task."""

CHUNK_BLOBS: Final = 1_000  # named by the tasks of one call
CALLS_UNDER_WAY: Final = (
    2  # from then on tasks gather: one call is with the master while another is on its way
)

UNREACHABLE_SECONDS_MAX: Final = 300.0  # a master's restart, an upgrade or a reboot of its host take less
IDLE_CHECK_SECONDS: Final = 5.0  # without an outcome, until it is found out whether one can come
CANCEL_SECONDS: Final = 5.0  # for the master to answer; who cancels has something else to do
CANCEL_TASKS_MAX: Final = 10_000  # in one call

log = logging.getLogger("tq.client")


class Receiver(Protocol):
    """Who sends a task. ``task``: its id, new."""

    task: bytes

    def ended(self, outcome: TaskOutcome) -> None:
        """The task has ended, in whatever way."""

    def failed(self, error: TqError) -> None:
        """It was not stored, or nobody will tell what becomes of it."""


class _SubmitBatch:
    """The tasks of one submit call, as the line's listener: see ``listener.Listener``."""

    __slots__ = ("_events", "_ids")

    def __init__(self, event: SimpleQueue[Any], ids: Sequence[bytes]) -> None:
        self._events, self._ids = event, ids

    def put(self, rows: Sequence[OutcomeRow]) -> None:
        self._events.put(rows)

    def fail(self, error: TqError) -> None:
        self._events.put((self._ids, error))


class SubmissionQueue:
    """``master_timeout``: for how many seconds the master may be out of reach, until everybody is told BrokenCluster. ``on_end``: called in the queue's own thread when it has closed and everybody has heard. They must not hold on to
    who owns the submissions, or it is never collected."""

    def __init__(
        self, session: ClientSession, master_timeout: float | None = UNREACHABLE_SECONDS_MAX
    ) -> None:
        self._session, self._master_timeout = session, master_timeout
        self.on_end: list[Callable[[], None]] = []
        self._closed = False
        self._broken: BrokenCluster | None = None
        self._reset()
        _submission_queues.add(self)

    def _reset(self) -> None:
        """What belongs to one process: after a fork the child has neither the thread nor what was sent."""
        # Guards the receivers, the thread and ``_closed``; again by who has it: the collector may call close() anywhere.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._receivers: dict[bytes, Receiver] = {}
        self._thread: threading.Thread | None = None
        self._last = ("", "")  # that was sent: what, and into which queue
        self._workers_checked = False  # since the last outcome
        self._unsent: deque[PendingTask] = deque()
        self._due = False
        self._under_way: set[_SubmitBatch] = set()
        self._events: SimpleQueue[Any] = SimpleQueue()  # rows; (ids, error); None: look whether it is over

    def send(
        self, name: str, choice: Choice, payload: bytes, receiver: Receiver, blobs: Sequence[Blob] = ()
    ) -> None:
        """Start a task. ``blobs``: named by the payload; their content is sent first, in this thread.

        Raises RuntimeError once closed, InvalidArgument without an address or key, and what an upload raises.
        """
        link = self._session.link
        if blobs:
            self._session.part(SessionBlobs).send(blobs)
        id = receiver.task
        with self._lock:
            self.check_open()
            self._receivers[id] = receiver
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tq-submissions", daemon=True)
                self._thread.start()
        self._last = name, choice.queue
        self._unsent.append((name, choice, id, payload, blobs))
        if not self._due:
            self._due = True
            if not link.post(partial(self._submit_gathered, link)):
                self._fail_unsent(Unreachable("the app was closed; make a new one"))

    def pending_receivers(self) -> list[Receiver]:
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
            self._events.put(None)
        else:
            self._end()

    def mark_broken(self, words: str) -> None:
        """There is no way to the cluster any more, and there will be none: tell everybody who waits, and who comes."""
        with self._lock:
            if self._receivers or not self._closed:
                self._broken = BrokenCluster(words)
                self._events.put((list(self._receivers), self._broken))
        self._session.close()  # what else waits for an answer

    def push(self) -> None:
        """Send what has gathered, whatever is on its way: a call made after this may be a question about it."""
        if self._unsent:
            link = self._session.link
            link.post(partial(self._submit_gathered, link, at_once=True))

    def flush(self) -> None:
        """Wait until everything sent is stored, or refused: a call is answered after all that were made before it."""
        self.push()
        try:
            self._session.call(TASKS, "states", [])
        except Unreachable:
            self.check_not_broken()
            raise

    def cancel(self, ids: Sequence[bytes], *, running: bool) -> list[Future[Any]]:
        """Have the master cancel tasks, those that run too or not; its answers, ``[[id, state], …]`` each."""
        self.push()
        parts = [ids[start : start + CANCEL_TASKS_MAX] for start in range(0, len(ids), CANCEL_TASKS_MAX)]
        return [self._session.start_call(TASKS, "cancel", part, running) for part in parts]

    def forget(self, ids: Iterable[bytes]) -> None:
        """These have been told by somebody else."""
        with self._changed:
            for id in ids:
                self._receivers.pop(id, None)
            self._changed.notify_all()
        self._events.put(None)

    @property
    def is_closed(self) -> bool:
        return self._closed

    def check_open(self) -> None:
        """Raises RuntimeError once closed, BrokenCluster once broken off."""
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        self.check_not_broken()

    def check_may_wait(self) -> None:
        """Raises RuntimeError in a callback: what it waits for would never come, since it is told one after the other."""
        if self._thread is threading.current_thread():
            raise RuntimeError(
                "a callback cannot wait for the end of what calls it, nor for a result that comes behind it; "
                "give that one a callback, or wait in another thread"
            )

    def check_not_broken(self) -> None:
        """Raises BrokenCluster once broken off."""
        if self._broken is not None:
            raise BrokenCluster(str(self._broken))

    def wait_for_room(self, most: int) -> None:
        """Wait until fewer than ``most`` have not heard; then for room enough that this is not every time."""
        if len(self._receivers) >= most:
            with self._changed:
                self._changed.wait_for(lambda: len(self._receivers) <= most // 2)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until everybody has heard; False when ``timeout`` seconds pass first."""
        self.check_may_wait()
        thread = self._thread
        with self._changed:
            if not self._changed.wait_for(lambda: not self._receivers, timeout):
                return False
        if self._closed and thread is not None:
            thread.join(timeout)
        return True

    # the I/O thread

    def _submit_gathered(self, link: ClientLink, at_once: bool = False) -> None:
        """Send what has gathered, unless enough is on its way: then the next answer comes back here."""
        if len(self._under_way) >= CALLS_UNDER_WAY and not at_once:
            return
        self._due = False
        for name, choice, tasks, named in _calls(self._take_unsent()):
            ids = [task[0] for task in tasks]
            batch = _SubmitBatch(self._events, ids)
            self._under_way.add(batch)
            stored = submit_many(self._session, name, choice, tasks, ids, batch, link, named)
            stored.add_done_callback(partial(self._answered, link, batch))

    def _answered(self, link: ClientLink, batch: _SubmitBatch, stored: Future[Any]) -> None:
        self._under_way.discard(batch)
        error = stored.exception()
        if isinstance(error, TqError):
            batch.fail(error)
            if isinstance(error, (Unreachable, Rejected, ProtocolError)):
                self._fail_unsent(
                    error
                )  # what waits behind it would be tried as long again, and told the same
        if self._due:
            self._submit_gathered(link)

    def _take_unsent(self) -> Iterator[PendingTask]:
        with contextlib.suppress(IndexError):
            while True:
                yield self._unsent.popleft()

    def _fail_unsent(self, error: TqError) -> None:
        """Nothing that has gathered will be sent."""
        self._due = False
        if lost := [id for _, _, id, _, _ in self._take_unsent()]:
            self._events.put((lost, error))

    # the queue's own thread

    def _run(self) -> None:
        while not (self._closed and not self._receivers):
            try:
                event = self._events.get(timeout=self._check_seconds if self._receivers else None)
            except Empty:
                self._check_progress()
                continue
            self._workers_checked = False
            if isinstance(event, tuple):
                ids, error = event
                self._deliver((id, error) for id in ids)
            elif event is not None:
                self._deliver((row.id, TaskOutcome(row.state, row.body)) for row in event)
        self._end()

    def _deliver(self, ends: Iterable[tuple[bytes, TaskOutcome | TqError]]) -> None:
        """How tasks ended, or why that will never be known, to those who wait for it."""
        for id, end in ends:
            receiver = self._receivers.get(id)
            if receiver is None:
                continue
            try:
                if isinstance(end, TaskOutcome):
                    receiver.ended(end)
                else:
                    receiver.failed(end)
            except BaseException:  # a callback's SystemExit, for one: the others have to hear all the same
                log.exception("a callback raised")
            self._receivers.pop(id, None)
        with self._changed:
            self._changed.notify_all()

    @property
    def _check_seconds(self) -> float:
        return (
            IDLE_CHECK_SECONDS
            if self._master_timeout is None
            else min(IDLE_CHECK_SECONDS, self._master_timeout)
        )

    def _check_progress(self) -> None:
        """Nothing has come for a while. Who waits must not wait for what will never be."""
        away = self._session.away_seconds
        if self._master_timeout is not None and away > self._master_timeout:
            error = BrokenCluster(
                f"the master has been out of reach for {away:.0f} s; what it has stored goes on when it is back: `tq ls` lists it"
            )
            self._fail_unsent(error)
            self._deliver([(id, error) for id in self._receivers])
        elif not self._workers_checked and not away:
            self._workers_checked = True
            name, queue = self._last
            asked = self._session.start_call(("get_workers",), "serving", queue, name)
            asked.add_done_callback(partial(self._warn_of_workers, name, queue))

    def _warn_of_workers(self, name: str, queue: str, asked: Future[Any]) -> None:
        if asked.exception() is not None:
            return  # whoever waits for the outcomes is told of it
        able, connected = asked.result()
        if not able:
            count = len(self._receivers)
            waiting = "1 task waits" if count == 1 else f"{count:,} tasks wait"
            log.warning("%s: %s", waiting, no_worker_runs(name, queue, connected))

    def _end(self) -> None:
        for step in self.on_end:
            step()


def _calls(pending: Iterable[PendingTask]) -> Iterator[tuple[str, Choice, list[list[bytes]], Named]]:
    """Submit calls for these, in order. Those that name blobs travel apart: a call is refused as a whole, and content
    may be gone."""
    of_name, of_choice = "", None
    tasks: list[list[bytes]] = []
    named: Named = {}
    size = blobs_named = 0
    for name, choice, id, payload, blobs in pending:
        size += len(payload)
        blobs_named += len(blobs)
        if of_choice is not None and (
            len(tasks) >= CHUNK_TASKS
            or size > CHUNK_BYTES
            or blobs_named > CHUNK_BLOBS
            or name != of_name
            or (choice is not of_choice and choice != of_choice)
            or bool(blobs) != bool(named)
        ):
            yield of_name, of_choice, tasks, named
            tasks, named, size, blobs_named = [], {}, len(payload), len(blobs)
        of_name, of_choice = name, choice
        tasks.append([id, payload])
        if blobs:
            named[id] = list(blobs)
    if of_choice is not None:
        yield of_name, of_choice, tasks, named


_submission_queues: weakref.WeakSet[SubmissionQueue] = weakref.WeakSet()


def _reset_in_child() -> None:
    for submissions in list(_submission_queues):
        submissions._reset()


in_child(_reset_in_child)
