"""How long a master waits for its database, and what is said meanwhile: once when it goes away, once when it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

ANSWER_SECONDS: Final = 15.0  # for one transaction; then its line is given up and it is sent over another
ANSWER_SECONDS_MAX: Final = 240.0  # a database that is slow, not gone, must get to its end
PAUSE_SECONDS: Final = 0.05  # before the first new attempt
PAUSE_SECONDS_MAX: Final = 2.0


class DatabaseWait:
    """``report``: the log."""

    def __init__(self, where: str, report: Callable[..., Any]) -> None:
        self._where, self._report = where, report
        self._gives_up = threading.Event()
        self._since: float | None = None
        self._pause = PAUSE_SECONDS
        self.answer_seconds = ANSWER_SECONDS
        self.error = ""  # while it is away

    def wait(self, error: str) -> None:
        """It did not answer: a while until it is tried again."""
        if self._since is None:
            self._since = time.monotonic()
            self._report("database.away", level="error", store=self._where, error=error)
        self.error = error
        self._gives_up.wait(self._pause)
        self._pause = min(PAUSE_SECONDS_MAX, 2 * self._pause)
        self.answer_seconds = min(ANSWER_SECONDS_MAX, 2 * self.answer_seconds)

    def answered(self) -> None:
        if self._since is not None:
            seconds, self._since = time.monotonic() - self._since, None
            self._report("database.back", seconds=round(seconds, 1))
            self._pause, self.answer_seconds, self.error = PAUSE_SECONDS, ANSWER_SECONDS, ""

    def give_up(self) -> None:
        """Wait no longer."""
        self._gives_up.set()
