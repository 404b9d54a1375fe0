"""Outcomes as text: results for stdout, failures for stderr. Pure.

For each entry a printer returns the bytes for stdout and an error message, or neither. A printer that needs facts beyond
the outcome (worker, duration) sets ``wants_facts``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

from ....common.domain.ids import show_id
from ....common.domain.model import State
from ....common.errors import TqError
from ...tasks.outcomes import SUCCEEDED, UNKNOWN, TaskOutcome
from ..output import plain
from .window import WindowEntry

INPUT_CHARS_MAX: Final = 60  # of an input in a complaint
ERROR_CHARS_MAX: Final = 500
# One for all lines. What it gets has no circles: ``plain`` made it of what was decoded.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False, default=str)


class AttemptFacts(NamedTuple):
    """Of a task's last attempt."""

    worker: str | None
    seconds: float | None


class Printed(NamedTuple):
    out: bytes
    err: bytes
    complaint: str  # one line, empty when all is well

    @property
    def succeeded(self) -> bool:
        return not self.complaint


class Printer(Protocol):
    wants_facts: bool

    def show(self, entry: WindowEntry, facts: Mapping[bytes, AttemptFacts]) -> Printed: ...


class DecodedOutcome(NamedTuple):
    """An outcome, decoded."""

    state: str
    value: Any
    error: str
    detail: Mapping[str, Any]


def ended(entry: WindowEntry) -> DecodedOutcome:
    if entry.error:
        return DecodedOutcome("refused", None, entry.error, {})
    outcome = TaskOutcome(UNKNOWN if entry.state is None else entry.state, entry.body)
    try:
        error = outcome.error(entry.id)
        if error is None:
            return DecodedOutcome(State.SUCCEEDED, outcome.value(entry.id), "", {})
        return DecodedOutcome(State.from_number(outcome.state), None, str(error), error.detail)
    except TqError as unreadable:  # forgotten by the master, or a value that cannot be read here
        state = "unknown" if outcome.state != SUCCEEDED else State.SUCCEEDED
        return DecodedOutcome(state, None, str(unreadable), {})


class FailureLines:
    """One line for each failure. ``kind``: what an item is called, line or argument."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def about(self, entry: WindowEntry, error: str) -> str:
        item = entry.item
        text = item.shown if isinstance(item.shown, str) else json.dumps(plain(item.shown), default=str)
        return f"{self._kind} {item.number} {cut(text, INPUT_CHARS_MAX)!r}: {cut(error, ERROR_CHARS_MAX)}"


class PlainPrinter:
    """A result a line: text as it is, anything else as JSON."""

    wants_facts = False

    def __init__(self, complaints: FailureLines) -> None:
        self._complaints = complaints

    def show(self, entry: WindowEntry, facts: Mapping[bytes, AttemptFacts]) -> Printed:
        end = ended(entry)
        if end.error:
            return Printed(b"", b"", self._complaints.about(entry, end.error))
        if isinstance(end.value, bytes):
            return Printed(end.value + b"\n", b"", "")
        text = end.value if isinstance(end.value, str) else as_json(end.value)
        return Printed(text.encode("utf-8", "backslashreplace") + b"\n", b"", "")


class JsonRowPrinter:
    """One JSON object a line, also for what failed."""

    wants_facts = True

    def __init__(self, complaints: FailureLines) -> None:
        self._complaints = complaints

    def show(self, entry: WindowEntry, facts: Mapping[bytes, AttemptFacts]) -> Printed:
        end = ended(entry)
        row = row_of(entry, end, facts)
        row.update({"error": end.error} if end.error else {"result": end.value})
        complaint = self._complaints.about(entry, end.error) if end.error else ""
        return Printed(as_json(row).encode() + b"\n", b"", complaint)


def row_of(entry: WindowEntry, end: DecodedOutcome, facts: Mapping[bytes, AttemptFacts]) -> dict[str, Any]:
    """What every row begins with."""
    fact = facts.get(entry.id, AttemptFacts(None, None))
    shown = entry.item.shown
    return {
        "number": entry.item.number,
        "input": shown.encode("utf-8", "backslashreplace").decode() if isinstance(shown, str) else shown,
        "id": None if entry.error else show_id(entry.id),
        "state": end.state,
        "seconds": fact.seconds,
        "worker": fact.worker,
    }


def as_json(value: Any) -> str:
    text = _ENCODER.encode(plain(value))
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def cut(text: str, chars_max: int) -> str:
    """One line of it."""
    line = " ".join(text.split())
    return line if len(line) <= chars_max else line[: chars_max - 1] + "…"
