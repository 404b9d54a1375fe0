"""The store's verbs for content and the tasks that name it. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class BlobRow(NamedTuple):
    number: int
    hash: bytes
    size: int
    refs: int  # tasks that name it
    keep: int  # until then (ms of Unix time) it stays even without


class BlobStore(Protocol):
    def find(self, hash: bytes) -> BlobRow | None: ...
    def put(self, hash: bytes, size: int, keep: int) -> int:
        """Content is there; its number. Of what was there already only ``keep`` changes, never to earlier."""

    def keep(self, number: int, until: int) -> None: ...
    def name(self, rows: Sequence[tuple[int, int]]) -> None:
        """Tasks name content: ``(seq, number)``; for as long as the task is there."""

    def name_as(self, seq: int, other: int) -> None:
        """A task names what the other one does. Costs nothing where no task names content."""

    def unname(self, seqs: Sequence[tuple[int]]) -> None:
        """These tasks are deleted. Costs nothing where no task names content."""

    def collect(self, now: int, limit: int) -> list[bytes]:
        """Forget up to ``limit`` that no task names and whose time to be kept is over; their hashes."""

    def any(self) -> bool: ...
