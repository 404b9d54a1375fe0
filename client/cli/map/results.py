"""Prints the results of ended items as far as stdout takes them, counts them, and records them in the journal.

A line enters the journal only after its result is written: otherwise a crash in between would lose the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from .journal import Journal, item_digest
from .output import WAITING_BYTES_MAX, Output
from .printing import AttemptFacts, Printed, Printer
from .window import Window, WindowEntry

TURN_ITEMS: Final = 1_000  # printed at a time: bounds the bytes in memory that wait for stdout


@dataclass(slots=True)
class Counts:
    """The results of the lines. ``before``: finished by earlier runs; the other numbers include them."""

    done: int = 0
    failed: int = 0
    before: int = 0
    cancelled: int = 0
    left: int = 0


class MessageScreen(Protocol):
    """The output for people."""

    def complain(self, text: str) -> None: ...
    def pass_on(self, data: bytes) -> None:
        """What a command wrote to its stderr."""


class ResultWriter:
    """``facts_of``: asks the master for facts on the last attempts of tasks, if the printer wants them. ``max_failures``:
    of this run; at this number nothing more is printed."""

    def __init__(
        self,
        output: Output,
        printer: Printer,
        journal: Journal | None,
        counts: Counts,
        *,
        facts_of: Callable[[Sequence[bytes]], dict[bytes, AttemptFacts]],
        max_failures: int | None,
    ) -> None:
        self._output, self._printer, self._journal, self._counts = output, printer, journal, counts
        self._facts_of, self._max_failures = facts_of, max_failures
        self._failures = 0  # in this run

    @property
    def has_too_many_failures(self) -> bool:
        return self._max_failures is not None and self._failures >= self._max_failures

    def write(self, window: Window, screen: MessageScreen) -> None:
        """Print all that is ready, as far as stdout takes it. Raises BrokenPipeError when stdout is closed."""
        while True:
            room = self._output.waiting_bytes < WAITING_BYTES_MAX
            entries = window.take(TURN_ITEMS) if room and not self.has_too_many_failures else []
            facts = self._facts(entries)
            for entry in entries:
                if not self.has_too_many_failures:
                    self._put(entry, self._printer.show(entry, facts), screen)
            # Only now: ``write`` returns the records whose bytes stdout has taken completely.
            records = self._output.write()
            if self._journal is not None and records:
                self._journal.append(records)
            if not entries:
                break

    def _facts(self, entries: list[WindowEntry]) -> dict[bytes, AttemptFacts]:
        if not entries or not self._printer.wants_facts:
            return {}
        return self._facts_of([entry.id for entry in entries if not entry.error])

    def _put(self, entry: WindowEntry, printed: Printed, screen: MessageScreen) -> None:
        if printed.succeeded:
            self._counts.done += 1
        else:
            self._counts.failed += 1
            self._failures += 1
        item = entry.item
        self._output.put(printed.out, item.number, item_digest(item.raw), printed.succeeded)
        if printed.err:
            screen.pass_on(printed.err)
        if printed.complaint:
            screen.complain(printed.complaint)
