"""Which content the master has, until when, and which tasks name it: rows, in the store's own transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class BlobRow(NamedTuple):
    number: int
    hash: bytes
    size: int
    refs: int  # tasks that name it
    keep: int  # until then (ms of Unix time) it stays even without


class BlobRows:
    """``all`` and ``many`` are the store's: a statement by its name, once or for each of many rows."""

    def __init__(
        self, all: Callable[[str, Any], list[Any]], many: Callable[[str, Sequence[Any]], int]
    ) -> None:
        self._all, self._many = all, many

    def find(self, hash: bytes) -> BlobRow | None:
        rows = self._all("find_blob", (hash,))
        return BlobRow(*rows[0]) if rows else None

    def put(self, hash: bytes, size: int, keep: int) -> int:
        """Content is there; its number. Of what was there already only ``keep`` changes, never to earlier."""
        return int(self._all("put_blob", (hash, size, keep))[0][0])

    def keep(self, number: int, until: int) -> None:
        self._all("keep_blob", (until, number))

    def name(self, rows: Sequence[tuple[int, int]]) -> None:
        """Tasks name content: ``(seq, number)``; for as long as the task is there."""
        self._many("name_blob", rows)

    def unname(self, seqs: Sequence[tuple[int]]) -> None:
        """These tasks are deleted. Costs nothing where no task names content."""
        if self._all("any_blob_named", ())[0][0]:
            self._many("unname_blobs", seqs)

    def collect(self, now: int, limit: int) -> list[bytes]:
        """Forget up to ``limit`` that no task names and nobody is to keep; their hashes."""
        return [row[0] for row in self._all("collect_blobs", (now, limit))]

    def any(self) -> bool:
        return bool(self._all("any_blob", ())[0][0])
