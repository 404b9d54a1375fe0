"""``tq.Blob``: content too large for a message. What travels in its place is its size and its hash.

::

    Blob.of(path)  ─► the content is here ───────────────────► open, read, save
    from a message ─► a Fetcher (an App's, or the worker's) ─► the same, streamed and checked against the hash

Knows where content is, not how it travels (``transfer.py``). A Blob is equal to every other of the same content. Its bytes
never change: if the file behind it does, reading it raises.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO, Final, Protocol, cast

from ..errors import DecodeError, InvalidArgument

BLOB_BYTES_MAX: Final = 1024**3  # the disk of one master holds everybody's
CHUNK_BYTES: Final = 512 * 1024  # read, sent and stored at once: others on the line wait for no more
HASH_BYTES: Final = 32
WIRE_BYTES: Final = 8 + HASH_BYTES  # the size as unsigned big-endian, the hash
WIRE_MARK: Final = bytes((0xC7, WIRE_BYTES, 15))  # how msgpack writes the head of that as ext 15


class Fetcher(Protocol):
    """Gets content that is elsewhere."""

    def stream(self, blob: Blob, write: Callable[[bytes], object]) -> None:
        """All of the content, in order; raises a TqError if that is not possible, or DecodeError at the end if
        it was not the right one."""

    def fetch(self, blob: Blob) -> Content:
        """The content in a file of this machine."""

    def of_result(self, id: bytes) -> Fetcher:
        """For content that the result of this task names, which may be in another shard."""


class Content(Protocol):
    def open(self) -> BinaryIO: ...


class Blob:
    """Bytes that travel beside a task's arguments or its result; ``Blob.of`` makes one.

    Blobs of the same content are equal.

    Attributes:
        size: Number of bytes, at most 1 GiB.

    Example::

        scan = tq.Blob.of("scan.tif")
        recognise.submit(scan).result()
    """

    __slots__ = ("_content", "_fetcher", "digest", "size")

    def __init__(
        self, digest: bytes, size: int, *, content: Content | None = None, fetcher: Fetcher | None = None
    ) -> None:
        """Made by ``of`` and by the codec, not by programs."""
        self.digest, self.size = digest, size
        self._content, self._fetcher = content, fetcher

    @classmethod
    def of(cls, source: str | os.PathLike[str] | bytes | BinaryIO) -> Blob:
        """Make a blob of a file or of bytes.

        The content is read once, for its hash, and again when it is sent: a file must stay as it is until then.

        Args:
            source: Path of a file, bytes, or an open binary file, which is read from where it stands to its end.

        Returns:
            The blob.

        Raises:
            InvalidArgument: There are more than 1 GiB, or the source is something else.
            OSError: The file cannot be read.
        """
        if isinstance(source, bytes):
            _check_size(len(source), "these bytes have")
            return cls(new_hash(source).digest(), len(source), content=_Bytes(source))
        if isinstance(source, (str, os.PathLike)):
            return cls._of_path(os.fspath(source))
        if not hasattr(source, "read"):
            raise InvalidArgument(
                f"a Blob is made of a path, of bytes or of an open file, not of a {type(source).__name__}"
            )
        copy = Temporary()
        hasher = new_hash()
        while data := source.read(CHUNK_BYTES):
            if not isinstance(data, bytes):
                raise InvalidArgument("this file gives text; open it as open(path, 'rb')")
            hasher.update(data)
            copy.write(data)
            _check_size(copy.size, "this file has already")
        return cls(hasher.digest(), copy.size, content=copy)

    @classmethod
    def _of_path(cls, path: str) -> Blob:
        hasher = new_hash()
        with open(path, "rb") as file:
            before = os.fstat(file.fileno())
            _check_size(before.st_size, f"{path} has")
            while data := file.read(CHUNK_BYTES):
                hasher.update(data)
        content = _File(os.path.abspath(path), before.st_size, before.st_mtime_ns)
        return cls(hasher.digest(), before.st_size, content=content)

    @property
    def hash(self) -> str:
        """The BLAKE2b-256 of the content, in hexadecimal."""
        return self.digest.hex()

    def __repr__(self) -> str:
        return f"<tq.Blob {self.hash[:12]}… of {self.size:,} bytes>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Blob) and other.digest == self.digest and other.size == self.size

    def __hash__(self) -> int:
        return hash(self.digest)

    # the content

    def open(self) -> BinaryIO:
        """Open the content as a file.

        It is fetched once, into a file without a name in the system's temporary directory; inside a task it is there for the
        attempt.

        Returns:
            A binary file that is read from its beginning. Close it.

        Raises:
            UnknownBlob: The master does not have the content any more.
            InvalidArgument: The file that the blob was made of has changed.
        """
        if self._content is None:
            self._content = self._fetch_from().fetch(self)
        return self._content.open()

    def read(self) -> bytes:
        """Read all of the content into memory.

        Returns:
            The content.
        """
        with self.open() as file:
            return file.read()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the content to a file, which is replaced at once and only by the whole content.

        Args:
            path: Path of the file.
        """
        target = os.path.abspath(os.fspath(path))
        part = f"{target}.{os.getpid()}-{threading.get_ident()}.part"
        try:
            with open(part, "wb") as file:
                self.stream(file.write)
            os.replace(part, target)
        except BaseException:
            if os.path.exists(part):
                os.unlink(part)
            raise

    def stream(self, write: Callable[[bytes], object]) -> None:
        """Hand the content to a function, a chunk at a time. Content from elsewhere is not kept here by this.

        Args:
            write: Called with the bytes of each chunk, of up to 512 KiB.
        """
        if self._content is None:
            self._fetch_from().stream(self, write)
            return
        with self._content.open() as file:
            while data := file.read(CHUNK_BYTES):
                write(data)

    def _fetch_from(self) -> Fetcher:
        fetcher = self._fetcher or _ambient
        if fetcher is None:
            raise InvalidArgument(
                f"nothing here leads to the content of {self}; get it by app.get(ID).result()"
            )
        return fetcher

    # the reference in a message

    def to_wire(self) -> bytes:
        """Its size and hash as a message has them.

        Returns:
            40 bytes.
        """
        return self.size.to_bytes(8, "big") + self.digest

    @classmethod
    def from_wire(cls, body: bytes) -> Blob:
        """The Blob that a message names; its content is fetched when it is opened.

        Args:
            body: What ``to_wire`` gave.

        Raises:
            DecodeError: It is something else.
        """
        size = int.from_bytes(body[:8], "big")
        if len(body) != WIRE_BYTES or size > BLOB_BYTES_MAX:
            raise DecodeError("not the size and the hash of a blob")
        return cls(bytes(body[8:]), size, fetcher=_reading.fetcher)


