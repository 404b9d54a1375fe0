"""Where people look, stderr: complaints, and on a terminal a bar with rate, failures, time left and the slowest item."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ....common.runtime.terminal import console, pass_on, say
from .progress import slowest
from .results import Counts
from .run import InProgress, RunScreen

if TYPE_CHECKING:
    from rich.console import Group

    from ....common.runtime.console import CleanConsole

REFRESH_SECONDS: Final = 0.1


@contextmanager
def screen(label: str) -> Iterator[RunScreen]:
    """A bar if stderr is a terminal and stdout is not: results would run through it."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield Lines()
        return
    from rich.live import Live

    shown = console(stderr=True)
    bar = Bar(shown, label)
    with Live(console=shown, get_renderable=bar.drawn, refresh_per_second=1 / REFRESH_SECONDS):
        try:
            yield bar
        finally:
            bar.end()


class Lines:
    """No terminal: complaints only."""

    is_due = False

    def complain(self, text: str) -> None:
        say(f"tq: {text}")

    def pass_on(self, data: bytes) -> None:
        pass_on(data)

    def show(self, counts: Counts, total: int | None, under_way: InProgress) -> None:
        """There is nothing to draw on."""


class Bar:
    """A bar below the complaints, and below it a line on the item that runs longest, if that said how far it is."""

    def __init__(self, console: CleanConsole, label: str) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[counts]}"),
            TimeRemainingColumn(compact=True),
        )
        self._console, self._progress = console, Progress(*columns, console=console, expand=True)
        self._task = self._progress.add_task(label, total=None, counts="")
        self._slowest = ""
        self._began = time.monotonic()
        self._shown_at = 0.0

    def complain(self, text: str) -> None:
        self._console.print(f"tq: {text}", markup=False, soft_wrap=True)

    def pass_on(self, data: bytes) -> None:
        from rich.text import Text

        text = data.decode("utf-8", "replace")
        self._console.print(Text.from_ansi(text), soft_wrap=True)

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._shown_at >= REFRESH_SECONDS

    def show(self, counts: Counts, total: int | None, under_way: InProgress) -> None:
        now = time.monotonic()
        self._shown_at = now
        self._progress.update(
            self._task,
            completed=worth(counts, under_way),
            total=total,
            counts=described(counts, total, now - self._began),
        )
        self._slowest = slowest(under_way.items)

    def end(self) -> None:
        self._slowest = ""

    def drawn(self) -> Group:
        """Called by the thread that draws."""
        from rich.console import Group
        from rich.text import Text

        line = self._slowest
        below = [Text(line, style="dim", no_wrap=True, overflow="ellipsis")] if line else []
        return Group(self._progress, *below)


def worth(counts: Counts, under_way: InProgress) -> float:
    """How far the bar is: what runs counts by the part that is done, what waits to be shown as a whole."""
    return counts.done + counts.failed + under_way.ended + sum(item.share for item in under_way.items)


def described(counts: Counts, total: int | None, seconds: float) -> str:
    """``1,204/5,000  37/s  2 failed``"""
    ended = counts.done + counts.failed
    rate = (ended - counts.before) / seconds if seconds > 0 else 0.0
    per_second = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
    failed = f"  {counts.failed:,} failed" if counts.failed else ""
    return f"{ended:,}{'' if total is None else f'/{total:,}'}  {per_second}{failed}"
