"""The line to one shard: its pending calls, and the connection over which they go. All of it runs in the I/O thread.

It connects when there is work, and reconnects as long as any call or watch is open. When the first connection fails
(``connector.py``), all open calls and watches get the error. A refused key is final: all later calls get that error too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import Any

from ...common.contract.tasks import OutcomeSlice
from ...common.errors import Rejected, TqError, Unreachable
from .connector import Connector
from .listener import Listener
from .outage import Outage
from .pending_calls import TRANSIENT, PendingCalls
from .transports import CallResult, Opener, Transport

Deliver = Callable[[Listener, Sequence[OutcomeSlice]], None]


class ShardLine:
    """``opened``: called with each new transport, before anything is sent. ``emptied``: called before the open calls are failed, so
    that what was posted meanwhile is among them. ``deliver``: gives outcomes to a box. ``outage``: learns of lost connections."""

    def __init__(
        self,
        opener: Opener,
        stream: str,
        connect_seconds: float,
        *,
        opened: Callable[[Transport], None],
        emptied: Callable[[TqError], None],
        deliver: Deliver,
        outage: Outage,
    ) -> None:
        self._outage = outage
        self._connector = Connector(opener, connect_seconds)
        self.pending = PendingCalls(stream)
        self.refused: TqError | None = None  # final
        self.away_since: float | None = time.monotonic()
        self.is_wanted = False  # there is no call yet, and something has to be known that the connection says
        self._opened, self._emptied, self._deliver = opened, emptied, deliver
        self.flushed: Callable[[], None] | None = None  # called after each flush
        self._transport: Transport | None = None
        self._trying_since: float | None = None
        # On this connection: since when, and whether it is answered
        self._probe: tuple[float, Callable[[], bool]] | None = None
        self._has_work = asyncio.Event()
        self._resume_due = False

    @property
    def away_seconds(self) -> float:
        """For how long there has been no connection; 0 while there is one."""
        since = self.away_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def trying_seconds(self) -> float:
        """For how long a connection has been tried for, in vain; 0 while there is one, or none is needed."""
        since = self._trying_since
        return 0.0 if since is None else time.monotonic() - since

    def probe(self) -> None:
        """Ask for a sign of life, unless the answer to that is waited for already."""
        if self._transport is not None and not self.silent_seconds:
            self._probe = time.monotonic(), self._transport.probe()

    @property
    def silent_seconds(self) -> float:
        """For how long a connection that seems well has not answered a probe, as that to a process that stands still; 0: it has."""
        if self._probe is None or self._transport is None:
            return 0.0
        since, is_answered = self._probe
        return 0.0 if is_answered() else time.monotonic() - since

    async def serve(self) -> None:
        while True:
            await self._has_work.wait()
            transport = await self._connect()
            if transport is not None:
                await self._use(transport)
                await self._connector.pause_if_fruitless()

    def close(self, reason: str) -> None:
        if self._transport is not None:
            self._transport.close(reason)

    def give_up(self, error: TqError) -> None:
        """Fail all that is open."""
        self.pending.give_up(error)
        self.flush()

    def abandon_in_child(self, error: TqError) -> None:
        """After a fork, in the child: drop the parent's connection, and fail the boxes that wait for outcomes."""
        if self._transport is not None:
            # Closed as usual it would say goodbye to the master in the parent's name.
            self._transport.abandon_in_child()
        self.pending.give_up(error)
        for box, _, failed in self.pending.take_deliveries():
            if failed is not None:
                box.fail(failed)

    async def _connect(self) -> Transport | None:
        """A transport; None when all open calls and watches were failed instead."""
        self._trying_since = time.monotonic()
        try:
            return await self._connector.open(self._on_result)
        except TqError as error:
            # Kept, so that each later call fails at once: a wrong key does not become right by asking again.
            if isinstance(error, Rejected):
                self.refused = error
            self._emptied(error)
            self.give_up(error)
            return None
        finally:
            self._trying_since = None

    async def _use(self, transport: Transport) -> None:
        self._transport, self._connector.was_connected, self.away_since = transport, True, None
        self._probe = None
        self._opened(transport)
        self.pending.connected()
        self._connector.fruitless += 1  # until a call is answered
        self.flush()
        reason = await transport.wait_gone()
        self._transport, self.away_since = None, time.monotonic()
        self.pending.disconnected()
        self.flush()
        if self.pending.has_work:
            self._outage.lost(self, reason)

    def _on_result(self, report: CallResult) -> None:
        # Any answer, a refusal too: the master is there, and the next pause is short again.
        if not isinstance(report.error, Unreachable):
            self._connector.fruitless = 0
            if self._outage.away:
                self._outage.back(self)
        if report.error is None:
            self._connector.losses = 0
            self.pending.answered(report.number, report.value)
        elif isinstance(report.error, Unreachable):
            self.pending.lost(report.number)
            self._resume_soon()
        else:
            self.pending.refused(report.number, report.error)
            if isinstance(report.error, TRANSIENT):  # the master has dropped the watches: watch again
                self._resume_soon()
        self.flush()

    def _resume_soon(self) -> None:
        """After a loss on a supervisor's connection, which survives the loss: continue as after a reconnect, once for all
        calls lost together. A network connection that loses calls is closed, and ``_use`` handles that."""
        if self._transport is not None and not self._transport.is_gone and not self._resume_due:
            self._resume_due = True
            asyncio.get_running_loop().call_later(self._connector.pause_after_loss(), self._resume)

    def _resume(self) -> None:
        self._resume_due = False
        if self._transport is not None and not self._transport.is_gone:
            self.pending.connected()
            self.flush()

    def flush(self) -> None:
        """Perform the effects of the pending calls: send, settle, deliver."""
        pending = self.pending
        if self.refused is not None:
            pending.give_up(self.refused)
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
        if pending.has_work or self.is_wanted:
            self._has_work.set()
        else:
            self._has_work.clear()
        if self.flushed is not None:
            self.flushed()


def settle(future: Future[Any], value: Any, error: BaseException | None) -> None:
    """Complete a future, unless a cancelled ``await`` or ``close`` did so first."""
    try:  # and no context manager: this is done for every call
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
    except InvalidStateError:
        return
