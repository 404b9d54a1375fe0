"""The store's verbs for ends of tasks whose handlers (``on_failure``) are not made yet. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class UnhandledEnd(NamedTuple):
    """Tasks with consecutive ids that ended alike, at one moment."""

    number: int  # of the row; 0: it has none yet
    id: bytes  # of the first one
    tasks: int
    queue: str
    task: str
    state: int
    body: bytes | None  # the failure of each
    handler: bytes  # what is made of each, packed
    ended: int  # steady ms


class UnhandledStore(Protocol):
    def add(self, ends: Sequence[UnhandledEnd]) -> None: ...
    def first(self, limit: int) -> list[UnhandledEnd]:
        """The first ones that were added, in order."""

    def made(self, numbers: Sequence[int]) -> None:
        """These have their handlers: forget them."""

    def keep(self, end: UnhandledEnd) -> None:
        """Of the row with this number only these tasks are left."""
