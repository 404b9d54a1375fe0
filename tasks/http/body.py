"""The body of an answer: unpacked within a bound, kept in memory or in a file, made text.

The bound is on what comes out, not on what comes in: a few kilobytes of gzip can be gigabytes. So the library unpacks nothing, and
here no step gives more than STEP_BYTES.
"""

from __future__ import annotations

import re
import tempfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import IO, Final

import tq

from .ends import Refused

STEP_BYTES: Final = 256 * 1024  # unpacked at once: between two steps the event loop serves others
# Of a packed body, besides one for each MEMBER_BYTES that came out: empty ones would never end
MEMBERS_MAX: Final = 100
MEMBER_BYTES: Final = 1_024
INLINE_BYTES_MAX: Final = 256 * 1024  # a larger body is a tq.Blob: results travel together in messages
WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
KINDS_MAX: Final = 1_024  # Content-Types that are remembered
_CHARSET: Final = re.compile(r"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
_TEXTS: Final = re.compile(
    r"text/.*|application/(json|xml|javascript|ecmascript|x-ndjson|x-javascript)|.*\+(json|xml)"
)
# The encodings of the web, by the names that Python knows: a page does not choose another one, some of which are no text at all.
_SAME: Final = (
    "utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "koi8-r", "koi8-u", "macintosh", "big5", "gbk",
    "gb2312", "gb18030", "euc-jp", "iso-2022-jp", "shift_jis", "euc-kr", "ibm866", "tis-620",
)  # fmt: skip
_PARTS: Final = [f"iso-8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)]
_PAGES: Final = [f"windows-{page}" for page in range(1250, 1259)]
ENCODINGS: Final = {name: name for name in (*_SAME, *_PARTS, *_PAGES)} | {"windows-874": "cp874"}


@lru_cache(KINDS_MAX)
def encoding_of(content_type: str) -> str | None:
    """The encoding of text of this type; None if it is no text, or nothing that is known."""
    kind, _, parameters = content_type.partition(";")
    if not _TEXTS.fullmatch(kind.strip().lower()):
        return None
    named = _CHARSET.search(parameters)
    name = named[1].lower() if named else "utf-8"
    return ENCODINGS.get(name)


class Unpacking:
    """Takes one layer of gzip or deflate away."""

    def __init__(self, coding: str) -> None:
        self._bits = WINDOW_BITS[coding]
        self._stream = zlib.decompressobj(self._bits)
        self._members = self._size = 0  # begun behind the first one; bytes that came out
        # Until it is known which deflate it is
        self._head: bytes | None = b"" if coding == "deflate" else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What comes out, at most STEP_BYTES at once; raises zlib.error, Refused."""
        if self._head is not None:
            self._head = data = self._head + data
            if len(data) < 2:
                return
            self._head = None
            if (
                data[0] & 15 != 8 or int.from_bytes(data[:2], "big") % 31
            ):  # RFC 1950; many servers send the bare stream
                self._bits, self._stream = -15, zlib.decompressobj(-15)
        while data:
            if self._stream.eof:
                if self._bits < 16 or data[:1] != b"\x1f":
                    return  # behind the end: browsers take no notice either
                self._members += 1
                if self._members > MEMBERS_MAX + self._size // MEMBER_BYTES:
                    raise Refused(
                        f"the packed body has more than {MEMBERS_MAX} parts with next to nothing in them"
                    )
                self._stream = zlib.decompressobj(self._bits)
            out = self._stream.decompress(data, STEP_BYTES)
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            self._size += len(out)
            if out:
                yield out
            elif not data:
                return

    @property
    def is_complete(self) -> bool:
        return self._stream.eof


class Body:
    """What has come so far. ``bytes_max``: more raises Refused. Close it."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max, self.size = bytes_max, 0
        self._held = bytearray()  # not the parts as they come: a page may send them two bytes at a time
        self._file: IO[bytes] | None = None

    def put(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self.bytes_max:
            raise too_large(self.bytes_max)
        if self._file is None and self.size > INLINE_BYTES_MAX:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
            self._file.write(self._held)
            self._held.clear()
        if self._file is None:
            self._held += data
        else:
            self._file.write(data)

    @property
    def is_large(self) -> bool:
        return self._file is not None

    def blob(self) -> tq.Blob:
        """Reads it all: not in an event loop."""
        if self._file is None:
            return tq.Blob.of(self.content())
        self._file.seek(0)
        return tq.Blob.of(self._file)  # type: ignore[arg-type]  # a TemporaryFile is one

    def content(self) -> bytes:
        return bytes(self._held)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def too_large(bytes_max: int) -> Refused:
    return Refused(f"the body has more than max_bytes, which is {bytes_max:,}")
