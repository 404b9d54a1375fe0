"""How a child's output is attributed to its jobs: marks in the stream, written only when something is printed. Pure.

::

    child:  print → mark(ordinal) text …            C code, subprocesses → text without a mark
    here:   bytes of the pipe → Splitter → (ordinal of the last mark, text)

A mark is 17 bytes, one of them a zero and eight of them random for each child, so that no output is taken for one. Progress
goes to a page of shared memory: writing there costs no system call, and what was written survives the writer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final, Protocol

from ...common.errors import ProtocolError
from ...common.wire.frames import pack, unpack

NONCE_BYTES: Final = 8
TO_STDERR: Final = 1 << 63  # in the ordinal of a mark: the text behind it was written to stderr
MARK_BYTES: Final = 1 + NONCE_BYTES + 8
PAGE_BYTES: Final = 4096
_PAGE: Final = struct.Struct(">QI")  # ordinal (0: being written), length of what follows


class SharedPage(Protocol):
    """Shared memory: an ``mmap``, or a bytearray in a test."""

    def __getitem__(self, place: slice, /) -> bytes | bytearray: ...
    def __setitem__(self, place: slice, value: bytes, /) -> None: ...


def mark(nonce: bytes, ordinal: int) -> bytes:
    return b"\0" + nonce + ordinal.to_bytes(8, "big")


class Splitter:
    """Cuts a stream, in portions of any size, into texts, each with the ordinal of its job; 0: before any mark."""

    def __init__(self, nonce: bytes) -> None:
        self._start = b"\0" + nonce
        self._ordinal = 0
        self._rest = b""  # what may become a mark

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        data = self._rest + data
        while (at := data.find(self._start)) >= 0 and len(data) >= at + MARK_BYTES:
            if at:
                yield self._ordinal, data[:at]
            self._ordinal = int.from_bytes(data[at + 1 + NONCE_BYTES : at + MARK_BYTES], "big")
            data = data[at + MARK_BYTES :]
        kept = len(data) - at if at >= 0 else self._begun(data)
        self._rest = data[len(data) - kept :]
        if text := data[: len(data) - kept]:
            yield self._ordinal, text

    def _begun(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a mark."""
        for at in range(max(0, len(data) - NONCE_BYTES), len(data)):
            if self._start.startswith(data[at:]):
                return len(data) - at
        return 0


def write_progress(page: SharedPage, ordinal: int, progress: list[Any]) -> None:
    """Put a job's progress where the supervisor looks for it."""
    body = pack(progress)
    page[0:8] = bytes(8)  # a reader sees by this that it is not complete
    page[_PAGE.size : _PAGE.size + len(body)] = body
    page[0 : _PAGE.size] = _PAGE.pack(ordinal, len(body))


def read_progress(page: SharedPage) -> tuple[int, list[Any]] | None:
    """The ordinal of the job that last set its progress, and that progress. None: there is none, or it is being written."""
    head = bytes(page[0 : _PAGE.size])
    ordinal, size = _PAGE.unpack(head)
    if not ordinal or size > PAGE_BYTES - _PAGE.size:
        return None
    body = bytes(page[_PAGE.size : _PAGE.size + size])
    if bytes(page[0 : _PAGE.size]) != head:
        return None  # it is being written: the next look finds it
    try:
        progress = unpack(body)
    except ProtocolError:
        return None
    return (ordinal, progress) if isinstance(progress, list) else None
