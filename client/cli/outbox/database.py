"""What a relay asks of the database that has an outbox, whichever it is.

::

    claim ─► settle, or release            waiting ─► sent, refused
    take_sent ─► delete, or release        sent ─► deleted

Invariants: 1. a row that is claimed is claimed by no one else until ``settle``, ``delete`` or ``release``, or until the claimant's connection
is gone; 2. rows are claimed by their state, never by a place in their order: of two transactions the one that wrote first may commit last.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from ....common.errors import ConfigError, Unreachable


class DatabaseLost(Unreachable):
    """The database does not answer, or has ended the connection. What was claimed is free again."""


class OutboxMissing(ConfigError):
    """The database has no table of an outbox, or this role may not use it."""


class ClaimedRow(NamedTuple):
    position: int
    id: bytes
    queue: str
    task: str
    body: bytes


class SentRow(NamedTuple):
    position: int
    id: bytes


class RefusedRow(NamedTuple):
    """``created``: Unix seconds, as are all times here."""

    id: bytes
    created: float
    queue: str
    task: str
    tasks: int
    reason: str


class OutboxCounts(NamedTuple):
    """``oldest``: when the first row that waits was written; None: none waits."""

    waiting: int
    oldest: float | None
    sent: int
    refused: int


class OutboxDatabase(Protocol):
    shown: str
    """Its address for people, without a password."""

    def make(self, *, notifies: bool) -> None:
        """Make the table, unless it is there."""

    def claim(self, limit: int, queues: Collection[str], positions: Collection[int]) -> list[ClaimedRow]:
        """The first rows that wait, without those of some queues and at some positions. None: nothing is held."""

    def settle(self, sent: Sequence[int], refused: Sequence[tuple[int, str]]) -> None:
        """Durable when this returns."""

    def take_sent(self, seconds: float, limit: int) -> list[SentRow]:
        """Rows that were sent at least so long ago. None: nothing is held."""

    def delete(self, positions: Sequence[int]) -> None: ...
    def release(self) -> None:
        """Release what is claimed. Raises nothing."""

    def wait(self, seconds: float) -> None:
        """Until something was written, or so long, or a signal came."""

    def counts(self) -> OutboxCounts: ...
    def refused(self, limit: int) -> list[RefusedRow]:
        """The newest first."""

    def retry(self, ids: Sequence[bytes] | None, *, sent: bool) -> int:
        """Refused rows, or those that were sent and are kept, wait again. None: all of them. How many."""

    def discard(self, ids: Sequence[bytes] | None) -> int:
        """Delete refused rows."""

    def close(self) -> None: ...
