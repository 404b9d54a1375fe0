"""Content in a database, for a master whose state is there: what is uploaded is a file of this host until it is complete and
verified, then it is rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from ...common.errors import StoreError, UnknownBlob
from .files import NAMES_MAX, BlobFiles, PartFile, free_bytes

PART_BYTES: Final = 1024 * 1024


class Contents(Protocol):
    """Content by its hash, in parts of PART_BYTES."""

    def put(self, hash: bytes, content: Iterator[bytes]) -> None: ...
    def remove(self, hash: bytes) -> None: ...
    def read(self, hash: bytes, size: int, offset: int, length: int) -> tuple[int | None, bytes]: ...
    def size_of(self, hash: bytes) -> int | None: ...
    def first_bytes(self) -> list[bytes]: ...
    def hashes(self, first_byte: bytes, most: int) -> list[bytes]: ...


class DatabaseFiles(BlobFiles):
    """``root``: for uploads in progress only; nothing there has to be durable."""

    def __init__(self, root: Path, contents: Contents, free: Callable[[Path], int] = free_bytes) -> None:
        super().__init__(root, sync=False, free=free)
        self._contents = contents

    def _place(self, part: PartFile) -> None:
        try:
            self._contents.put(part.hash, _parts(part.path))
        except StoreError as error:
            part.over = error
            self.discard(part)
            raise
        part.path.unlink(missing_ok=True)

    def remove(self, hash: bytes) -> None:
        self._contents.remove(hash)

    def size_of(self, hash: bytes) -> int | None:
        return self._contents.size_of(hash)

    def read(self, hash: bytes, size: int, offset: int, length: int) -> bytes:
        has, data = self._contents.read(hash, size, offset, length)
        if has is None:
            raise UnknownBlob(_damaged(hash, "is missing"))
        if has != size:
            raise StoreError(_damaged(hash, f"has {has:,} of {size:,} bytes"))
        return data

    def folders(self) -> list[str]:
        return [one.hex() for one in self._contents.first_bytes()]

    def hashes(self, folder: str) -> list[bytes]:
        return self._contents.hashes(bytes.fromhex(folder), NAMES_MAX)


def _parts(file: Path) -> Iterator[bytes]:
    with file.open("rb") as content:
        while part := content.read(PART_BYTES):
            yield part


def _damaged(hash: bytes, how: str) -> str:
    return f"blob {hash.hex()} {how} in the database of the master; submit the content again"
