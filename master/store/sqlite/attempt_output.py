"""The embedded store's verbs for what attempts print and their progress: see ``interface.attempt_output.OutputStore``."""

from __future__ import annotations

from collections.abc import Sequence

from ..interface.attempt_output import LogRow, Observation
from .executor import StatementExecutor


class SqliteOutput(StatementExecutor):
    def observe(self, rows: Sequence[Observation], kept_bytes: int) -> None:
        self._many("observe", [{**row._asdict(), "kept": kept_bytes} for row in rows])

    def progress(self, seq: int, attempt: int) -> bytes | None:
        rows = self._all("progress", (seq, attempt))
        return rows[0][0] if rows else None

    def logs(self, seq: int, upto_attempt: int, limit: int) -> list[LogRow]:
        return [LogRow(*row) for row in self._all("logs", (seq, upto_attempt, limit))]

    @property
    def log_bytes(self) -> int:
        return self._value("log_bytes") or 0

    def trim_logs(self, attempts: int) -> None:
        self._all("trim_logs", (attempts,))
