"""The store's verbs for what attempts print and their progress. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Observation(NamedTuple):
    """What an attempt printed since its last report; ``text`` ends at byte ``size`` of all that it printed."""

    seq: int
    attempt: int  # its number, as people count
    progress: bytes | None  # None: as it was
    size: int
    text: bytes


class LogRow(NamedTuple):
    attempt: int
    progress: bytes | None
    size: int  # bytes said in all
    text: bytes  # the last of them


class OutputStore(Protocol):
    def observe(self, rows: Sequence[Observation], kept_bytes: int) -> None:
        """Add to what is known of attempts; of each one's text the last ``kept_bytes`` are kept."""

    def progress(self, seq: int, attempt: int) -> bytes | None: ...
    def logs(self, seq: int, upto_attempt: int, limit: int) -> list[LogRow]:
        """The latest first. Attempts that said nothing have none."""

    @property
    def log_bytes(self) -> int:
        """Of all texts that are kept."""

    def trim_logs(self, attempts: int) -> None:
        """Forget what the so many oldest attempts said."""
