"""The I/O thread of an App: an event loop of its own that owns the pending and the line to the master.

::

    any thread:  call, watch, forget ──deque──► I/O thread: PendingCalls ◄──► Transport (network, or the supervisor's)
    any thread:  Future, OutcomeBox         ◄─────────────┘

Owns reconnecting: the first connection is tried for ``connect_seconds``, then everybody who waits gets
Unreachable; once there has been a connection it is restored without end, as long as anything is open
(callers have timeouts of their own). A refused key is final: it is told to everybody, now and later.

Invariants: 1. the pending and the line are touched by the I/O thread only; 2. what any thread posts is
performed in the order of posting; 3. after ``close`` every future is done;
4. ``close`` waits for what was insisted on, at most FINISH_SECONDS.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from random import SystemRandom
from typing import Any, Final

from ...common.contract.tasks import OutcomeRow
from ...common.domain.retry import retry_delay
from ...common.errors import ProtocolError, QuotaExceeded, Rejected, TqError, Unreachable
from ...common.runtime.event_loop import loop_factory
from ...common.wire.connection import CONNECT_SECONDS
from .fork import in_child
from .listener import Listener
from .pending_calls import TRANSIENT, PendingCalls
from .transports import CallResult, Opener, Transport

BACKOFF_SECONDS_MIN: Final = 0.05
BACKOFF_SECONDS_MAX: Final = 5.0
FINISH_SECONDS: Final = 5.0  # at its end a program waits so long for what it insisted on: a master's restart
# Not the program's own: what it does with a seed has to be the same with us in it.
_chance: Final = SystemRandom()

CLOSED: Final = "the app was closed before the answer came; what was sent may have been done"

log = logging.getLogger("tq.client")


_ending: set[ClientLink] = set()  # told to end, and not there yet


@atexit.register
def wait_for_ending() -> None:
    """Links of apps that nobody holds any more still send what was posted: their threads would die with the program."""
    for link in list(_ending):
        link.close()


in_child(_ending.clear)  # their threads are the parent's


class ClientLink:
    """One App's line in this process. Made on first use; ``close`` ends its thread."""

    def __init__(self, opener: Opener, *, stream: str, connect_seconds: float) -> None:
        self._open_transport, self._connect_seconds = opener, connect_seconds
        self.stream, self._pending = stream, PendingCalls(stream)
        self._posted: deque[Callable[[], None]] = deque()
        self._wake_due = False
        self._posted_runs_in = 0  # the I/O thread, while it does what was posted
        self._transport: Transport | None = None
        self._refused: TqError | None = None  # final
        self._was_connected = False
        self.cluster: str | None = None  # the id of the master, from the first connection on
        self._away_since: float | None = time.monotonic()
        self._loop = (loop_factory() or asyncio.new_event_loop)()
        self._has_work = asyncio.Event()
        self._main: asyncio.Task[None] | None = None
        self._closing, self._why_closed = False, CLOSED
        self._finishing = False
        self._losses = 0  # in a row, on a supervisor's line
        self._fruitless = 0  # connections in a row that answered no call
        self._resume_due = False
        self._thread = threading.Thread(target=self._run, name="tq-client", daemon=True)
        self._thread.start()

    # for any thread

    @property
    def watched_tasks(self) -> int:
        """How many tasks' outcomes are still to come; a moment old at best."""
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
        ids: Sequence[bytes] = (),
        box: Listener | None = None,
    ) -> Future[Any]:
        """Make a call; ``box`` gets the outcomes of the tasks ``ids`` that it makes. ``until_done``: it is repeated until the
        master has done it, in the background too, and ``close`` waits for that, for a while."""
        future: Future[Any] = Future()
        self.post(
            lambda: self._pending.call(
                future,
                target,
                method,
                args,
                repeatable=repeatable,
                until_done=until_done,
                ids=ids,
                listener=box,
            )
        )
        if self._closing:  # the I/O thread may have looked at its post for the last time
            settle(future, None, self._closed())
        return future

    def watch(self, box: Listener, ids: Sequence[bytes]) -> None:
        """Put the outcomes of these tasks into a box."""
        self.post(lambda: self._pending.watch(box, ids))
        if self._closing:
            box.fail(self._closed())

    def forget(self, box: Listener) -> None:
        """Nobody reads this box any more. Takes no lock: the garbage collector may call it anywhere."""
        self.post(lambda: self._pending.forget(box))

    def close(self, why: str = CLOSED) -> None:
        """Say goodbye, fail what is open, end the thread."""
        if not self._closing:
            self._why_closed = why
        self.stop()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def stop(self) -> None:
        """As ``close``, without waiting for it; the end of the program does."""
        _ending.add(self)
        self._closing = True
        self._wake(self._finish)

    def abandon_in_child(self) -> None:
        """After a fork, in the child, where the thread does not exist: let go of the parent's connection.

        Boxes that were being filled fail; their tasks are watched anew by whoever reads on.
        """
        if self._transport is not None:
            self._transport.abandon_in_child()
        self._pending.give_up(Unreachable("this process was forked while it waited; wait again"))
        for box, _, error in self._pending.take_deliveries():
            if error is not None:
                box.fail(error)

    def post(self, action: Callable[[], None]) -> bool:
        """Have something done in the I/O thread, in the order of posting; False when that may be over.

        What is posted by something that is being done is a part of it: behind what others post meanwhile, it
        would be out of order.
        """
        if self._posted_runs_in == threading.get_ident():
            action()
            return True
        self._posted.append(action)
        if not self._wake_due:  # one wake-up for all that is posted until it is heard
            self._wake_due = True
            self._wake(self._run_posted)
        return not self._closing

    def _wake(self, callback: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: close() has failed everything, or does so now
            self._loop.call_soon_threadsafe(callback)

    def _closed(self) -> Unreachable:
        return Unreachable(self._why_closed)

    # the I/O thread

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner, suppress(asyncio.CancelledError):
                runner.run(self._serve())
        except (
            RuntimeError
        ):  # Python 3.12 starts no thread at its end, and asyncio wants one if it looked up a name
            if not self._closing:
                raise
        finally:
            _ending.discard(self)

    def _finish(self) -> None:
        """End, as soon as what was insisted on is done."""
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
                line = await self._connect()
                if line is not None:
                    await self._use(line)
                    if self._fruitless:  # a master that admits us and hangs up is not asked again at once
                        await asyncio.sleep(_pause_seconds(self._fruitless))
        finally:
            if self._transport is not None:
                self._transport.close("the client closed its app")
            self._run_posted()
            self._pending.give_up(self._closed())
            self._flush()

    async def _connect(self) -> Transport | None:
        """A line; None when everybody was told that there will be none."""
        now = self._loop.time
        deadline = None if self._was_connected else now() + self._connect_seconds
        for attempt in itertools.count(1):
            rest = self._connect_seconds if deadline is None else max(0.001, deadline - now())
            rest = min(rest, CONNECT_SECONDS)  # one that falls silent half-way leaves time for another
            pause = _pause_seconds(attempt)
            try:
                return await self._open_transport(self._on_result, rest)
            except Rejected as error:
                self._refused = error
                self._give_up(error)
                return None
            except (Unreachable, ProtocolError, QuotaExceeded) as error:
                stranger = isinstance(error, ProtocolError)
                if deadline is not None and (stranger or now() + pause > deadline):
                    self._give_up(error)
                    return None
                log.debug("attempt %d: %s", attempt, error)
            await asyncio.sleep(pause)
        return None

    async def _use(self, line: Transport) -> None:
        if self._was_connected:
            log.info("connected again")
        self._transport, self._was_connected, self._away_since = line, True, None
        self.cluster = line.cluster
        self._pending.connected()
        self._fruitless += 1
        self._flush()
        reason = await line.wait_gone()
        self._transport, self._away_since = None, time.monotonic()
        self._pending.disconnected()
        self._flush()
        if self._pending.has_work:
            log.warning("%s; what is open goes on as soon as there is a connection again", reason)

    def _give_up(self, error: TqError) -> None:
        self._run_posted()
        self._pending.give_up(error)
        self._flush()

    def _run_posted(self) -> None:
        """Everything posted, then the effects of it all at once."""
        self._wake_due = False
        self._posted_runs_in = threading.get_ident()
        while self._posted:
            self._posted.popleft()()
        self._posted_runs_in = 0
        if self._refused is not None:
            self._pending.give_up(self._refused)
        self._flush()

    def _on_result(self, report: CallResult) -> None:
        if not isinstance(report.error, Unreachable):
            self._fruitless = 0
        if report.error is None:
            self._losses = 0
            self._pending.answered(report.number, report.value)
        elif isinstance(report.error, Unreachable):
            self._pending.lost(report.number)
            self._resume_soon()
        else:
            self._pending.refused(report.number, report.error)
            if isinstance(report.error, TRANSIENT):  # the master forgets what was watched: say it again
                self._resume_soon()
        self._flush()

    def _resume_soon(self) -> None:
        """A supervisor's line outlives the connection behind it: go on as after a reconnect, for all calls
        that were lost together once. A network line that loses calls is gone, and ``_use`` sees to it."""
        if self._transport is not None and not self._transport.is_gone and not self._resume_due:
            self._resume_due = True
            self._losses += 1
            self._loop.call_later(_pause_seconds(self._losses), self._resume)

    def _resume(self) -> None:
        self._resume_due = False
        if self._transport is not None and not self._transport.is_gone:
            self._pending.connected()
            self._flush()

    def _flush(self) -> None:
        """Perform the pending's effects."""
        pending = self._pending
        if self._transport is not None:
            for call in pending.take_outgoing():
                self._transport.send(call)
        for ticket, value, error in pending.take_settled():
            settle(ticket, value, error)
        for box, rows, error in pending.take_deliveries():
            if error is None:
                self._deliver(box, rows)
            else:
                box.fail(error)
        if pending.has_work:
            self._has_work.set()
        else:
            self._has_work.clear()
        if self._finishing and not pending.must_finish:
            self._cancel()

    def _deliver(self, box: Listener, rows: Sequence[OutcomeRow]) -> None:
        """Outcomes, to whoever waits for them."""
        box.put(rows)


def _pause_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row; spread, so that clients do not come back in step."""
    return retry_delay(failures, BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX, _chance.random())


def settle(future: Future[Any], value: Any, error: BaseException | None) -> None:
    """Finish a future unless somebody was faster: an ``await`` that was cancelled, or a close."""
    with suppress(InvalidStateError):
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
