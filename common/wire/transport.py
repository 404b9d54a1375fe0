"""What both ends of a connection do with bytes: TLS both ways, frames that leave together, signs of life, the end.

::

    TCP bytes ─► receive ─► plaintext, heard         queue(frame) … ─► one write a turn of the loop ─► TCP bytes

Knows nothing of frames' meanings, of handshakes or of deadlines: those are its owner's.

Invariants: 1. ``heard`` moves when something was decrypted, not when bytes came; 2. after ``close`` nothing is written, and
the owner is called no more; 3. a peer that does not read keeps a closed socket for LINGER_SECONDS at most.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, cast

from ..runtime.callbacks import Breakable, contained
from .tls import TlsPipe

LINGER_SECONDS: Final = 10.0  # for a peer to read what was sent before the end, then its socket is closed


class Owner(Breakable, Protocol):
    def frames_sent(self) -> None:
        """Frames have just been written."""


class SecureTransport:
    """Made by its owner, whose ``connection_made`` hands it the TCP transport; single use."""

    def __init__(self, owner: Owner, tls: TlsPipe, loop: asyncio.AbstractEventLoop) -> None:
        self._owner: Owner | None = owner  # until the end: then nothing of both holds the other
        self.tls, self._loop = tls, loop
        self._tcp: asyncio.Transport | None = None
        self._frames: list[bytes] = []
        self._flush_due = False
        self.heard = loop.time()

    @property
    def is_open(self) -> bool:
        """Between ``connected`` and ``close``."""
        return self._tcp is not None

    def connected(self, transport: asyncio.BaseTransport) -> asyncio.Transport:
        self._tcp = cast(asyncio.Transport, transport)
        return self._tcp

    # in

    def receive(self, data: bytes) -> bytes:
        """What these bytes decrypt to, and perhaps answers of TLS itself, which leave at once. Raises a TqError when TLS
        cannot go on; ``write`` then sends the alert that says so."""
        plaintext = self.tls.receive(data)
        self.write()
        if plaintext:
            self.heard = self._loop.time()
        return plaintext

    def pause_reading(self) -> None:
        if self._tcp is not None:
            self._tcp.pause_reading()

    def resume_reading(self) -> None:
        """It was this side that did not read: the peer was not silent meanwhile."""
        if self._tcp is not None:
            self._tcp.resume_reading()
            self.heard = self._loop.time()

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
        """What TLS has to say."""
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
        """What is unsent may still leave, unless it is more than that; False: it was closed before, or never open."""
        tcp, self._tcp = self._tcp, None
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
