"""The bytes of a connection, on either side: TLS both ways, frames that are written together, signs of life, the end.

::

    TCP bytes ─► receive ─► plaintext, received_at   queue(frame) … ─► one write a turn of the loop ─► TCP bytes

Knows nothing of the meaning of frames, of handshakes or of deadlines: those belong to its owner.

Invariants: 1. ``received_at`` moves when something was decrypted, not when bytes came; 2. after ``close`` nothing is written, and
the owner is no longer called; 3. a peer that does not read keeps a closed socket open for LINGER_SECONDS at most.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, cast

from ..runtime.callbacks import Breakable, contained
from .tls import TlsPipe

LINGER_SECONDS: Final = 10.0  # for a peer to read what was sent before the end, then its socket is closed


class TransportOwner(Breakable, Protocol):
    def frames_sent(self) -> None:
        """Frames have just been written."""


class SecureTransport:
    """Made by its owner, whose ``connection_made`` hands it the TCP transport; single use."""

    def __init__(self, owner: TransportOwner, tls: TlsPipe, loop: asyncio.AbstractEventLoop) -> None:
        self._owner: TransportOwner | None = owner  # until the end: no reference cycle is left then
        self.tls, self._loop = tls, loop
        self._tcp: asyncio.Transport | None = None
        self._frames: list[bytes] = []
        self._flush_due = False
        self.received_at = loop.time()

    @property
    def is_open(self) -> bool:
        """Between ``connected`` and ``close``."""
        return self._tcp is not None

    def connected(self, transport: asyncio.BaseTransport) -> asyncio.Transport:
        self._tcp = cast(asyncio.Transport, transport)
        return self._tcp

    # in

    def receive(self, data: bytes) -> bytes:
        """Decrypt. Answers of TLS itself are sent at once. Raises a TqError when TLS cannot go on; ``write`` then sends the
        alert that says so."""
        plaintext = self.tls.receive(data)
        # Before the plaintext is acted on: a handshake goes on by what TLS itself answers.
        self.write()
        if plaintext:
            self.received_at = self._loop.time()
        return plaintext

    def pause_reading(self) -> None:
        if self._tcp is not None:
            self._tcp.pause_reading()

    def resume_reading(self) -> None:
        """This side did not read meanwhile: the peer was not silent for that time."""
        if self._tcp is not None:
            self._tcp.resume_reading()
            self.received_at = self._loop.time()

    # out

    def queue(self, frame: bytes) -> None:
        """Frames of one turn of the event loop leave in one write."""
        self._frames.append(frame)
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    @contained
    def _flush(self) -> None:
        self._flush_due = False
        self.send_queued()

    def send_queued(self) -> None:
        """All frames, now."""
        if self._frames and self._tcp is not None and self._owner is not None:
            frames, self._frames = self._frames, []
            self.tls.send(b"".join(frames))
            self.write()
            self._owner.frames_sent()

    def write(self) -> None:
        """Send what TLS has produced."""
        ciphertext = self.tls.take_output()
        if ciphertext and self._tcp is not None:
            self._tcp.write(ciphertext)

    def unsent_bytes(self) -> int:
        return 0 if self._tcp is None else self._tcp.get_write_buffer_size()

    def fileno(self) -> int:
        """The socket's descriptor; -1 when there is none, or none any more."""
        socket = None if self._tcp is None else self._tcp.get_extra_info("socket")
        return -1 if socket is None else int(socket.fileno())

    # the end

    def broke(self, error: Exception) -> None:
        if self._owner is not None:
            self._owner.broke(error)

    def close(self, *, abort: bool = False, unsent_bytes_max: int | None = None) -> bool:
        """Close. What is unsent is still sent, unless it is more than ``unsent_bytes_max``. False: it was not open."""
        # First: what is called below must find it closed.
        tcp, self._tcp = self._tcp, None
        # An answer of a transaction under way may still be queued: nothing of it leaves, and the owner is not called for it.
        self._owner = None
        if tcp is None:
            return False
        if abort or (unsent_bytes_max is not None and tcp.get_write_buffer_size() > unsent_bytes_max):
            tcp.abort()
        else:
            tcp.close()
            if tcp.get_write_buffer_size():  # else it would stay for as long as the peer does not read
                self._loop.call_later(LINGER_SECONDS, tcp.abort)
        return True
