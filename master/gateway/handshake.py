"""The stock handshake and the stock frames, as the listening side. Pure: bytes in, bytes out.

::

    we ── #CHALLENGE#{sha256}random ─► client      up to 3.11 it answers with HMAC-MD5 of all of it, from 3.12 with SHA-256
    we ◄─ its proof                                only then is its own challenge answered
    we ── #WELCOME# ─► ◄─ #CHALLENGE#… ── our proof ─► ◄─ #WELCOME#

A client gets our proof only after its own, so that an unauthenticated one cannot have proofs made for it.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable
from typing import Final

from ...common.errors import ProtocolError, Rejected

CHALLENGE, WELCOME, FAILURE = b"#CHALLENGE#", b"#WELCOME#", b"#FAILURE#"
RANDOM_BYTES: Final = 40
OLD_RANDOM_BYTES: Final = 20  # up to 3.11, and a sign of it
MD5_BYTES: Final = 16
MODERN: Final = b"{sha256}"
UNAUTHENTICATED_FRAME_BYTES_MAX: Final = 256
FRAME_BYTES_MAX: Final = 256 * 1024
HEADER: Final = struct.Struct("!i")  # so 2 GiB at most, also of a longer frame that is skipped


def frame(body: bytes) -> bytes:
    return HEADER.pack(len(body)) + body


class FrameSplitter:
    """Frames out of a stream. One that is too long is left out and stands as None."""

    def __init__(self) -> None:
        self.bytes_max = UNAUTHENTICATED_FRAME_BYTES_MAX
        self.skips = False  # else a frame that is too long is a ProtocolError
        self._buffer = bytearray()
        self._left_out = 0

    def feed(self, data: bytes) -> None:
        if self._left_out > 1:
            skipped = min(self._left_out - 1, len(data))
            self._left_out -= skipped
            data = data[skipped:]
        self._buffer += data

    @property
    def held_bytes(self) -> int:
        return len(self._buffer)

    def next(self) -> tuple[bytes | None] | None:
        """The next frame in a tuple, or None when it has not come as a whole."""
        if self._left_out == 1:
            self._left_out = 0
            return (None,)
        if self._left_out or len(self._buffer) < HEADER.size:
            return None
        (size,) = HEADER.unpack_from(self._buffer)
        if size < 0 or (size > self.bytes_max and not self.skips):
            raise ProtocolError(f"a frame of {size:,} bytes; {self.bytes_max:,} at most")
        if size > self.bytes_max:
            rest = self._buffer[HEADER.size : HEADER.size + size]
            del self._buffer[: HEADER.size + size]
            self._left_out = size - len(rest) + 1
            return self.next()
        if len(self._buffer) < HEADER.size + size:
            return None
        body = bytes(self._buffer[HEADER.size : HEADER.size + size])
        del self._buffer[: HEADER.size + size]
        return (body,)


class Handshake:
    """``proven``: the client has shown the key. ``done``: both have."""

    def __init__(self, key: bytes, random_bytes: Callable[[int], bytes]) -> None:
        self._key = key
        self._message = MODERN + random_bytes(RANDOM_BYTES)
        self._answered = False
        self.proven = self.done = False

    def opening(self) -> bytes:
        return CHALLENGE + self._message

    def on_frame(self, body: bytes) -> bytes | None:
        """What to answer, if anything. Raises Rejected for a wrong proof, ProtocolError for no handshake."""
        if not self.proven:
            self._verify(body)
            self.proven = True
            return WELCOME
        if not self._answered:
            self._answered = True
            return self._prove(body)
        if body != WELCOME:
            raise ProtocolError("the client does not accept our proof")
        self.done = True
        return None

    def _verify(self, proof: bytes) -> None:
        digest, given = ("md5", proof) if len(proof) == MD5_BYTES else ("sha256", proof[len(MODERN) :])
        if digest == "sha256" and not proof.startswith(MODERN):
            raise Rejected("the proof of a client of the standard library is of an unknown kind")
        if not hmac.compare_digest(self._sign(self._message, digest), given):
            raise Rejected("wrong key; the client needs that of --gateway-authkey-file")

    def _prove(self, body: bytes) -> bytes:
        message = body.removeprefix(CHALLENGE)
        if len(message) == len(body):
            raise ProtocolError("a challenge was expected")
        if len(message) == OLD_RANDOM_BYTES:
            return self._sign(message, "md5")
        if not message.startswith(MODERN) or len(message) < len(MODERN) + OLD_RANDOM_BYTES:
            raise ProtocolError("a challenge of an unknown kind")
        return MODERN + self._sign(message, "sha256")

    def _sign(self, message: bytes, digest: str) -> bytes:
        try:
            return hmac.digest(self._key, message, digest)
        except ValueError:  # a system that allows only what FIPS does
            raise Rejected(
                f"this host has no {digest}; clients before Python 3.12 know nothing else"
            ) from None
