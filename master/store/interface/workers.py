"""The store's verbs for workers. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol


class WorkerName(NamedTuple):
    node: bytes
    host: str


class WorkerStore(Protocol):
    def put_worker(self, node: bytes, host: str, pid: int, now: int, version: str = "") -> int: ...
    def forget_workers(self, seen_before: int, known: Iterable[int]) -> None:
        """Forget those that announced themselves last before that, but not what holds tasks or is in ``known``. No number is given
        to another one later."""

    def worker_host(self, worker: int) -> str | None: ...
    def worker_name(self, worker: int) -> WorkerName | None: ...
    def worker_names(self, limit: int) -> dict[int, WorkerName]:
        """By number, of all that are known, at most so many."""

    def worker_version(self, worker: int) -> str | None:
        """Of the code that it has."""
