"""What running attempts have printed, and how much of it the master has. Pure.

::

    output, progress ─► UnsentOutput (one entry an attempt, its last 64 KiB) ─► rows for ``observe``
                          ▲ removed when the attempt's end was acknowledged

An attempt that prints nothing has no entry. The memory of all entries together is bounded; beyond the bound the oldest entry
is dropped: output helps people, but it is not worth the failure of a task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ...common.domain.model import OUTPUT_KEPT_BYTES
from .jobs import Job

KEPT_BYTES_MAX: Final = 64 * 1024 * 1024  # of all attempts whose end is not acknowledged
ROWS_MAX: Final = 500  # in one call, and
CALL_BYTES_MAX: Final = 512 * 1024  # of text: half of what the master takes
LAST_LINES: Final = 20  # in a post-mortem
LAST_LINES_BYTES: Final = 4 * 1024

Key = tuple[bytes, int]


@dataclass(slots=True, eq=False)
class _Entry:
    job: Job
    tail: bytearray = field(default_factory=bytearray)
    size: int = 0  # bytes printed in all
    sent: int = 0  # of these, how many were sent
    progress: list[Any] | None = None
    is_progress_unsent: bool = False


class UnsentOutput:
    """By task id and attempt."""

    def __init__(self) -> None:
        self._entries: dict[Key, _Entry] = {}
        self._unsent: dict[Key, None] = {}  # attempts with something that was not sent yet, the oldest first
        self._bytes = 0

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def __len__(self) -> int:
        return len(self._entries)

    def text(self, job: Job, text: bytes) -> None:
        entry = self._entry(job)
        before = len(entry.tail)
        entry.tail += text[-OUTPUT_KEPT_BYTES:]
        del entry.tail[:-OUTPUT_KEPT_BYTES]
        entry.size += len(text)
        self._bytes += len(entry.tail) - before
        self._unsent[job.key] = None
        while self._bytes > KEPT_BYTES_MAX:
            self._forget(next(iter(self._entries)))

    def progress(self, job: Job, progress: list[Any]) -> None:
        entry = self._entry(job)
        if progress != entry.progress:
            entry.progress, entry.is_progress_unsent = progress, True
            self._unsent[job.key] = None

    def take(self, only: Iterable[Key] | None = None) -> list[list[Any]]:
        """Rows ``[id, attempt, lease, size, text, progress]`` of what was not sent yet, as many as one call carries. They
        count as sent from now on. ``only``: of these attempts."""
        keys = list(self._unsent) if only is None else [key for key in only if key in self._unsent]
        rows: list[list[Any]] = []
        bytes_left = CALL_BYTES_MAX
        for key in keys:
            entry = self._entries[key]
            # More was printed than is kept: the text has a gap, which the master sees by the sizes.
            unsent = min(entry.size - entry.sent, len(entry.tail))
            if len(rows) >= ROWS_MAX or (rows and unsent > bytes_left):
                break
            bytes_left -= unsent
            text = bytes(entry.tail[len(entry.tail) - unsent :])
            progress = entry.progress if entry.is_progress_unsent else None
            rows.append([*entry.job.held, entry.size, text, progress])
            entry.sent, entry.is_progress_unsent = entry.size, False
            del self._unsent[key]
        return rows

    def resend_all(self, of_it: Callable[[bytes], bool] = lambda _: True) -> None:
        """The connection broke, and what has arrived is unknown: all that is kept of these tasks is sent again. The master puts texts
        together by their sizes."""
        for key, entry in self._entries.items():
            if not of_it(entry.job.id):
                continue
            entry.sent, entry.is_progress_unsent = 0, entry.progress is not None
            self._unsent[key] = None

    def forget(self, keys: Iterable[Key]) -> None:
        """Their ends are acknowledged, or their leases are lost."""
        for key in keys:
            if key in self._entries:
                self._forget(key)

    def keep(self, keys: Iterable[Key]) -> None:
        """Forget all but these."""
        self.forget(self._entries.keys() - set(keys))

    def last_lines(self, job: Job) -> str:
        entry = self._entries.get(job.key)
        if entry is None:
            return ""
        text = bytes(entry.tail[-LAST_LINES_BYTES:]).decode("utf-8", "replace")
        return "\n".join(text.rstrip().splitlines()[-LAST_LINES:])

    def _entry(self, job: Job) -> _Entry:
        entry = self._entries.get(job.key)
        if entry is None:
            entry = self._entries[job.key] = _Entry(job)
        return entry

    def _forget(self, key: Key) -> None:
        self._bytes -= len(self._entries.pop(key).tail)
        self._unsent.pop(key, None)
