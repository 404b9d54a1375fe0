"""The progress of running items, for the bar: polled from the master now and then, without waiting for answers.

Only items that report ``ctx.progress`` have any. A failed or missing answer costs the bar one line and does not affect the
run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Final, NamedTuple

from ....common.errors import TqError, Unreachable
from ....common.runtime.cleaning import clean_line
from .window import Window

ASK_SECONDS: Final = 1.5
ASKED_ITEMS_MAX: Final = 200  # the oldest: what runs longest is among them

Ask = Callable[[list[bytes]], "Future[Any]"]

log = logging.getLogger("tq.client")


class ItemProgress(NamedTuple):
    """The progress that a running item reported. ``started``: start of its attempt, in Unix seconds."""

    number: int
    started: float
    done: float
    total: float | None
    note: str

    @property
    def share(self) -> float:
        """The part of it that is done; of unknown parts, none."""
        return min(1.0, max(0.0, self.done / self.total)) if self.total and self.total > 0 else 0.0


class ProgressPoller:
    """Has one call under way at a time, at most every ``ASK_SECONDS``."""

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._question: Future[Any] | None = None
        self._due = clock() + ASK_SECONDS  # a short run is not asked about
        self._rows: list[Any] = []

    def look(self, window: Window) -> list[ItemProgress]:
        """What is known of the items that have not ended; asks for more when it is time."""
        if self._question is not None and self._question.done():
            self._receive(self._question)
        if self._question is None and self._clock() >= self._due:
            self._due = self._clock() + ASK_SECONDS
            self._question = self._start(window.oldest_open(ASKED_ITEMS_MAX))
        return item_progress(self._rows, window)

    def _start(self, ids: list[bytes]) -> Future[Any] | None:
        if not ids:
            return None
        try:
            return self._ask(ids)
        except TqError as error:
            self._note(error)
            return None

    def _receive(self, question: Future[Any]) -> None:
        self._question, self._rows = None, []
        error = None if question.cancelled() else question.exception()
        if error is not None:
            self._note(error)
        elif not question.cancelled() and isinstance(rows := question.result(), (list, tuple)):
            self._rows = list(rows)

    def _note(self, error: BaseException) -> None:
        log.debug("the bar does not know how far the items are: %s", error)
        if not isinstance(error, Unreachable):
            self._due = float("inf")  # refused once, refused always: by an older master, say


def item_progress(rows: Iterable[Any], window: Window) -> list[ItemProgress]:
    """The rows of an answer, ``[id, started, done, total or None, note]``, that are of open items."""
    found: list[ItemProgress] = []
    for row in rows:
        match row:
            case [
                bytes(id),
                int() | float() as started,
                int() | float() as done,
                int() | float() | None as total,
                str(note),
            ] if (entry := window.find(id)) is not None:
                found.append(ItemProgress(entry.item.number, started, done, total, note))
    return found


def slowest(items: Sequence[ItemProgress]) -> str:
    """The item that runs longest, in a line: ``item 17: 3/10 resizing``; empty when there is none."""
    if not items:
        return ""
    item = min(items, key=lambda one: (one.started, one.number))
    total = "" if item.total is None else f"/{_count(item.total)}"
    note = clean_line(" ".join(item.note.split()))
    return f"item {item.number:,}: {_count(item.done)}{total} {note}".rstrip()


def _count(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:,.10g}"
