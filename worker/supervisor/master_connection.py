"""The connection of a worker to its master, or to that of one shard: opened, announced on, opened again when it broke, ended with a goodbye.

::

    keep_connected: open ─► announce ─► serve until it is closed ─► wait ─► open …
    request(method, then, …) ─► a call of the dispatcher; one that fails ends the connection
    say_goodbye ─► leave ─► answered: nothing the worker held waits for a grace

Decides when to connect again, and nothing about jobs.

Invariants: 1. ``current`` is a connection on which ``announce`` was answered, or None; 2. ending ``keep_connected`` does not
close the connection: the goodbye is still sent on it (tests/cluster/test_worker_ends.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from random import SystemRandom
from typing import Any, Final, Protocol

from ...common.auth.keys import Credential
from ...common.domain.model import Role
from ...common.errors import (
    InvalidArgument,
    ProtocolError,
    Rejected,
    StoreError,
    TqError,
    Unreachable,
)
from ...common.runtime.callbacks import WORKER, report_bug
from ...common.runtime.config import WorkerSettings
from ...common.runtime.limited_log import LimitedLog
from ...common.wire.connection import CallerConnection
from ...common.wire.master_line import MasterLine
from ...common.wire.reach import reach
from ...common.wire.take_over import TakeOver
from ...common.wire.tls import OwnCa

DISPATCHER: Final = ["get_dispatcher"]
RECONNECT_SECONDS: Final = (0.1, 10.0)  # first and longest wait between tries, doubled each time, with jitter
# The longest wait after a connection that served: within the master's grace
AFTER_SERVICE_SECONDS_MAX: Final = 0.5
# A connection that lasted so long was a good one: the next wait is the first again
WELL_SECONDS: Final = 10.0
GOODBYE_SECONDS: Final = 5.0  # how long the answer to a goodbye is waited for
# A worker in threads is part of a program: drawing from its seeded ``random`` would change what the program draws.
_chance: Final = SystemRandom()


class ConnectionOwner(Protocol):
    """The worker whose connections they are."""

    def divide(self, shards: int) -> None:
        """The cluster has several shards. Called once, before anything is announced. Raises ConfigError when it cannot serve them so."""

    def announcement(self, master: MasterConnection) -> tuple[dict[str, Any], list[list[Any]]]:
        """How it describes itself, and every lease that it holds of this master."""

    def master_connected(self, master: MasterConnection, connection: CallerConnection, answer: Any) -> None:
        """``answer``: the master's, to the announcement."""

    def master_disconnected(self, master: MasterConnection) -> None: ...


class Siblings(Protocol):
    """What connections of one worker share: see ``masters.py``."""

    owner: ConnectionOwner
    connected: LimitedLog
    disconnected: LimitedLog
    waiting: LimitedLog

    @property
    def are_several(self) -> bool: ...
    def welcomed(self, shards: int) -> None: ...
    def turn(self) -> AbstractAsyncContextManager[None]: ...


