"""A program whose cluster has several shards: the shipped routes, merges and pending calls, over lines without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, cast

from tq.client.core.pending_calls import PendingCalls
from tq.client.core.shard_line import ShardLine, settle
from tq.client.core.shard_lines import ShardLines
from tq.common.contract.table import is_repeatable
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import Role
from tq.common.errors import TqError, Unreachable

from ..master.conftest import Peer
from .shard_process import ShardProcess

STREAM = "default"
AWAY_SECONDS = 60.0  # who asks all shards goes on without one that is away


class Line:
    """In the place of a ``ShardLine``. ``process``: None, there is no such shard."""

    def __init__(
        self, process: ShardProcess | None, node: bytes, key: str, deliver: Callable[[IdRun, int], None]
    ) -> None:
        self._process, self._node, self._key, self._deliver = process, node, key, deliver
        self.pending = PendingCalls(STREAM)
        self._peer: Peer | None = None
        self._life = 0
        self._asked: dict[int, int] = {}  # numbers of pending calls, by the ids on this connection

    @property
    def away_seconds(self) -> float:
        return AWAY_SECONDS if self._process is None or self._process.bench is None else 0.0

    trying_seconds = away_seconds
    silent_seconds = 0.0

    def probe(self) -> None:
        """No shard stands still here: it is dead, or it answers."""

    def flush(self) -> None:
        self._look()
        if self._peer is not None:
            self._send(self._peer)
        for ticket, value, error in self.pending.take_settled():
            settle(ticket, value, error)
        for delivery in self.pending.take_deliveries():
            for one in delivery.slices:
                self._deliver(one.run, one.state)

    def _send(self, peer: Peer) -> None:
        for call in self.pending.take_outgoing():
            try:
                asked = peer.ask(tuple(call.target), call.method, *call.args)
            except TqError as refusal:  # of the boundary, or of who looks at arguments: its answer
                self.pending.refused(call.number, refusal)
            else:
                self._asked[asked] = call.number

    def _look(self) -> None:
        """Whether its connection is still there, and what has come over it."""
        process = self._process
        if process is None:
            return
        if self._peer is not None and (process.bench is None or self._life != process.life):
            self._peer = None
            self._asked.clear()
            self.pending.disconnected()
            self.pending.take_outgoing()  # what was asked since its death is among what is lost
        if self._peer is None and process.bench is not None:
            self._peer, self._life = process.peer(Role.ADMIN, self._node, self._key), process.life
            self.pending.connected()
        if self._peer is not None:
            for asked, (value, error) in list(self._peer.answers.items()):
                number = self._asked.pop(asked)
                del self._peer.answers[asked]
                if error is None:
                    self.pending.answered(number, value)
                else:
                    self.pending.refused(number, error)


class ShardProgram:
    """``key``: empty, one without a quota. ``ended``: the tasks of whose ends it has learned, as often as it has."""

    def __init__(
        self, processes: Sequence[ShardProcess], loop: asyncio.AbstractEventLoop, node: bytes, key: str = ""
    ) -> None:
        self.loop = loop
        self.ended: list[tuple[bytes, int]] = []
        self._lines: dict[int, Line] = {}

        def line(shard: int) -> ShardLine:
            process = processes[shard] if shard < len(processes) else None
            self._lines[shard] = Line(process, node, key, self._learned)
            return cast(ShardLine, self._lines[shard])

        def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            return loop.create_task(work)

        # As the first connection, which is to shard 0, says.
        self.lines = ShardLines(processes[0].shards, line(0), line, spawn)

    def _learned(self, run: IdRun, state: int) -> None:
        self.ended += ((id, state) for id in run.ids())

    def call(self, target: Sequence[Any], method: str, *args: Any, runs: Sequence[IdRun] = ()) -> Future[Any]:
        """``runs``: the tasks that it makes, and watches."""
        ticket: Future[Any] = Future()
        self.lines.call(
            ticket,
            target,
            method,
            args,
            repeatable=is_repeatable(target[0], method),
            runs=runs,
            listener=self if runs else None,
        )
        return ticket

    def call_wrongly(self, shard: int, target: Sequence[Any], method: str, *args: Any) -> Future[Any]:
        """The call of a program that finds another shard than the right one. It is made once: who is wrong gives up."""
        ticket: Future[Any] = Future()
        self.lines.call_shard(shard, ticket, target, method, args, repeatable=False)
        return ticket

    def flush(self) -> None:
        for line in list(self._lines.values()):
            line.flush()

    def end(self) -> None:
        for line in self._lines.values():
            line.pending.give_up(Unreachable("the program has ended"))
            for ticket, value, error in line.pending.take_settled():
                settle(ticket, value, error)
