"""Warns when no item ends for a while: asks the master once for the reason, without waiting for the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ....common.errors import TqError
from ...tasks.stalls import STUCK_SECONDS, complaint
from .window import Window

Ask = Callable[[bytes], "Future[Any]"]


class StallWarning:
    """``ask``: starts a call for everything about one task."""

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._since: float | None = None  # the time since when items are unfinished
        self._question: Future[Any] | None = None
        self._is_over = False

    def item_ended(self) -> None:
        """An item has ended, so workers run them: no warning is needed."""
        self._is_over = True

    def look(self, window: Window) -> str:
        """The warning, once; empty if there is none, or none yet."""
        if self._is_over:
            return ""
        if self._question is not None:
            return self._receive(self._question) if self._question.done() else ""
        oldest = window.oldest_open(1)
        if not oldest:
            self._since = None
        elif self._since is None:
            self._since = self._clock()
        elif self._clock() - self._since >= STUCK_SECONDS:
            try:
                self._question = self._ask(oldest[0])
            except TqError:
                self._is_over = True  # the run itself gets the same error
        return ""

    def _receive(self, question: Future[Any]) -> str:
        self._is_over = True
        failed = question.cancelled() or question.exception() is not None
        return "" if failed else complaint(question.result())
