"""The output of ``tq dev``: short lines with time and source. Colour on a terminal only. A closed terminal does not stop
the cluster.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.text import Text

from ....common.runtime.cleaning import clean_line
from ....common.runtime.console import CleanConsole
from ....common.runtime.logs import SENTENCES
from ....common.runtime.terminal import prepare

PIPE_COLUMNS: Final = 240
CALL_CHARS_MAX: Final = 44  # of a line of 80: the rest is for what came of it
INDENT: Final = " " * 9
# Outcome of an attempt: sign, style, whether its traceback is of interest.
_OUTCOMES: Final[dict[str, tuple[str, str, bool]]] = {
    "success": ("✓", "green", False),
    "retry": ("↻", "yellow", False),
    "snooze": ("↻", "yellow", False),
    "became": ("→", "green", False),
    "cancelled": ("-", "yellow", False),
}
_FAILED: Final = ("✗", "bold red", True)
_SPEAKERS: Final = {"master": "magenta", "worker": "cyan", "dev": "bold"}
# Events that the task's own line, or another line of tq dev, shows already.
_KNOWN_BETTER: Final = frozenset(
    {"attempt.failed", "log.left_out", "task.timeout", "task.cancelled", "child.died", "master.stopped"}
)


class _SurvivingConsole(CleanConsole):
    """Rich ends the program when its output is closed; the cluster must go on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class DevScreen:
    def __init__(self, folder: str, clock: Any = time.localtime) -> None:
        prepare()
        console = _SurvivingConsole(highlight=False)
        self._console = (
            console if console.is_terminal else _SurvivingConsole(width=PIPE_COLUMNS, highlight=False)
        )
        self._folder, self._clock = folder, clock
        self._has_banner = False
        self._for_below: list[str] = []  # lines that wait for the banner

    def banner(self, title: str, facts: Sequence[tuple[str, str]]) -> None:
        self._print(Text(title, style="bold"))
        for name, text in facts:
            self._print(Text.assemble("  ", (f"{name:8}", "dim"), (text, "bold" if name == "next" else "")))
        self._has_banner = True
        for text in self._for_below:
            self.say("dev", text)
        self._for_below.clear()

    def say_below(self, text: str) -> None:
        """At once, or below the banner when that comes: what has a link in it is looked for there."""
        if self._has_banner:
            self.say("dev", text)
        else:
            self._for_below.append(text)

    def say(self, who: str, text: str, style: str = "") -> None:
        self._print(Text.assemble(*self._head(who), (text, style)))

    def trouble(self, who: str, title: str, text: str) -> None:
        """A line, and below it what there is to read."""
        self.say(who, f"✗ {title}", "bold red")
        self._block(text)

    def printed(self, who: str, line: str) -> None:
        """Output of a task or of a process that it started."""
        with contextlib.suppress(OSError):
            self._console.file.write(f"{INDENT}{clean_line(line)}\n")
            self._console.file.flush()

    def event(self, who: str, record: Mapping[str, Any]) -> None:
        """A record of a program's log; only warnings and errors."""
        action, level = str(record.get("action")), record.get("level")
        if level not in ("warning", "error") or action in _KNOWN_BETTER:
            return
        fields = {name: value for name, value in record.items() if name not in ("time", "level", "action")}
        words = " ".join(f"{name}={value}" for name, value in fields.items())
        self.say(who, f"{SENTENCES.get(action, action)}  {words}", "red" if level == "error" else "yellow")

    def task(self, record: Mapping[str, Any]) -> None:
        """An attempt has ended."""
        sign, style, is_failure = _OUTCOMES.get(record["outcome"], _FAILED)
        call, text = str(record["call"]), " ".join(str(record["text"]).split())
        if len(call) > CALL_CHARS_MAX:
            call = call[: CALL_CHARS_MAX - 1] + "…"
        again = f" (attempt {record['attempt']})" if record["attempt"] > 1 else ""
        head = Text.assemble(*self._head("worker"), (sign, style), f" {_span(record['seconds']):>7}  ")
        rest = Text.assemble(call, (again, "dim"), (" → ", "dim"), (text, "red" if is_failure else ""))
        self._print(head + rest)
        if is_failure:
            self._block(str(record.get("traceback") or record["text"]))

    def more(self, count: int, failed: int) -> None:
        """Attempts that ended besides."""
        failures = f", {failed:,} of them failed" if failed else ""
        self.say("worker", f"… {count:,} more in the last second{failures}", "red" if failed else "dim")

    def _head(self, who: str) -> tuple[tuple[str, str], ...]:
        stamp = time.strftime("%H:%M:%S", self._clock())
        return (f"{stamp} ", "dim"), (f"{who:6} ", _SPEAKERS.get(who, ""))

    def _block(self, text: str) -> None:
        """As it is, but for paths of this directory, which are shown from here."""
        short = text.replace(f'File "{self._folder}{os.sep}', 'File "').rstrip()
        for line in short.splitlines():
            self._print(Text(INDENT + line), whole=True)

    def _print(self, text: Text, *, whole: bool = False) -> None:
        with contextlib.suppress(OSError):
            if whole:
                self._console.print(text, soft_wrap=True)
            else:
                self._console.print(text, no_wrap=True, overflow="ellipsis")


def _span(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1e3:.0f} ms" if seconds >= 0.002 else f"{seconds * 1e6:.0f} µs"
