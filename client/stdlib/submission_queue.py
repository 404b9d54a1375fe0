"""Submits tasks and passes their outcomes to receivers, for the standard library's Executor and Pool.

::

    any thread: send ──► SubmitBuffer ──► I/O thread ──► master
    receivers  ◄── the queue's own thread, one outcome after the other ◄──events── outcomes

``send`` does not wait: a task is stored some milliseconds later, and one that cannot be stored fails at its receiver.
Receivers run callbacks of users, so they are called in the queue's own thread and never in the I/O thread, which serves all
of the program.

Invariants: 1. every receiver is called exactly once, ``ended`` or ``failed``; 2. after ``close`` no task is accepted, and
the thread ends after the last receiver was called.
"""

from __future__ import annotations

import logging
import threading
import weakref
from concurrent.futures import Future
from functools import partial
from itertools import repeat
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Protocol

from ...common.domain.id_runs import IdRun, runs_of
from ...common.domain.shards import shard_of_id
from ...common.errors import TqError, Unreachable
from ...common.values.batches import decode_plain_values
from ..blobs.blobs import SessionBlobs
from ..core.fork import in_child
from ..tasks.answers import TASKS
from ..tasks.lent_slot import wait_lending
from ..tasks.outcomes import SUCCEEDED, TaskOutcome
from ..tasks.submission import parent_here
from .exceptions import BrokenCluster, no_worker_runs
from .submit_buffer import SubmitBuffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ...common.contract.tasks import OutcomeSlice
    from ...common.values.blob import Blob
    from ..core.session import ClientSession
    from ..tasks.kinds import TaskKind

UNREACHABLE_SECONDS_MAX: Final = 300.0  # a master's restart, an upgrade or a reboot of its host take less
IDLE_CHECK_SECONDS: Final = 2.0  # without an outcome, before a check whether one can come
CANCEL_SECONDS: Final = 5.0  # for the master to answer a cancel: the caller should not wait long for that
CANCEL_TASKS_MAX: Final = 10_000  # in one call

_RESULT, _OUTCOME, _ERROR = range(3)  # what receivers are passed

log = logging.getLogger("tq.client")


class Receiver(Protocol):
    """Receives the outcome of a task. ``task``: its id, new."""

    task: bytes

    def succeeded(self, value: Any) -> None:
        """The task has succeeded; its result was plain, and is decoded."""

    def ended(self, outcome: TaskOutcome) -> None:
        """The task has ended, successfully or not."""

    def failed(self, error: TqError) -> None:
        """It was not stored, or its outcome will never be known."""