class MasterConnection:
    """Used on one event loop. ``keep_connected`` runs as a task of the loop until the worker ends."""

    def __init__(
        self,
        settings: WorkerSettings,
        credential: Credential,
        masters: Siblings,
        report: Callable[..., None],
        node: bytes,
        shard: int,
    ) -> None:
        self._settings, self._credential, self._masters, self._report = settings, credential, masters, report
        self._loop = asyncio.get_running_loop()
        self._node, self.shard = node, shard
        self._opened: CallerConnection | None = None  # the last one, announced on or not yet
        self.current: CallerConnection | None = None
        self._had_one = False

    @property
    def _said(self) -> dict[str, int]:
        """Which one it is, in a line of the log."""
        return {"shard": self.shard} if self._masters.are_several else {}

    async def keep_connected(self) -> None:
        """Connect, and connect again when the connection broke, without end. Raises Rejected: a key that shard 0 refuses is refused for
        good. Another shard may not have it yet: keys are written to each by itself."""
        first, longest = RECONNECT_SECONDS
        wait, reported, take_over = first, False, TakeOver()
        line = MasterLine(self._settings.connect)
        while True:
            try:
                self._opened = connection = await self._open(line)
                began = self._loop.time()
                await self._announce(connection)
                reason = await connection.wait_closed()
                if (
                    self.current is connection or not reported
                ):  # not each time that a failing store refuses the announcement
                    self._masters.disconnected.write(self._loop.time(), reason=reason, **self._said)
                reported = True
                wait = (
                    first
                    if self._loop.time() - began > WELL_SECONDS
                    else min(wait, AFTER_SERVICE_SECONDS_MAX)
                )
            except (Unreachable, ProtocolError, InvalidArgument, Rejected) as error:
                if isinstance(error, Rejected) and self.shard == 0:
                    raise
                if not reported:
                    reported = True
                    self._report_away(str(error))
                take_over.failed(error, self._loop.time())
                wait = take_over.bounded(wait, self._loop.time())
            self._lost()
            await asyncio.sleep(
                wait * _chance.uniform(0.5, 1.0)
            )  # so that workers do not come back all at once
            wait = min(wait * 2, longest)

    async def _open(self, line: MasterLine) -> CallerConnection:
        async with self._masters.turn():
            return await reach(
                line,
                self._credential,
                role=Role.WORKER,
                node=self._node,
                own_ca=OwnCa(self._settings.ca_file, self._settings.certificate_file),
                shard=self.shard,
            )

    def _report_away(self, reason: str) -> None:
        """That no connection can be made: a worker that never had one has lost nothing."""
        if self._had_one:
            self._masters.disconnected.write(self._loop.time(), reason=reason, **self._said)
        else:
            self._masters.waiting.write(self._loop.time(), reason=reason, **self._said)

    async def _announce(self, connection: CallerConnection) -> None:
        self._masters.welcomed(connection.welcome.shards)
        try:
            answer = await connection.call(DISPATCHER, "announce", *self._masters.owner.announcement(self))
        except StoreError as error:  # the master is alive and its disk is full: try again
            connection.close(str(error))
            return
        self.current, self._had_one = connection, True
        self._masters.connected.write(
            self._loop.time(),
            address=str(connection.address),
            version=connection.welcome.server_version,
            **self._said,
        )
        self._masters.owner.master_connected(self, connection, answer)

    def _lost(self) -> None:
        if self._opened is not None:
            self._opened.close("connecting again")
            self._opened = None
        if self.current is not None:
            self.current = None
            self._masters.owner.master_disconnected(self)

    def announce_again(self) -> None:
        """What this worker serves has changed: it is announced on a new connection, with what is held."""
        if self.current is not None:
            self.current.close("its tasks have changed")

    # calls

    def request(
        self,
        method: str,
        then: Callable[[Any], None],
        *args: Any,
        refused: Callable[[TqError], bool] | None = None,
    ) -> None:
        """Call the dispatcher; ``then`` receives the answer. A call that fails ends the connection: the worker announces on
        the next one what it holds, and that settles what the call was about. ``refused`` returns True for an error that it
        has dealt with; then the connection stays.
        """
        connection = self.current
        if connection is None:
            return

        def failed(error: TqError) -> None:
            if connection is not self.current or connection.is_closed:
                return
            if refused is None or isinstance(error, StoreError | Unreachable) or not refused(error):
                connection.close(f"{method}: {error}")

        def done(future: asyncio.Future[Any]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            if isinstance(error, TqError):
                failed(error)
            elif connection is self.current:
                self._act_on(then, future, connection)

        try:
            connection.call(DISPATCHER, method, *args).add_done_callback(done)
        except TqError as error:
            failed(error)

    def _act_on(
        self, then: Callable[[Any], None], answer: asyncio.Future[Any], connection: CallerConnection
    ) -> None:
        """A bug in what acts on an answer costs this connection: the next announcement brings both sides together again."""
        try:
            then(answer.result())
        except Exception as error:
            connection.close(report_bug(self._report, error, WORKER))

    def notify(self, method: str, *args: Any) -> None:
        """Call the dispatcher; a call that fails costs what it carried, and nothing else."""
        if self.current is None or self.current.is_closed:
            return
        try:
            future = self.current.call(DISPATCHER, method, *args)
        except TqError as error:
            self._report("call.failed", level="debug", method=method, error=str(error))
        else:
            future.add_done_callback(lambda done: done.cancelled() or done.exception())

    # the end

    async def say_goodbye(self) -> None:
        """Leave in good order: the master leases nothing more to this worker, and waits no grace for what it holds."""
        connection, self.current = self._opened, None
        if connection is None or connection.is_closed:
            return
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await connection.call(DISPATCHER, "leave")
        except (TqError, TimeoutError) as error:
            reason = str(error) or f"no answer to its goodbye within {GOODBYE_SECONDS:g} s"
            self._masters.disconnected.write(self._loop.time(), reason=reason, **self._said)
        connection.close("the worker has ended")

    def hang_up(self) -> None:
        """Close without a goodbye, or without waiting for its answer any longer."""
        if self._opened is not None:
            self._opened.close("the worker was stopped without waiting for the master")
