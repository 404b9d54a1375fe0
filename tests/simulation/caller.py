"""The calling side of a link, as ``common/wire/connection.py`` is after WELCOME: calls, answers, heartbeats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tq.common.errors import NotOwner, TqError, Unreachable, from_wire
from tq.common.wire.address import Address, parse_address
from tq.common.wire.frames import FRAME_BYTES_MAX, FrameReader, Kind, unpack
from tq.common.wire.master_line import MasterLine
from tq.common.wire.protocol import PING, Caller, Goodbye, child_frame
from tq.common.wire.take_over import PAUSE_SECONDS_MAX

from .master import HEARTBEAT_SECONDS, Greeting
from .network import End, Network
from .world import SECOND, Process

SILENT_HEARTBEATS_MAX = 3
CONNECT_SECONDS = 3.0
PAUSE_SECONDS = (0.1, 2.0)  # first and longest wait before the next try

Then = Callable[[Any, TqError | None], None]


class Connection:
    """One link that was admitted; ``gone`` is called once, when it is no more."""

    def __init__(
        self,
        process: Process,
        end: End,
        admitted: Callable[[], None],
        gone: Callable[[str], None],
        stands_by: Callable[[NotOwner], None] | None = None,
    ) -> None:
        """``stands_by``: with several masters, one of them may say that it does not serve, before it is gone."""
        self._process, self._end, self._admitted, self._gone = process, end, admitted, gone
        self._stands_by = stands_by
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
        frames = list(self._frames.feed(data))
        if not self.admitted:
            if self._stands_by is not None:
                if not frames:
                    return
                if frames[0][0] == Kind.REFUSED:
                    error = from_wire(unpack(frames[0][1]))
                    assert isinstance(error, NotOwner)
                    self._stands_by(error)
                    self.end(str(error))
                    return
            self.admitted = True
            self._beat()
            self._admitted()
        for kind, body in frames:
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
        given = list(network.addresses)
        if len(given) > 1:  # each program has them in the order of its own
            process.world.random.shuffle(given)
        self._line = MasterLine(given)
        self._round, self._one_stands_by = self._line.round(), False

    def admitted(self, connection: Connection) -> None:
        """A connection can be used."""

    def gone(self, reason: str) -> None:
        """It cannot any more."""

    def connect(self) -> None:
        self._round, self._one_stands_by = self._line.round(), False
        self._try_next()

    def _try_next(self) -> None:
        """As ``common/wire/reach.py``."""
        address = self._round.next()
        if address is None:
            self._try_again()
            return
        end = self._network.connect(self.process, self._greeting, address)
        if end is None:
            self._round.failed(address)
            self._try_next()
            return

        failed = [True]  # if it is gone before it was admitted

        def stands_by(error: NotOwner) -> None:
            failed.clear()
            self._one_stands_by = True
            self._round.stands_by(address, None if error.owner is None else parse_address(error.owner))

        connection = self._opening = Connection(
            self.process,
            end,
            lambda: self._admitted(connection, address),
            lambda reason: self._lost(connection, address if failed else None, reason),
            stands_by if len(self._network.addresses) > 1 else None,
        )

    def drop(self) -> None:
        if self._opening is not None:
            self._opening.drop()

    def _admitted(self, connection: Connection, address: Address) -> None:
        self._pause = PAUSE_SECONDS[0]
        self._round.serves(address)
        self.admitted(connection)

    def _lost(self, connection: Connection, failed: Address | None, reason: str) -> None:
        self.process.log(f"disconnected: {reason}")
        self.connection = None
        self.gone(reason)
        if connection.admitted:
            self._try_again()
            return
        if failed is not None:
            self._round.failed(failed)
        self._try_next()

    def _try_again(self) -> None:
        spread = 0.5 + self.process.world.random.random() / 2
        pause = min(self._pause, PAUSE_SECONDS_MAX) if self._one_stands_by else self._pause
        self.process.later(int(pause * spread * SECOND), self.connect)
        self._pause = min(self._pause * 2, PAUSE_SECONDS[1])
