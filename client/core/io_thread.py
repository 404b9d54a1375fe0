"""The I/O thread of an App: its own event loop, with a line to each shard that it asks.

::

    any thread:  call, watch, forget ──deque──► I/O thread: ShardLine: PendingCalls ◄──► Transport ◄── Connector
    any thread:  Future, OutcomeBox ◄─────────────┘

How many shards the cluster has is known from the first connection on, which is that to shard 0: see ``lines.py``.

Invariants: 1. only the I/O thread touches the lines; 2. posted actions are performed in the order of posting; 3. after
``close`` every future is done; 4. ``close`` waits for calls with ``until_done``, at most FINISH_SECONDS.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Final

from ...common.contract.tasks import OutcomeSlice
from ...common.domain.id_runs import IdRun
from ...common.errors import Unreachable
from ...common.runtime.event_loop import loop_factory
from .fork import in_child
from .greenlets import check_threads
from .lines import IoLines
from .listener import Listener
from .shard_line import settle
from .transports import Opener

# So long a program's end waits for calls with ``until_done``: the restart of a master
FINISH_SECONDS: Final = 5.0

CLOSED: Final = "the app was closed before the answer came; what was sent may have been done"

_ending: set[ClientLink] = set()  # stopping, but not ended yet


@atexit.register
def wait_for_ending() -> None:
    """Links of collected apps still send what was posted; as daemons, their threads would die with the program."""
    for link in list(_ending):
        link.close()


in_child(_ending.clear)  # their threads exist only in the parent


class ClientLink:
    """One App's link to the masters in this process. Made on first use; ``close`` ends its thread. ``of_shard``: opens transports to
    a shard, by its number."""

    def __init__(
        self,
        opener: Opener,
        *,
        stream: str,
        connect_seconds: float,
        of_shard: Callable[[int], Opener] | None = None,
    ) -> None:
        # Before anything waits: under gevent's patches the thread below would never run.
        check_threads()
        self.stream = stream
        self._posted: deque[Callable[[], None]] = deque()
        self._wake_due = False
        self._posted_runs_in = 0  # id of the I/O thread while it performs posted actions
        self._loop = (loop_factory() or asyncio.new_event_loop)()
        self._main: asyncio.Task[None] | None = None
        self._closing, self._why_closed = False, CLOSED
        self._finishing = False
        self.lines = IoLines(
            opener,
            of_shard,
            stream,
            connect_seconds,
            self._loop,
            # Looked up here: a subclass records what it delivers.
            deliver=self._deliver,
            run_posted=self._run_posted,
        )
        # A daemon: Python waits for others before it calls what is registered at ``atexit``, and that is what ends this one.
        self._thread = threading.Thread(target=self._run, name="tq-client", daemon=True)
        self._thread.start()

    # for any thread

    @property
    def cluster(self) -> str | None:
        """The id of the cluster, from the first connection on."""
        return self.lines.cluster

    @property
    def shards(self) -> int | None:
        """How many it has, from then on."""
        return self.lines.shards

    @property
    def missing(self) -> str:
        """Which shards the last list is without, in words; empty: none."""
        several = self.lines.several
        return "" if several is None else several.missing_in_words

    @property
    def watched_tasks(self) -> int:
        """The number of tasks whose outcomes are still to come; may be slightly outdated."""
        return sum(line.pending.watched_tasks for line in self.lines.all)

    @property
    def away_seconds(self) -> float:
        """For how long there has been no connection; 0 while there is one."""
        return self.lines.first.away_seconds

    def call(
        self,
        target: Sequence[Any],
        method: str,
        args: Sequence[Any],
        *,
        repeatable: bool,
        until_done: bool = False,
        runs: Sequence[IdRun] = (),
        box: Listener | None = None,
        boxes: Sequence[Listener] = (),
    ) -> Future[Any]:
        """Make a call. ``box`` receives the outcomes of the tasks ``runs`` that it submits, or one of ``boxes`` each.
        ``until_done``: repeat it until
        the master has done it, even if the caller no longer waits; ``close`` waits up to FINISH_SECONDS for that."""
        future: Future[Any] = Future()
        self.post(
            lambda: self.lines.make(
                future,
                target,
                method,
                args,
                repeatable=repeatable,
                until_done=until_done,
                runs=runs,
                listener=box,
                listeners=boxes,
            )
        )
        if self._closing:  # the I/O thread may have performed its last actions already
            settle(future, None, self._closed())
        return future

    def watch(self, box: Listener, runs: Sequence[IdRun]) -> None:
        """Deliver the outcomes of these tasks to a box."""
        self.post(lambda: self.lines.taker.watch(box, runs))
        if self._closing:
            box.fail(self._closed())

    def forget(self, box: Listener) -> None:
        """Stop delivering to this box. Takes no lock, since the garbage collector may call it in any thread at any time."""
        self.post(lambda: self.lines.taker.forget(box))

    def call_shard(
        self, shard: int, target: Sequence[Any], method: str, args: Sequence[Any], *, repeatable: bool
    ) -> Future[Any]:
        """Make a call to a shard by its number, whatever it names. There have to be several."""
        future: Future[Any] = Future()

        def make() -> None:
            several = self.lines.several
            call = self.lines.make if several is None else partial(several.call_shard, shard)
            call(future, target, method, args, repeatable=repeatable)

        self.post(make)
        if self._closing:
            settle(future, None, self._closed())
        return future

    def ask_shards(self) -> Future[int]:
        """How many shards the cluster has; known from the first connection on, and no call of its own."""
        future: Future[int] = Future()
        # A callback may ask, and the thread that it would wait for is its own.
        if threading.current_thread() is self._thread and self.shards is None:
            settle(future, None, Unreachable("no master has answered yet"))
            return future
        self.post(lambda: self.lines.ask_shards(future))
        if self._closing:
            settle(future, None, self._closed())
        return future

    def away_of(self, future: Future[Any]) -> float:
        """As ``away_seconds``, of the shard that this call goes to."""
        return self.lines.away_of(future)

    def close(self, why: str = CLOSED) -> None:
        """Close the connection, fail open calls and watches, end the thread."""
        if not self._closing:
            self._why_closed = why
        self.stop()
        # A callback of a future may close the app, and it runs in the I/O thread itself.
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def stop(self) -> None:
        """As ``close``, but without waiting; the exit of the program waits for it."""
        _ending.add(self)
        self._closing = True
        self._wake(self._finish)

    def abandon_in_child(self) -> None:
        """After a fork, in the child, which has no I/O thread: drop the parent's connection and fail the boxes that wait
        for outcomes; their next wait watches the tasks again."""
        self.lines.abandon_in_child(Unreachable("this process was forked while it waited; wait again"))

    def post(self, action: Callable[[], None]) -> bool:
        """Perform an action in the I/O thread, in the order of posting; False when that thread may have ended.

        An action that posts another one performs it directly: behind posts of other threads it would be out of order.
        """
        if self._posted_runs_in == threading.get_ident():
            action()
            return True
        self._posted.append(action)
        if not self._wake_due:  # one for all that is posted before the loop runs: each is a system call
            self._wake_due = True
            self._wake(self._run_posted)
        return not self._closing

    def _wake(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # the loop is closed: close() fails everything that is open
            return

    def _closed(self) -> Unreachable:
        return Unreachable(self._why_closed)

    # the I/O thread

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner, suppress(asyncio.CancelledError):
                runner.run(self._serve())
        except RuntimeError:
            # At its exit Python 3.12 starts no more threads, but asyncio's shutdown wants one if a name was looked up.
            if not self._closing:
                raise
        finally:
            _ending.discard(self)

    def _finish(self) -> None:
        """End as soon as all calls with ``until_done`` are done, at the latest after FINISH_SECONDS."""
        if not self._finishing:
            self._finishing = True
            self.lines.tell_when_flushed(self._end_if_done)
            self._run_posted()
            self._loop.call_later(FINISH_SECONDS, self._cancel)

    def _end_if_done(self) -> None:
        """The last answer that ``close`` waits for may have come."""
        if not self.lines.must_finish:
            self._cancel()

    def _cancel(self) -> None:
        if self._main is not None:
            self._main.cancel()

    async def _serve(self) -> None:
        self._main = asyncio.current_task()
        # It was closed before this thread came so far, and there was nothing to cancel yet.
        if self._finishing:
            self._end_if_done()
        try:
            await self.lines.first.serve()
        finally:
            self.lines.close("the client closed its app")
            self._run_posted()
            self.lines.give_up(self._closed())

    def _run_posted(self) -> None:
        """Perform all posted actions, then their effects together: calls of one turn share a write to the socket."""
        self._wake_due = False
        self._posted_runs_in = threading.get_ident()
        while self._posted:
            self._posted.popleft()()
        self._posted_runs_in = 0
        lines = self.lines
        # Of one shard directly: this is done for each submit.
        if lines.shards == 1:
            lines.first.flush()
        else:
            lines.flush()

    def _deliver(self, box: Listener, slices: Sequence[OutcomeSlice]) -> None:
        """Give outcomes to their box; a subclass records them first."""
        box.put(slices)
