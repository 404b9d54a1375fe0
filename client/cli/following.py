"""The output of a task, as the master keeps it: printed once, or followed until the task ends."""

from __future__ import annotations

import codecs
import sys
import time
from typing import Any, Final

from ...common.domain.model import State
from ...common.runtime.terminal import say, write_exact
from ..app import App
from ..tasks.answers import TASKS
from .output import print_json

POLL_SECONDS: Final = 0.5  # as often as a worker reports output


def print_log(app: App, id: bytes, attempt: int | None, *, as_json: bool) -> None:
    """The output of an attempt; None: of the latest."""
    log = app.call(TASKS, "log", id, attempt)
    if as_json:
        print_json(
            {**log, "text": log["text"].decode("utf-8", "replace"), "state": State.from_number(log["state"])}
        )
    else:
        _Printer().put(log)
        if not log["start"] + len(log["text"]) and sys.stdout.isatty():
            say(f"{_silent(log)}")


def _silent(log: dict[str, Any]) -> str:
    """The message for a person when there is no output."""
    if not log["attempt"]:
        return "it has not been started yet"
    return f"attempt {log['attempt']} has printed nothing"


def follow(app: App, id: bytes) -> None:
    """Print the output of all attempts, present and new, until the task has ended."""
    printer = _Printer()
    while True:
        log = app.call(TASKS, "log", id, None, printer.offset)
        if log["attempt"] != printer.attempt and printer.attempt:
            printer.put(app.call(TASKS, "log", id, printer.attempt, printer.offset))  # its last words
            printer.offset = 0
            say(f"--- attempt {log['attempt']} ---")
            log = app.call(TASKS, "log", id, log["attempt"], 0)
        printer.put(log)
        if State.from_number(log["state"]).is_terminal:
            return
        time.sleep(POLL_SECONDS)


class _Printer:
    """Writes pieces of a log to stdout; a piece may end inside a character."""

    def __init__(self) -> None:
        self.attempt = 0
        self.offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def put(self, log: dict[str, Any]) -> None:
        if log["attempt"] != self.attempt:
            self.attempt = log["attempt"]
            self._decoder.reset()
        if log["start"] > self.offset:
            say(f"… {log['start'] - self.offset:,} earlier bytes are no longer kept …")
        self.offset = log["start"] + len(log["text"])
        text = self._decoder.decode(log["text"])
        write_exact(text)
        sys.stdout.flush()
