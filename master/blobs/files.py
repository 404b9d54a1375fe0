"""The directory of blobs: one file for each content, named by its hash, and a part file for each upload.

::

    blobs/uploads/<number>.part ── verified, synced, renamed ──► blobs/ab/cdef…

Everything here blocks on the disk and runs off the event loop: writes in one thread, in the order of the calls, reads in
others. A file with a hash's name was complete and had that hash when it was renamed to it, and is never written again.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ...common.errors import InvalidArgument, StoreError, UnknownBlob
from ...common.values.blob import HASH_BYTES, new_hash
from ..store.cluster_files import UPLOADS

# Of free space that is left to the store: tasks matter more than content
RESERVE_BYTES: Final = 256 * 1024 * 1024
SYNC_EVERY_BYTES: Final = 16 * 1024 * 1024  # so that the last sync of a large file is a short one
NAMES_MAX: Final = 10_000  # read from one folder in one listing


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class PartFile:
    """The file of one upload. Used by the writing thread only."""

    def __init__(self, path: Path, hash: bytes) -> None:
        self.path, self.hash = path, hash
        self.hasher = new_hash()
        self.written = self.synced = 0
        # Why the upload failed or was given up: later writes are refused with it
        self.over: Exception | None = None


class BlobFiles:
    """``sync``: whether content is synced to the disk before it counts as stored."""

    def __init__(self, root: Path, *, sync: bool, free: Callable[[Path], int] = free_bytes) -> None:
        self.root, self._sync, self._free = root, sync, free
        self._numbers = itertools.count(1)

    def prepare(self) -> None:
        """Make the directory, and delete part files that an earlier process left."""
        uploads = self.root / UPLOADS
        # Each by itself: the mode is not that of the parents that are made with it.
        for folder in (self.root, uploads):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for entry in uploads.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def new_part(self, hash: bytes) -> PartFile:
        """A new upload; its file is created by the first ``append``."""
        return PartFile(self.root / UPLOADS / f"{next(self._numbers)}.part", hash)

    # the writing thread

    def check_room(self, part: PartFile, size: int) -> None:
        """Raises StoreError and ends this upload when the disk has too little room for ``size`` bytes."""
        left = self._free(self.root) - RESERVE_BYTES
        if size > left:
            part.over = StoreError(
                f"the disk of the master has {max(0, left):,} bytes left for blobs, {size:,} are needed; "
                "free some space there, or pass a path on shared storage"
            )
            raise part.over

    def append(self, part: PartFile, data: bytes) -> None:
        if part.over is not None:
            raise part.over
        try:
            descriptor = os.open(part.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
                part.written += len(data)
                if self._sync and part.written - part.synced >= SYNC_EVERY_BYTES:
                    os.fsync(descriptor)
                    part.synced = part.written
            finally:
                os.close(descriptor)
        except OSError as error:
            part.over = StoreError(f"the disk of the master says: {error.strerror}; free some space there")
            self.discard(part)
            raise part.over from error
        part.hasher.update(data)

    def finish(self, part: PartFile) -> None:
        """Rename a complete upload to its hash; InvalidArgument when its content has another hash."""
        if part.hasher.digest() != part.hash:
            part.over = InvalidArgument(
                f"what was sent is not the content of {part.hash.hex()}: it changed on the way; create the Blob again"
            )
            self.discard(part)
            raise part.over
        self._place(part)

    def _place(self, part: PartFile) -> None:
        """It is verified."""
        target = self.path(part.hash)
        try:
            if self._sync:
                _sync(part.path)
            if not target.parent.exists():
                target.parent.mkdir(mode=0o700)
                self._sync_folder(self.root)
            os.replace(part.path, target)
            self._sync_folder(target.parent)
        except OSError as error:
            part.over = StoreError(f"the disk of the master says: {error.strerror}")
            self.discard(part)
            raise part.over from error

    def discard(self, part: PartFile) -> None:
        part.over = part.over or StoreError("this upload was given up")
        part.path.unlink(missing_ok=True)

    def remove(self, hash: bytes) -> None:
        self.path(hash).unlink(missing_ok=True)

    def _sync_folder(self, folder: Path) -> None:
        if self._sync:
            _sync(folder)

    # the reading threads

    def size_of(self, hash: bytes) -> int | None:
        """The size of the file; None if it does not exist."""
        try:
            return self.path(hash).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, hash: bytes, size: int, offset: int, length: int) -> bytes:
        """Some bytes of a content; StoreError when its file does not have ``size`` bytes."""
        try:
            with open(self.path(hash), "rb", buffering=0) as file:
                found = os.fstat(file.fileno()).st_size
                if found != size:
                    raise StoreError(damaged(hash, f"has {found:,} of {size:,} bytes"))
                return os.pread(file.fileno(), length, offset)
        except FileNotFoundError:
            raise UnknownBlob(damaged(hash, "is missing")) from None
        except OSError as error:
            raise StoreError(damaged(hash, f"cannot be read: {error.strerror}")) from error

    def folders(self) -> list[str]:
        """The names of the folders with content."""
        with os.scandir(self.root) as entries:
            return sorted(entry.name for entry in entries if entry.name != UPLOADS and entry.is_dir())

    def hashes(self, folder: str) -> list[bytes]:
        """The hashes in one folder; files with other names are not the master's and are ignored."""
        with os.scandir(self.root / folder) as entries:
            names = [folder + entry.name for entry in itertools.islice(entries, NAMES_MAX)]
        return [hash for name in names if (hash := _hash_of(name)) is not None]

    def path(self, hash: bytes) -> Path:
        name = hash.hex()
        return self.root / name[:2] / name[2:]


def damaged(hash: bytes, how: str) -> str:
    return f"the file of blob {hash.hex()} {how} on the disk of the master; submit the content again"


def _hash_of(name: str) -> bytes | None:
    try:
        hash = bytes.fromhex(name)
    except ValueError:
        return None
    return hash if len(hash) == HASH_BYTES and hash.hex() == name else None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
