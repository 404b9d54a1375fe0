"""Finds files without a row, which a crash leaves behind, one folder at a time, and removes them unless they are being placed now."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Set
from functools import partial

from ..store.interface.blobs import BlobStore
from .disk import DiskThreads, Then
from .files import BlobFiles


class Sweep:
    """``placing``: hashes whose file is being placed and whose row is not committed yet. ``removed``: called when a file was
    removed, or could not be."""

    def __init__(
        self,
        blobs: BlobStore,
        files: BlobFiles,
        disk: DiskThreads,
        placing: Set[bytes],
        removed: Then,
        report: Callable[..., None],
    ) -> None:
        self._blobs, self._files, self._disk = blobs, files, disk
        self._placing, self._removed, self._report = placing, removed, report

    def begin(self) -> None:
        self._disk.read(self._files.folders, self._look)

    def _look(self, folders: list[str], error: BaseException | None) -> None:
        """Sweep the first of these folders, then the others."""
        if error is not None:
            self._report("blob.not_swept", level="warning", error=str(error))
            return
        if folders:
            rest = deque(folders)
            folder = rest.popleft()
            self._disk.read(
                lambda: self._files.hashes(folder), lambda hashes, error: self._swept(hashes, error, rest)
            )

    def _swept(self, hashes: list[bytes], error: BaseException | None, rest: deque[str]) -> None:
        for hash in hashes or ():
            if hash not in self._placing and self._blobs.find(hash) is None:
                self._report("blob.orphan", level="debug", blob=hash.hex())
                self._disk.write(partial(self._files.remove, hash), self._removed)
        self._look(list(rest), error)
