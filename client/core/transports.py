"""The two transports of a client's calls: its own connection, or the connection of a worker's supervisor.

Both send calls and report, on the I/O loop, the result of each; ``wait_gone`` returns when the transport is closed.
They repeat nothing and decide nothing: that is ``pending_calls.py``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future as ThreadFuture
from typing import Any, NamedTuple, Protocol

from ...common.auth.keys import Credential
from ...common.domain.model import NODE_ID_BYTES, Role
from ...common.errors import ProtocolError, TqError, Unreachable
from ...common.wire.address import Address
from ...common.wire.caller import Link
from ...common.wire.connection import CallerConnection
from ...common.wire.master_line import MasterLine
from ...common.wire.reach import reach
from ...common.wire.tls import OwnCa
from .pending_calls import PendingCall


class CallResult(NamedTuple):
    """How a call ended. ``error`` is Unreachable when it is unknown whether the call was done."""

    number: int
    value: Any
    error: TqError | None


class Transport(Protocol):
    @property
    def is_gone(self) -> bool: ...

    async def wait_gone(self) -> str:
        """Wait until it is closed; returns the reason. Cancelling the wait leaves the transport open."""

    cluster: str | None  # the master's id, hex; None: not known without a call
    shards: int  # how many the cluster has

    def send(self, call: PendingCall) -> None: ...

    def probe(self) -> Callable[[], bool]:
        """Ask the master for a sign of life; what says whether one has come since."""

    def close(self, reason: str) -> None: ...

    def abandon_in_child(self) -> None:
        """After a fork, in the child: drop the parent's connection without sending anything to the master."""


class NetworkTransport:
    """A network connection of this process."""

    def __init__(self, connection: CallerConnection, report: Callable[[CallResult], None]) -> None:
        self._connection, self._report = connection, report
        self.cluster: str | None = connection.welcome.cluster_id.hex()
        self.shards = connection.welcome.shards

    def send(self, call: PendingCall) -> None:
        try:
            future = self._connection.call(call.target, call.method, *call.args)
        except TqError as error:  # too large for a frame, or closed a moment ago
            self._report(CallResult(call.number, None, error))
        else:
            number = call.number
            future.add_done_callback(lambda done: self._report(_result_of(number, done)))

    def probe(self) -> Callable[[], bool]:
        return self._connection.probe()

    @property
    def is_gone(self) -> bool:
        return self._connection.is_closed

    async def wait_gone(self) -> str:
        return await self._connection.wait_closed()

    def close(self, reason: str) -> None:
        self._connection.close(reason)

    def abandon_in_child(self) -> None:
        descriptor = self._connection.fileno()
        # Replaced by /dev/null instead of closed: the copy of the connection object in this process would later close
        # the same number, which may belong to another file by then.
        if descriptor >= 0:
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, descriptor, inheritable=False)
            os.close(nothing)


class SupervisorTransport:
    """The supervisor's connection, which a task's process shares. It survives lost connections; calls fail one by one."""

    def __init__(self, link: Link, report: Callable[[CallResult], None], shard: int = 0) -> None:
        self._link, self._report = link, report
        self.shards: int = getattr(link, "shards", 1)
        self._where = {"shard": shard} if shard else {}
        self._loop = asyncio.get_running_loop()
        self._gone: asyncio.Future[str] = self._loop.create_future()
        self.cluster: str | None = None

    def send(self, call: PendingCall) -> None:
        try:
            future = self._link.call(call.target, call.method, *call.args, **self._where)
        except TqError as error:
            self._report(CallResult(call.number, None, error))
        else:
            number = call.number
            future.add_done_callback(lambda done: self._report_from_any_thread(_result_of(number, done)))

    def _report_from_any_thread(self, report: CallResult) -> None:
        """Answers arrive in the relay's thread; results are reported on the I/O loop."""
        # An answer may come after the end of the program's app.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._report, report)

    def probe(self) -> Callable[[], bool]:
        """The supervisor watches its connection itself."""
        return lambda: True

    @property
    def is_gone(self) -> bool:
        return self._gone.done()

    async def wait_gone(self) -> str:
        # Shielded: a wait that is cancelled must leave it for the next one.
        return await asyncio.shield(self._gone)

    def close(self, reason: str) -> None:
        if not self.is_gone:
            self._gone.set_result(reason)  # the supervisor's connection itself stays open: it is not ours

    def abandon_in_child(self) -> None:
        pass  # the connection belongs to the worker's child process, which closes it after a fork itself


Opener = Callable[[Callable[[CallResult], None], float], Coroutine[Any, Any, Transport]]  # report, seconds


OpenerOf = Callable[[int], Opener]  # by the number of a shard


def network_openers(
    addresses: Sequence[Address], credential: Credential, role: Role, own_ca: OwnCa
) -> OpenerOf:
    """Opens connections to the master of one cluster that serves a shard, always as the same node: it recognises a reconnect by it."""
    node = os.urandom(NODE_ID_BYTES)

    def opener(shard: int) -> Opener:
        line = MasterLine(addresses)  # each shard may be served by another master

        async def open_transport(report: Callable[[CallResult], None], timeout_seconds: float) -> Transport:
            connection = await reach(
                line, credential, role=role, node=node, timeout=timeout_seconds, own_ca=own_ca, shard=shard
            )
            return NetworkTransport(connection, report)

        return open_transport

    return opener


def supervisor_openers(link: Link) -> OpenerOf:
    def opener(shard: int) -> Opener:
        async def open_transport(report: Callable[[CallResult], None], timeout_seconds: float) -> Transport:
            return SupervisorTransport(link, report, shard)

        return open_transport

    return opener


def _result_of(number: int, done: asyncio.Future[Any] | ThreadFuture[Any]) -> CallResult:
    if done.cancelled():
        return CallResult(number, None, Unreachable("the connection was closed"))
    error = done.exception()
    if error is None:
        return CallResult(number, done.result(), None)
    # Callers handle TqError alone; a fault of ours must not look like one of theirs.
    if not isinstance(error, TqError):
        error = ProtocolError(f"the connection failed: {error!r}")
    return CallResult(number, None, error)