class SubmissionQueue:
    """``master_timeout``: seconds that the master may be unreachable before all receivers fail with BrokenCluster.
    ``on_end``: called in the queue's own thread when it is closed and all receivers were called. Receivers must not
    reference the queue's owner, or that is never garbage collected.
    """

    def __init__(
        self, session: ClientSession, master_timeout: float | None = UNREACHABLE_SECONDS_MAX
    ) -> None:
        self.session = self._session = session
        self._master_timeout = master_timeout
        self.on_end: list[Callable[[], None]] = []
        self._closed = False
        self._broken: BrokenCluster | None = None
        self._reset()
        _submission_queues.add(self)

    def _reset(self) -> None:
        """Initialise the state of one process: after a fork the child has neither the thread nor the sent tasks."""
        # Guards the receivers, the thread and ``_closed``. Reentrant: the garbage collector may call close() anywhere.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._receivers: dict[bytes, Receiver] = {}
        self._thread: threading.Thread | None = None
        self._last: TaskKind | None = None  # of the last task sent
        self._workers_checked = False  # since the last outcome
        # Slices; (ids, error); None: check whether all is done
        self._events: SimpleQueue[Any] = SimpleQueue()
        self._buffer = SubmitBuffer(self._session, self._events)

    def send(self, kind: TaskKind, payload: bytes, receiver: Receiver, blobs: Sequence[Blob] = ()) -> None:
        """Submit a task. ``blobs``: named by the payload; their content is uploaded first, in this thread.

        Raises RuntimeError once closed, InvalidArgument without an address or key, and the errors of an upload.
        """
        if blobs:
            self._session.part(SessionBlobs).of(kind.shard).send(blobs)
        id, buffer = receiver.task, self._buffer
        # Outside the lock: making the first link may take long, and raise.
        link = None if buffer.is_due else self._session.link
        with self._lock:
            if self._closed or self._broken is not None:
                self.check_open()
            # Registered before the task is sent: its outcome may arrive before this method returns.
            self._receivers[id] = receiver
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tq-submissions", daemon=True)
                self._thread.start()
        self._last = kind
        if (parent := parent_here()) is not None:
            buffer.parents[id] = parent
        buffer.unsent.append((kind, id, payload, blobs))
        if not buffer.is_due:
            buffer.schedule(link or self._session.link)

    def pending_receivers(self) -> list[Receiver]:
        """The receivers that were not called yet."""
        with self._lock:
            return list(self._receivers.values())

    def pending_runs(self) -> list[IdRun]:
        """Their tasks."""
        with self._lock:
            # Sorted: neighbours become runs, whatever the order in which they were sent.
            ids = sorted(self._receivers)
        return list(runs_of(ids))

    def close(self) -> None:
        """Accept no more tasks."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            started = self._thread is not None
        if started:
            self._events.put(None)  # wakes the thread, which may have nothing left to do
        else:
            self._end()

    def mark_broken(self, words: str) -> None:
        """The cluster is unusable for good: fail all receivers and all later sends."""
        with self._lock:
            if self._receivers or not self._closed:
                self._broken = BrokenCluster(words)
                self._events.put((list(self._receivers), self._broken))
        self._session.close()  # ends all other waits for answers as well

    def push(self) -> None:
        """Send the gathered tasks at once: the next call may be about them."""
        self._buffer.push()

    def flush(self) -> None:
        """Wait until all sent tasks are stored or refused: the master answers calls in order."""
        self.push()
        try:
            self._session.call(TASKS, "states", [])
        except Unreachable:
            self.check_not_broken()
            raise

    def cancel(self, ids: Sequence[bytes], *, running: bool) -> list[Future[Any]]:
        """Cancel tasks, with ``running`` also running ones; returns the answers, ``[[id, state], …]`` each."""
        self.push()
        parts = [ids[start : start + CANCEL_TASKS_MAX] for start in range(0, len(ids), CANCEL_TASKS_MAX)]
        return [self._session.start_call(TASKS, "cancel", part, running) for part in parts]

    def forget(self, ids: Iterable[bytes]) -> None:
        """Drop receivers that have their result from elsewhere."""
        with self._changed:
            for id in ids:
                self._receivers.pop(id, None)
            self._changed.notify_all()
        self._events.put(None)

    @property
    def is_closed(self) -> bool:
        return self._closed

    def check_open(self) -> None:
        """Raises RuntimeError once closed, BrokenCluster once broken."""
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        self.check_not_broken()

    def check_may_wait(self) -> None:
        """Raises RuntimeError in a callback: callbacks run one after the other, so the wait would never end."""
        if self._thread is threading.current_thread():
            raise RuntimeError(
                "a callback cannot wait for the end of what calls it, nor for a result that comes after it; "
                "give that one a callback, or wait in another thread"
            )

    def check_not_broken(self) -> None:
        """Raises BrokenCluster once broken."""
        if self._broken is not None:
            raise BrokenCluster(str(self._broken))

    def wait_for_room(self, most: int) -> None:
        """With ``most`` pending receivers or more, wait until half of them are done, so that not every task waits. Raises
        BrokenCluster once broken."""
        if len(self._receivers) >= most:
            wait_lending(self._waiter(lambda: len(self._receivers) <= most // 2), self.pending_runs)
        if self._broken is not None:
            self.check_not_broken()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until all receivers were called; False when ``timeout`` seconds pass first."""
        self.check_may_wait()
        thread = self._thread
        if not wait_lending(self._waiter(lambda: not self._receivers), self.pending_runs, timeout):
            return False
        if self._closed and thread is not None:
            # ``on_end`` has been called only when the thread has ended.
            thread.join(timeout)
        return True

    def _waiter(self, is_over: Callable[[], bool]) -> Callable[[float | None], bool]:
        def wait(seconds: float | None) -> bool:
            with self._changed:
                return self._changed.wait_for(is_over, seconds)

        return wait

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
                self._deliver(ids, _ERROR, repeat(error))
            elif event is not None:
                for one in event:
                    self._deliver_slice(one)
        self._end()

    def _deliver_slice(self, one: OutcomeSlice) -> None:
        values = decode_plain_values(one.bodies) if one.state == SUCCEEDED else None
        if values is None:
            self._deliver(one.run.ids(), _OUTCOME, map(TaskOutcome, repeat(one.state), one.bodies))
        else:
            self._deliver(one.run.ids(), _RESULT, values)

    def _deliver(self, ids: Iterable[bytes], what: int, ends: Iterable[Any]) -> None:
        """Pass results, outcomes or errors to their receivers."""
        for id, end in zip(ids, ends, strict=False):
            receiver = self._receivers.get(id)
            if receiver is None:
                continue
            try:
                if what == _RESULT:
                    receiver.succeeded(end)
                elif what == _OUTCOME:
                    receiver.ended(end)
                else:
                    receiver.failed(end)
            except BaseException:
                # Such as SystemExit in a callback: the other receivers must still be called.
                log.exception("a callback raised")
            # Removed after the call: ``join`` must not return while a callback still runs.
            self._receivers.pop(id, None)
        with self._changed:
            self._changed.notify_all()

    @property
    def _check_seconds(self) -> float:
        limit = self._master_timeout
        return IDLE_CHECK_SECONDS if limit is None else min(IDLE_CHECK_SECONDS, limit)

    def _check_progress(self) -> None:
        """No outcome came for a while: fail if the master is away for too long, warn if no worker serves the tasks."""
        shard = 0 if self._last is None else self._last.shard
        away = self._session.away_from(shard)
        if self._master_timeout is not None and away > self._master_timeout:
            error = BrokenCluster(
                f"the master has been out of reach for {away:.0f} s; what it has stored goes on when it is back: `tq ls` lists it"
            )
            self._buffer.fail_unsent(error)
            # Tasks of other shards are not concerned.
            lost = [id for id in self._receivers if shard_of_id(id) == shard]
            self._deliver(lost, _ERROR, repeat(error))
        elif not self._workers_checked and not away and self._last is not None:
            # Once between two outcomes: the warning would come every two seconds.
            self._workers_checked = True
            name, queue = self._last.name, self._last.choice.queue
            asked = self._session.start_call(("get_workers",), "serving", queue, name)
            asked.add_done_callback(partial(self._warn_of_workers, name, queue))

    def _warn_of_workers(self, name: str, queue: str, asked: Future[Any]) -> None:
        if asked.exception() is not None:
            return  # the receivers get this error themselves
        able, connected = asked.result()
        if not able:
            count = len(self._receivers)
            waiting = "1 task waits" if count == 1 else f"{count:,} tasks wait"
            log.warning("%s: %s", waiting, no_worker_runs(name, queue, connected))

    def _end(self) -> None:
        for step in self.on_end:
            step()


_submission_queues: weakref.WeakSet[SubmissionQueue] = weakref.WeakSet()


def _reset_in_child() -> None:
    for submissions in list(_submission_queues):
        submissions._reset()


in_child(_reset_in_child)
