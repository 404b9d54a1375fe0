"""Frames: how bytes on a stream become messages and back. Pure: bytes in, frames out.

A frame is a five-byte header and a body::

    offset  size  field
    0       4     body length in bytes, unsigned, big-endian
    4       1     kind (see Kind)
    5       …     body: one msgpack value of plain types (no ext)

The header is judged before anything is allocated for the body: an unknown kind or a length over the
limit ends the connection. Knows nothing of TLS, of sessions, or of what a body means.

Invariant: a body is handed out once, whole, and in the order of the stream, however the stream was cut.
"""

from __future__ import annotations

import enum
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

import msgpack

from ..errors import InvalidArgument, ProtocolError

HEADER = struct.Struct(">IB")
# The peer is unknown yet: enough for any proof, too little to exhaust memory
HANDSHAKE_FRAME_BYTES_MAX: Final = 4 * 1024
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024  # default; the master announces its own in WELCOME
ENVELOPE_ITEMS_MAX: Final = 1_000_000  # elements in one array or map of an envelope


class Kind(enum.IntEnum):
    HELLO = 1
    CHALLENGE = 2
    PROOF = 3
    WELCOME = 4
    REFUSED = 5
    CALL = 6
    RELAYED_CALL = 7
    RETURN = 8
    ERROR = 9
    ABANDON = 10
    PING = 11
    PONG = 12
    GOODBYE = 13
    CHILD = 14


KIND_MAX: Final = max(Kind)


def encode_frame(kind: Kind, body: bytes, frame_bytes_max: int = FRAME_BYTES_MAX) -> bytes:
    """One frame; raises InvalidArgument with both sizes when the body is over the limit."""
    if len(body) > frame_bytes_max:
        raise InvalidArgument(too_large("a message has", len(body), frame_bytes_max))
    return HEADER.pack(len(body), kind) + body


def too_large(what: str, size: int, limit: int) -> str:
    """The message about anything that does not fit a frame, with the remedies."""
    return (
        f"{what} {size:,} bytes, the limit is {limit:,}; large data travels with a task as a tq.Blob, "
        "and anywhere as a path on shared storage"
    )


class FrameReader:
    """Cuts a stream of bytes into frames. Raises ProtocolError on a header that breaks the rules."""

    def __init__(self, frame_bytes_max: int = HANDSHAKE_FRAME_BYTES_MAX) -> None:
        self.frame_bytes_max = frame_bytes_max
        self._chunks: list[bytes] = []
        self._at = 0  # how much of the first chunk was handed out
        self._need = HEADER.size
        self.held_bytes = 0  # that were not handed out yet

    def feed(self, data: bytes) -> list[tuple[int, memoryview]]:
        """The frames that ``data`` completes, each as (kind, body)."""
        self.add(data)
        return self.take()

    def add(self, data: bytes) -> None:
        """Bytes have come; ``take`` gives what they complete."""
        self._chunks.append(data)
        self.held_bytes += len(data)

    @property
    def under_way_bytes(self) -> int:
        """How long the frame is that has begun and is not whole, if its header is here; else at most a header."""
        return self._need if self.held_bytes < self._need else 0

    @property
    def may_have_one(self) -> bool:
        """Whether there is enough of the next frame to look."""
        return self.held_bytes >= self._need

    def take(self, most: int = sys.maxsize) -> list[tuple[int, memoryview]]:
        """Whole frames, in order, at most so many; each as (kind, body)."""
        if self.held_bytes < self._need:
            return []
        if len(self._chunks) > 1:  # joined only when a frame is whole: linear for any size of chunk
            self._chunks[0] = self._chunks[0][self._at :]
            self._chunks, self._at = [b"".join(self._chunks)], 0
        [data] = self._chunks
        frames: list[tuple[int, memoryview]] = []
        view, position, end = memoryview(data), self._at, len(data)
        self._need = HEADER.size
        while end - position >= HEADER.size and len(frames) < most:
            length, kind = HEADER.unpack_from(data, position)
            # By the header alone: nothing of a length that a stranger announces is allocated.
            if length > self.frame_bytes_max:
                raise ProtocolError(
                    f"a frame of {length:,} bytes was announced, the limit here is {self.frame_bytes_max:,}; "
                    "the peer does not speak tq, or has a larger frame_bytes_max"
                )
            if not 1 <= kind <= KIND_MAX:
                raise ProtocolError(f"frame kind {kind} is unknown; the peer does not speak tq's protocol")
            if end - position - HEADER.size < length:
                self._need = HEADER.size + length
                break
            position += HEADER.size
            frames.append((kind, view[position : position + length]))
            position += length
        self._keep(data, position, whole=len(frames) == most)
        return frames

    def _keep(self, data: bytes, position: int, *, whole: bool) -> None:
        """What was not returned yet. ``whole``: there may be whole frames in it, which are read soon, so it is not copied."""
        self.held_bytes = len(data) - position
        if not self.held_bytes:
            self._chunks, self._at = [], 0
        elif whole:
            self._chunks, self._at = [data], position
        else:
            self._chunks, self._at = [data[position:]], 0


_packer = msgpack.Packer(autoreset=True)


def pack(value: Any) -> bytes:
    """An envelope as msgpack. Plain types only; msgpack's own errors mean a bug in the caller."""
    return bytes(_packer.pack(value))


def unpack(body: bytes | memoryview) -> Any:
    """An envelope from msgpack; raises ProtocolError for anything malformed, nested or oversized."""
    try:
        return msgpack.unpackb(
            body,
            raw=False,
            use_list=True,
            # Keys of other kinds could be made to collide, or be unhashable.
            strict_map_key=True,
            ext_hook=_refuse_ext,
            max_array_len=ENVELOPE_ITEMS_MAX,
            max_map_len=ENVELOPE_ITEMS_MAX,
        )
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise ProtocolError(f"a frame body is not a msgpack value tq knows: {error}") from None


class Skimmed:
    """Reads the parts of a body one by one, and only those that are asked for: the others are passed over, and cost the
    time to pass over them, but no memory. Raises ProtocolError."""

    def __init__(self, body: bytes | memoryview) -> None:
        self._body = body
        self._unpacker = msgpack.Unpacker(max_buffer_size=max(1, len(body)))
        self._unpacker.feed(body)

    def array(self) -> int:
        """How many elements there are in the array that stands here, which are the next parts."""
        return int(self._do(self._unpacker.read_array_header))

    def map(self) -> int:
        """How many pairs are in the map that stands here: its keys and values are the next parts."""
        return int(self._do(self._unpacker.read_map_header))

    def skip(self) -> None:
        self._do(self._unpacker.skip)

    def take(self, bytes_max: int) -> Any:
        start = self._unpacker.tell()
        self.skip()
        part = self._body[start : self._unpacker.tell()]
        if len(part) > bytes_max:
            raise ProtocolError(f"a name or number of {len(part):,} bytes in a frame")
        return unpack(part)

    def rest(self) -> bytes:
        """The last part, as it is encoded."""
        start = self._unpacker.tell()
        self.skip()
        return bytes(self._body[start : self._unpacker.tell()])

    def _do(self, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
            raise ProtocolError(f"a frame body is not a msgpack value tq knows: {error}") from None


def _refuse_ext(code: int, data: bytes) -> Any:
    raise ValueError(f"ext code {code} has no place in an envelope")
