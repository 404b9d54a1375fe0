"""The port of a master that stands by: each program that connects is refused with the address of the master that serves.

::

    TCP bytes ─► TLS ─► the first frame ─► REFUSED [NotOwner, …, {owner}] ─► closed

It holds no keys and judges no proof. What it says is believed by those who recognise its certificate (``CallerConnection``), and is
no secret: every caller gets the same answer.

Invariant: a connection is open for at most OPEN_SECONDS_MAX, and there are at most CONNECTIONS_MAX of them, the newest of which takes
the place of the oldest.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from ...common.errors import NotOwner, TqError, to_wire
from ...common.runtime.callbacks import contained, report_bug
from ...common.wire.address import Address
from ...common.wire.frames import HANDSHAKE_FRAME_BYTES_MAX, FrameReader, Kind, encode_frame, pack
from ...common.wire.tls import TlsPipe
from ...common.wire.transport import SecureTransport

CONNECTIONS_MAX: Final = 512
OPEN_SECONDS_MAX: Final = 5.0  # TLS, one frame, its answer
BACKLOG: Final = 1_024

Report = Callable[..., None]


def refusal(owner: Address | None) -> NotOwner:
    """The answer to every caller."""
    if owner is None:
        return NotOwner(
            "this master stands by, and no master of its cluster serves at the moment; one takes over soon"
        )
    return NotOwner(f"this master stands by; the one that serves is {owner}", str(owner))


class StandbyDoor:
    """``owner``: the address of the master that serves, as far as it is known at the moment."""

    def __init__(self, tls: ssl.SSLContext, owner: Callable[[], Address | None], report: Report) -> None:
        self.tls, self.owner, self.report = tls, owner, report
        self._loop = asyncio.get_running_loop()
        self._listener: asyncio.Server | None = None
        self._open: dict[Visitor, None] = {}  # in the order they came
        self.refused = 0

    async def listen(self, host: str, port: int) -> list[tuple[str, int]]:
        """Open the port; the addresses that were bound."""
        self._listener = await self._loop.create_server(
            lambda: Visitor(self), host or None, port, backlog=BACKLOG
        )
        return [socket.getsockname()[:2] for socket in self._listener.sockets]

    def close(self) -> None:
        """Give the port back, and close what is open: a caller that was about to be refused tries again, and finds the one that serves."""
        if self._listener is not None:
            self._listener.close()
        for visitor in list(self._open):
            visitor.close()

    def entered(self, visitor: Visitor) -> None:
        if len(self._open) >= CONNECTIONS_MAX:
            next(iter(self._open)).close()
        self._open[visitor] = None

    def left(self, visitor: Visitor) -> None:
        self._open.pop(visitor, None)


class Visitor(asyncio.Protocol):
    def __init__(self, door: StandbyDoor) -> None:
        self._door, self._loop = door, asyncio.get_running_loop()
        self._wire = SecureTransport(self, TlsPipe(door.tls, server_side=True), self._loop)
        self._frames = FrameReader(HANDSHAKE_FRAME_BYTES_MAX)
        self._timer: asyncio.TimerHandle | None = None

    @contained
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire.connected(transport)
        self._door.entered(self)
        self._timer = self._loop.call_later(OPEN_SECONDS_MAX, self.close)

    @contained
    def data_received(self, data: bytes) -> None:
        if not self._wire.is_open:
            return
        try:
            plaintext = self._wire.receive(data)
            # After its first words: an answer that came before them could be lost when the socket is closed.
            if plaintext and any(True for _ in self._frames.feed(plaintext)):
                self._refuse(refusal(self._door.owner()))
            elif self._wire.tls.eof:
                self.close()
        except TqError as error:
            self._refuse(error)

    @contained
    def connection_lost(self, exc: Exception | None) -> None:
        self.close()

    def _refuse(self, error: TqError) -> None:
        self._door.refused += 1
        if self._wire.tls.broken or not self._wire.tls.established:
            self._wire.write()  # the alert of TLS
        else:
            self._wire.queue(encode_frame(Kind.REFUSED, pack(to_wire(error))))
            self._wire.send_queued()
        self.close()

    def frames_sent(self) -> None:
        """See ``transport.TransportOwner``."""

    def broke(self, error: Exception) -> None:
        """See ``common/runtime/callbacks.py``."""
        if not isinstance(error, TqError):
            report_bug(self._door.report, error)
        self.close()

    @contained
    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._door.left(self)
        self._wire.close()
