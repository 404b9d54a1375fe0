"""What the demo shows: bars on a terminal, lines in a pipe, nothing when a program reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ....common.runtime.console import CleanConsole


class Bars(Protocol):
    def show(self, name: str, done: int, total: int) -> None: ...


class DemoScreen:
    def __init__(self, *, quiet: bool) -> None:
        self._console = CleanConsole(quiet=quiet, highlight=False, soft_wrap=True, markup=False)

    def say(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style))

    @contextmanager
    def bars(self, jobs: dict[str, int]) -> Iterator[Bars]:
        """One bar a job while the context lasts; in a pipe one line for every quarter."""
        if not self._console.is_terminal:
            yield _Lines(self)
            return
        columns = (
            TextColumn("{task.description:8}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            ids = {name: progress.add_task(name, total=total) for name, total in jobs.items()}

            class Moving:
                def show(self, name: str, done: int, total: int) -> None:
                    progress.update(ids[name], completed=done)

            yield Moving()

    def table(self, title: str, rows: list[tuple[str, str]]) -> None:
        table = Table("", title, box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for what, value in rows:
            table.add_row(what, value)
        self._console.print()
        self._console.print(table)

    def verdict(self, holds: bool, text: str) -> None:
        self._console.print(Text(f"\n{text}", style="bold green" if holds else "bold red"))


class _Lines:
    """Progress for a pipe."""

    def __init__(self, screen: DemoScreen) -> None:
        self._screen = screen
        self._shown: dict[str, int] = {}

    def show(self, name: str, done: int, total: int) -> None:
        quarter = 4 * done // total if total else 4
        if quarter > self._shown.get(name, 0):
            self._shown[name] = quarter
            self._screen.say(f"{name:8} {done:>5} of {total}")
