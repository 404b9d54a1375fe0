"""Loads a working copy again in a thread of its own, for the loop has calls to refuse and connections to keep meanwhile.

::

    reopen ─► begin ─► StoreError until it has ended ─► take: the new copy is the store's, or why there is none; then begin again
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from ....common.errors import StoreError

REPORT_SECONDS: Final = 5.0
END_SECONDS_MAX: Final = 5.0


class GivenUp(StoreError):
    """The master ends, and does not need the copy any more."""


class LoadProgress:
    """Of a load: counted in its thread, said in the log now and then. ``report``: the log."""

    def __init__(self, report: Callable[..., Any]) -> None:
        self._report, self._gives_up = report, threading.Event()
        self._began = self._said = time.monotonic()
        self.rows = 0

    def loaded(self, table: str, rows: int) -> None:
        """So many more. Raises GivenUp."""
        if self._gives_up.is_set():
            raise GivenUp("the master ends")
        self.rows += rows
        now = time.monotonic()
        if now - self._said >= REPORT_SECONDS:
            self._said = now
            self._report("database.loading", rows=self.rows, table=table, seconds=round(now - self._began))

    def ended(self) -> None:
        """Of one that was long enough to be spoken of."""
        if self._said != self._began:
            self._report("database.loaded", rows=self.rows, seconds=round(time.monotonic() - self._began))

    def give_up(self) -> None:
        self._gives_up.set()


class Recovery:
    """Begun by its constructor. ``load`` makes the copy, and raises StoreError."""

    def __init__(self, load: Callable[[LoadProgress], None], report: Callable[..., Any]) -> None:
        self._load, self._progress = load, LoadProgress(report)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="tq-recovery", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    @property
    def text(self) -> str:
        """How far it is."""
        return f"the working copy is loaded again, {self._progress.rows:,} rows so far"

    def take(self) -> None:
        """It is over. Raises what went wrong."""
        if self._error is not None:
            raise self._error

    def give_up(self) -> bool:
        """It is not needed. Whether its thread has ended: one that waits for the network may not."""
        self._progress.give_up()
        self._thread.join(END_SECONDS_MAX)
        return self.is_over

    def _run(self) -> None:
        try:
            self._load(self._progress)
        except Exception as error:  # a bug, too, is raised where it is taken: on the loop
            self._error = error
