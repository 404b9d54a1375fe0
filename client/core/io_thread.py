"""The I/O thread of an App: its own event loop, which owns the pending calls and the connection to the master.

::

    any thread:  call, watch, forget ──deque──► I/O thread: PendingCalls ◄──► Transport ◄── Connector
    any thread:  Future, OutcomeBox ◄─────────────┘

It connects when there is work, and reconnects as long as any call or watch is open. When the first connection fails
(``connector.py``), all open calls and watches get the error. A refused key is final: all later calls get that error too.

Invariants: 1. only the I/O thread touches the pending calls and the transport; 2. posted actions are performed in the order
of posting; 3. after ``close`` every future is done; 4. ``close`` waits for calls with ``until_done``, at most
FINISH_SECONDS.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, Final

from ...common.contract.tasks import OutcomeSlice
from ...common.domain.id_runs import IdRun
from ...common.errors import Rejected, TqError, Unreachable
from ...common.runtime.event_loop import loop_factory
from .connector import Connector
from .fork import in_child
from .greenlets import check_threads
from .listener import Listener
from .pending_calls import TRANSIENT, PendingCalls
from .transports import CallResult, Opener, Transport

FINISH_SECONDS: Final = (
    5.0  # so long a program's end waits for calls with ``until_done``: the restart of a master
)

CLOSED: Final = "the app was closed before the answer came; what was sent may have been done"

log = logging.getLogger("tq.client")


_ending: set[ClientLink] = set()  # stopping, but not ended yet


@atexit.register
def wait_for_ending() -> None:
    """Links of collected apps still send what was posted; as daemons, their threads would die with the program."""
    for link in list(_ending):
        link.close()


in_child(_ending.clear)  # their threads exist only in the parent


class ClientLink:
    """One App's link to the master in this process. Made on first use; ``close`` ends its thread."""

    def __init__(self, opener: Opener, *, stream: str, connect_seconds: float) -> None:
        # Before anything waits: under gevent's patches the thread below would never run.
        check_threads()
        self._connector = Connector(opener, connect_seconds)
        self.stream, self._pending = stream, PendingCalls(stream)
        self._posted: deque[Callable[[], None]] = deque()
        self._wake_due = False
        self._posted_runs_in = 0  # id of the I/O thread while it performs posted actions
        self._transport: Transport | None = None
        self._refused: TqError | None = None  # final
        self.cluster: str | None = None  # the id of the master, from the first connection on
        self._away_since: float | None = time.monotonic()
        self._loop = (loop_factory() or asyncio.new_event_loop)()
        self._has_work = asyncio.Event()
        self._main: asyncio.Task[None] | None = None
        self._closing, self._why_closed = False, CLOSED
        self._finishing = False
        self._resume_due = False
        self._thread = threading.Thread(target=self._run, name="tq-client", daemon=True)
        self._thread.start()

    # for any thread

    @property
    def watched_tasks(self) -> int:
        """The number of tasks whose outcomes are still to come; may be slightly outdated."""
        return self._pending.watched_tasks

    @property
    def away_seconds(self) -> float:
        """For how long there has been no connection; 0 while there is one."""
        since = self._away_since
        return 0.0 if since is None else time.monotonic() - since

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
        make = self._pending.call
        self.post(
            lambda: make(
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
        self.post(lambda: self._pending.watch(box, runs))
        if self._closing:
            box.fail(self._closed())

    def forget(self, box: Listener) -> None:
        """Stop delivering to this box. Takes no lock, since the garbage collector may call it in any thread at any time."""
        self.post(lambda: self._pending.forget(box))

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
        if self._transport is not None:
            # Closed as usual it would say goodbye to the master in the parent's name.
            self._transport.abandon_in_child()
        self._pending.give_up(Unreachable("this process was forked while it waited; wait again"))
        for box, _, error in self._pending.take_deliveries():
            if error is not None:
                box.fail(error)

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
            self._run_posted()
            self._loop.call_later(FINISH_SECONDS, self._cancel)

    def _cancel(self) -> None:
        if self._main is not None:
            self._main.cancel()

    async def _serve(self) -> None:
        self._main = asyncio.current_task()
        try:
            while True:
                await self._has_work.wait()
                transport = await self._connect()
                if transport is not None:
                    await self._use(transport)
                    await self._connector.pause_if_fruitless()
        finally:
            if self._transport is not None:
                self._transport.close("the client closed its app")
            self._run_posted()
            self._pending.give_up(self._closed())
            self._flush()

    async def _connect(self) -> Transport | None:
        """A transport; None when all open calls and watches were failed instead."""
        try:
            return await self._connector.open(self._on_result)
        except TqError as error:
            # Kept, so that each later call fails at once: a wrong key does not become right by asking again.
            if isinstance(error, Rejected):
                self._refused = error
            self._run_posted()
            self._pending.give_up(error)
            self._flush()
            return None

    async def _use(self, transport: Transport) -> None:
        if self._connector.was_connected:
            log.info("connected again")
        self._transport, self._connector.was_connected, self._away_since = transport, True, None
        self.cluster = transport.cluster
        self._pending.connected()
        self._connector.fruitless += 1  # until a call is answered
        self._flush()
        reason = await transport.wait_gone()
        self._transport, self._away_since = None, time.monotonic()
        self._pending.disconnected()
        self._flush()
        if self._pending.has_work:
            log.warning("%s; open calls continue as soon as there is a connection again", reason)

    def _run_posted(self) -> None:
        """Perform all posted actions, then their effects together: calls of one turn share a write to the socket."""
        self._wake_due = False
        self._posted_runs_in = threading.get_ident()
        while self._posted:
            self._posted.popleft()()
        self._posted_runs_in = 0
        if self._refused is not None:
            self._pending.give_up(self._refused)
        self._flush()

    def _on_result(self, report: CallResult) -> None:
        # Any answer, a refusal too: the master is there, and the next pause is short again.
        if not isinstance(report.error, Unreachable):
            self._connector.fruitless = 0
        if report.error is None:
            self._connector.losses = 0
            self._pending.answered(report.number, report.value)
        elif isinstance(report.error, Unreachable):
            self._pending.lost(report.number)
            self._resume_soon()
        else:
            self._pending.refused(report.number, report.error)
            if isinstance(report.error, TRANSIENT):  # the master has dropped the watches: watch again
                self._resume_soon()
        self._flush()

    def _resume_soon(self) -> None:
        """After a loss on a supervisor's connection, which survives the loss: continue as after a reconnect, once for all
        calls lost together. A network connection that loses calls is closed, and ``_use`` handles that."""
        if self._transport is not None and not self._transport.is_gone and not self._resume_due:
            self._resume_due = True
            self._loop.call_later(self._connector.pause_after_loss(), self._resume)

    def _resume(self) -> None:
        self._resume_due = False
        if self._transport is not None and not self._transport.is_gone:
            self._pending.connected()
            self._flush()

    def _flush(self) -> None:
        """Perform the effects of the pending calls: send, settle, deliver."""
        pending = self._pending
        if self._transport is not None:
            # Sent before answers are given: what those set off follows in order.
            for call in pending.take_outgoing():
                self._transport.send(call)
        for ticket, value, error in pending.take_settled():
            settle(ticket, value, error)
        for box, slices, error in pending.take_deliveries():
            if error is None:
                self._deliver(box, slices)
            else:
                box.fail(error)
        if pending.has_work:
            self._has_work.set()
        else:
            self._has_work.clear()
        # The last answer that ``close`` waits for has come.
        if self._finishing and not pending.must_finish:
            self._cancel()

    def _deliver(self, box: Listener, slices: Sequence[OutcomeSlice]) -> None:
        """Give outcomes to their box; a subclass records them first."""
        box.put(slices)


def settle(future: Future[Any], value: Any, error: BaseException | None) -> None:
    """Complete a future, unless a cancelled ``await`` or ``close`` did so first."""
    try:  # and no context manager: this is done for every call
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
    except InvalidStateError:
        return
