"""The store's verbs for limits: what is declared under a name, and what an operator has laid over it. Part of
``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class LimitRow(NamedTuple):
    name: str
    key: str  # the id of the key that declared it
    declared: bytes  # what it says, packed
    edits: bytes | None  # what an operator has changed of it, packed
    since: int  # when it was declared or changed, steady


class BucketRow(NamedTuple):
    """The tokens of one key of a limit with a rate, as they were at a moment: ``level`` parts, of which ``ms`` are a token."""

    name: str
    key: str
    level: int
    ms: int
    at: int  # steady, as the next one
    full: int  # when it needs not be kept any more


class LimitStore(Protocol):
    def rows(self) -> list[LimitRow]: ...
    def put(self, row: LimitRow) -> None:
        """Replaces the row of this name."""

    def drop(self, name: str) -> None:
        """With its buckets."""

    # tokens
    def buckets(self) -> list[BucketRow]: ...
    def put_buckets(self, rows: Sequence[BucketRow]) -> None:
        """Replaces those of the same name and key."""

    def drop_full(self, now: int, most: int) -> None:
        """Forget so many buckets that are full by now."""
