"""The two ways a client's calls travel: over a connection of its own, or through a worker's supervisor.

Both carry a pending's calls and report, on the I/O loop, how each ended; ``gone`` is done when the line
is. They repeat nothing and decide nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import Future as ThreadFuture
from typing import Any, NamedTuple, Protocol

from ...common.auth.keys import Credential
from ...common.domain.model import NODE_ID_BYTES, Role
from ...common.errors import ProtocolError, TqError, Unreachable
from ...common.wire.address import Address
from ...common.wire.caller import Link
from ...common.wire.connection import CallerConnection
from ...common.wire.tls import OwnCa
from .pending_calls import PendingCall


class CallResult(NamedTuple):
    """How a call ended. An ``error`` of Unreachable: nobody knows."""

    number: int
    value: Any
    error: TqError | None


class Transport(Protocol):
    @property
    def is_gone(self) -> bool: ...

    async def wait_gone(self) -> str:
        """Wait for its end; why it ended. To stop waiting ends nothing but the wait."""

    cluster: str | None  # the master's id, hex; None: it has to be asked

    def send(self, call: PendingCall) -> None: ...

    def close(self, reason: str) -> None: ...

    def abandon_in_child(self) -> None:
        """After a fork, in the child: let go of what belongs to the parent, without a word to the master."""


class NetworkTransport:
    """A connection of our own."""

    def __init__(self, connection: CallerConnection, report: Callable[[CallResult], None]) -> None:
        self._connection, self._report = connection, report
        self.cluster: str | None = connection.welcome.cluster_id.hex()

    def send(self, call: PendingCall) -> None:
        try:
            future = self._connection.call(call.target, call.method, *call.args)
        except TqError as error:  # too large for a frame, or closed a moment ago
            self._report(CallResult(call.number, None, error))
        else:
            number = call.number
            future.add_done_callback(lambda done: self._report(_result_of(number, done)))

    @property
    def is_gone(self) -> bool:
        return self._connection.is_closed

    async def wait_gone(self) -> str:
        return await self._connection.wait_closed()

    def close(self, reason: str) -> None:
        self._connection.close(reason)

    def abandon_in_child(self) -> None:
        descriptor = self._connection.fileno()
        if (
            descriptor >= 0
        ):  # not closed: its owner, which lives on as a copy, would close the number's next user
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, descriptor, inheritable=False)
            os.close(nothing)


class SupervisorTransport:
    """The line a worker lends its child. It outlives lost connections; calls fail one by one."""

    def __init__(self, link: Link, report: Callable[[CallResult], None]) -> None:
        self._link, self._report = link, report
        self._loop = asyncio.get_running_loop()
        self._gone: asyncio.Future[str] = self._loop.create_future()
        self.cluster: str | None = None

    def send(self, call: PendingCall) -> None:
        try:
            future = self._link.call(call.target, call.method, *call.args)
        except TqError as error:
            self._report(CallResult(call.number, None, error))
        else:
            number = call.number
            future.add_done_callback(lambda done: self._hand_over(_result_of(number, done)))

    def _hand_over(self, report: CallResult) -> None:
        """From whatever thread the answer came on to the I/O loop."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._report, report)

    @property
    def is_gone(self) -> bool:
        return self._gone.done()

    async def wait_gone(self) -> str:
        return await asyncio.shield(self._gone)

    def close(self, reason: str) -> None:
        if not self.is_gone:
            self._gone.set_result(reason)  # the supervisor's line itself is not ours to close

    def abandon_in_child(self) -> None:
        pass  # a task that forks: the line belongs to the worker's child, which sees to it


Opener = Callable[[Callable[[CallResult], None], float], Coroutine[Any, Any, Transport]]  # report, seconds


def network_opener(address: Address, credential: Credential, role: Role, own_ca: OwnCa) -> Opener:
    """What opens connections to one master, always as the same node."""
    node = os.urandom(NODE_ID_BYTES)

    async def open_transport(report: Callable[[CallResult], None], timeout_seconds: float) -> Transport:
        connection = await CallerConnection.open(
            address, credential, role=role, node=node, timeout=timeout_seconds, own_ca=own_ca
        )
        return NetworkTransport(connection, report)

    return open_transport


def supervisor_opener(link: Link) -> Opener:
    async def open_transport(report: Callable[[CallResult], None], timeout_seconds: float) -> Transport:
        return SupervisorTransport(link, report)

    return open_transport


def _result_of(number: int, done: asyncio.Future[Any] | ThreadFuture[Any]) -> CallResult:
    if done.cancelled():
        return CallResult(number, None, Unreachable("the line was closed"))
    error = done.exception()
    if error is None:
        return CallResult(number, done.result(), None)
    if not isinstance(error, TqError):
        error = ProtocolError(f"the line failed: {error!r}")
    return CallResult(number, None, error)
