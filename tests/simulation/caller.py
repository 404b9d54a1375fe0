"""The calling side of a link, as ``common/wire/connection.py`` is after WELCOME: calls, answers, heartbeats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tq.common.errors import TqError, Unreachable
from tq.common.wire.frames import FRAME_BYTES_MAX, FrameReader
from tq.common.wire.protocol import PING, Caller, Goodbye, child_frame

from .master import HEARTBEAT_SECONDS, Greeting
from .network import End, Network
from .world import SECOND, Process

SILENT_HEARTBEATS_MAX = 3
CONNECT_SECONDS = 3.0
PAUSE_SECONDS = (0.1, 2.0)  # first and longest wait before the next try

Then = Callable[[Any, TqError | None], None]


class Connection:
    """One link that was admitted; ``gone`` is called once, when it is no more."""

    def __init__(self, process: Process, end: End, admitted: Callable[[], None], gone: Callable[[str], None]):
        self._process, self._end, self._admitted, self._gone = process, end, admitted, gone
        self._caller, self._frames = Caller(FRAME_BYTES_MAX), FrameReader(FRAME_BYTES_MAX)
        self._pending: dict[int, Then] = {}
        self._last_received = process.world.now
        self.admitted = self.over = False
        end.received, end.lost = self._received, self.end
        process.later(int(CONNECT_SECONDS * SECOND), self._too_slow)

    def call(
        self,
        target: Sequence[Any],
        method: str,
        args: Sequence[Any],
        then: Then,
        child: bytes | None = None,
    ) -> None:
        """``child``: the node of a worker's child, which makes it."""
        if self.over:
            then(None, Unreachable("closed"))
            return
        call_id, frame = self._caller.call(target, method, args, {}, child)
        self._pending[call_id] = then
        self._end.send(frame)

    def child_gone(self, node: bytes) -> None:
        """A child of this worker has died, which made calls."""
        if not self.over:
            self._end.send(child_frame(node, here=False))

    def end(self, reason: str) -> None:
        if self.over:
            return
        self.over = True
        self._end.close()
        pending, self._pending = self._pending, {}
        for then in pending.values():
            then(None, Unreachable(reason))
        self._gone(reason)

    def drop(self) -> None:
        """The process died."""
        self.over = True
        self._end.drop()

    def _received(self, data: bytes) -> None:
        self._last_received = self._process.world.now
        if not self.admitted:
            self.admitted = True
            self._beat()
            self._admitted()
        for kind, body in self._frames.feed(data):
            event = self._caller.understand(kind, body)
            if isinstance(event, Goodbye):
                self.end(event.reason)
            elif event is not None and (then := self._pending.pop(event.call_id, None)) is not None:
                then(event.value, event.error)

    def _too_slow(self) -> None:
        if not self.admitted:
            self.end("no answer in time")

    def _beat(self) -> None:
        if self.over:
            return
        silence = (self._process.world.now - self._last_received) / SECOND
        if silence > HEARTBEAT_SECONDS * SILENT_HEARTBEATS_MAX:
            self.end("the master is silent")
            return
        self._end.send(PING)
        self._process.later(int(HEARTBEAT_SECONDS * SECOND), self._beat)


class Reconnecting:
    """A process that keeps a connection: opens one, and after a pause another. Subclasses do the rest."""

    def __init__(self, process: Process, network: Network, greeting: Greeting) -> None:
        self.process, self._network, self._greeting = process, network, greeting
        self.connection: Connection | None = None
        self._opening: Connection | None = None
        self._pause = PAUSE_SECONDS[0]

    def admitted(self, connection: Connection) -> None:
        """A connection can be used."""

    def gone(self, reason: str) -> None:
        """It cannot any more."""

    def connect(self) -> None:
        end = self._network.connect(self.process, self._greeting)
        if end is None:
            self._try_again()
            return
        connection = self._opening = Connection(
            self.process,
            end,
            lambda: self._admitted(connection),
            lambda reason: self._lost(connection, reason),
        )

    def drop(self) -> None:
        if self._opening is not None:
            self._opening.drop()

    def _admitted(self, connection: Connection) -> None:
        self._pause = PAUSE_SECONDS[0]
        self.admitted(connection)

    def _lost(self, connection: Connection, reason: str) -> None:
        self.process.log(f"disconnected: {reason}")
        self.connection = None
        self.gone(reason)
        self._try_again()

    def _try_again(self) -> None:
        spread = 0.5 + self.process.world.random.random() / 2
        self.process.later(int(self._pause * spread * SECOND), self.connect)
        self._pause = min(self._pause * 2, PAUSE_SECONDS[1])