def new_hash(data: bytes = b"") -> Any:
    return hashlib.blake2b(data, digest_size=HASH_BYTES)


def _check_size(size: int, what: str) -> None:
    if size > BLOB_BYTES_MAX:
        raise InvalidArgument(
            f"{what} {size:,} bytes, a Blob at most {BLOB_BYTES_MAX:,}; pass a path on shared storage"
        )


# where content is


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def open(self) -> BinaryIO:
        return io.BytesIO(self._data)


class _File:
    """A file of the user's."""

    def __init__(self, path: str, size: int, modified_ns: int) -> None:
        self._path, self._was = path, (size, modified_ns)

    def open(self) -> BinaryIO:
        file = open(self._path, "rb")  # noqa: SIM115 - the caller closes it
        # Of the open file: the path may name another one a moment later.
        now = os.fstat(file.fileno())
        if (now.st_size, now.st_mtime_ns) != self._was:
            file.close()
            raise InvalidArgument(f"{self._path} has changed since tq.Blob.of read it; make a new Blob of it")
        return file


class Temporary:
    """A file without a name: gone with its last reader, however the process ends."""

    def __init__(self) -> None:
        import tempfile

        self._file = cast(BinaryIO, tempfile.TemporaryFile(buffering=0))  # noqa: SIM115 - closed by __del__
        self.size = 0

    def __del__(self) -> None:
        # None if it could not be made.
        file = getattr(self, "_file", None)
        if file is not None:
            file.close()

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            # Without a buffer a write may take less than it was given.
            view = view[self._file.write(view) :]
        self.size += len(data)

    def open(self) -> BinaryIO:
        return io.BufferedReader(_Reader(self))

    def read_at(self, place: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, place)


class _Reader(io.RawIOBase):
    """Reads what others may read as well, at a place of its own."""

    def __init__(self, source: Temporary) -> None:
        self._source, self._place = source, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._source.size}[whence]
        if base + offset < 0:
            raise ValueError(f"no place {base + offset} in a file")
        self._place = base + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        data = self._source.read_at(self._place, len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


# where the content of blobs is fetched from that are being decoded


class _Reading(threading.local):
    fetcher: Fetcher | None = None


_reading = _Reading()
_ambient: Fetcher | None = None


class _FetchedBy:
    """A class and no generator, which takes three times as long: it stands around the arguments of every task."""

    __slots__ = ("_before", "_fetcher")

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    def __enter__(self) -> None:
        self._before, _reading.fetcher = _reading.fetcher, self._fetcher

    def __exit__(self, *error: object) -> None:
        _reading.fetcher = self._before


def fetched_by(fetcher: Fetcher) -> AbstractContextManager[None]:
    """Blobs decoded in the block get their content from there."""
    return _FetchedBy(fetcher)


def fetched_for(id: bytes) -> AbstractContextManager[None]:
    """Blobs decoded in the block are those of the result of this task, among arguments that are being decoded."""
    fetcher = _reading.fetcher or _ambient
    return nullcontext() if fetcher is None else _FetchedBy(fetcher.of_result(id))


def set_ambient_fetcher(fetcher: Fetcher | None) -> None:
    """For all others of this process: set in a worker's child."""
    global _ambient
    _ambient = fetcher
