"""Where people look, stderr: complaints, and on a terminal a bar with rate, failures and time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from .run import Counts, Screen

if TYPE_CHECKING:
    from rich.progress import Progress

REFRESH_SECONDS: Final = 0.1


@contextmanager
def screen(label: str) -> Iterator[Screen]:
    """A bar if stderr is a terminal and stdout is not: results would run through it."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(compact=True),
    )
    console = Console(stderr=True, highlight=False)
    with Progress(*columns, console=console, refresh_per_second=1 / REFRESH_SECONDS, expand=True) as progress:
        yield Bar(progress, label)


class Lines:
    """No terminal: complaints only."""

    def complain(self, text: str) -> None:
        sys.stderr.write(f"tq: {text}\n")
        sys.stderr.flush()

    def pass_on(self, data: bytes) -> None:
        sys.stderr.flush()
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()

    def show(self, counts: Counts, total: int | None, *, last: bool) -> None:
        """There is nothing to draw on."""


class Bar:
    """A bar below the complaints."""

    def __init__(self, progress: Progress, label: str) -> None:
        self._progress = progress
        self._task = progress.add_task(label, total=None, counts="")
        self._began = time.monotonic()
        self._shown_at = 0.0

    def complain(self, text: str) -> None:
        self._progress.console.print(f"tq: {text}", markup=False, soft_wrap=True)

    def pass_on(self, data: bytes) -> None:
        from rich.text import Text

        text = data.decode("utf-8", "replace")
        self._progress.console.print(Text.from_ansi(text), soft_wrap=True)

    def show(self, counts: Counts, total: int | None, *, last: bool) -> None:
        now = time.monotonic()
        if now - self._shown_at < REFRESH_SECONDS and not last:
            return
        self._shown_at = now
        self._progress.update(
            self._task,
            completed=counts.done + counts.failed,
            total=total,
            counts=described(counts, total, now - self._began),
        )


def described(counts: Counts, total: int | None, seconds: float) -> str:
    """``1,204/5,000  37/s  2 failed``"""
    ended = counts.done + counts.failed
    rate = (ended - counts.before) / seconds if seconds > 0 else 0.0
    per_second = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
    failed = f"  {counts.failed:,} failed" if counts.failed else ""
    return f"{ended:,}{'' if total is None else f'/{total:,}'}  {per_second}{failed}"
