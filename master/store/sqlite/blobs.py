"""The embedded store's verbs for content: see ``interface.blobs.BlobStore``."""

from __future__ import annotations

from collections.abc import Sequence

from ..interface.blobs import BlobRow
from .part import SqlitePart


class SqliteBlobs(SqlitePart):
    def find(self, hash: bytes) -> BlobRow | None:
        rows = self._all("find_blob", (hash,))
        return BlobRow(*rows[0]) if rows else None

    def put(self, hash: bytes, size: int, keep: int) -> int:
        return int(self._all("put_blob", (hash, size, keep))[0][0])

    def keep(self, number: int, until: int) -> None:
        self._all("keep_blob", (until, number))

    def name(self, rows: Sequence[tuple[int, int]]) -> None:
        self._many("name_blob", rows)

    def name_as(self, seq: int, other: int) -> None:
        if self._all("any_blob_named", ())[0][0]:
            self._many("name_blobs_of", [(seq, other)])

    def unname(self, seqs: Sequence[tuple[int]]) -> None:
        if self._all("any_blob_named", ())[0][0]:
            self._many("unname_blobs", seqs)

    def collect(self, now: int, limit: int) -> list[bytes]:
        return [row[0] for row in self._all("collect_blobs", (now, limit))]

    def any(self) -> bool:
        return bool(self._all("any_blob", ())[0][0])
