"""The command line of a program with many settings: all of them are options, its help is one screen, and a word before the rest
means something else than to start it: ``check`` to look at everything.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final, NoReturn

import click

from .checkup import ERROR, INDENT_COLUMNS, OK, WARNING, Checkup, Finding
from .terminal import prepare, write_line

WORD: Final = "tq.word"  # where click keeps it
CHECK: Final = "check"  # as the first word; a module of that name is named ./check.py


class OneScreen(click.Command):
    """``settings``: the record of them. Those that no option was written for get one that the help does not list;
    the sample configuration file explains them. ``words``: those that may stand before the rest."""

    def __init__(self, *args: Any, settings: Any, words: Sequence[str] = (CHECK,), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._words = words
        known = {one.name for one in self.params}
        self._rare = {one.name for one in fields(settings)} - known
        self.params += [
            click.Option([f"--{one.name.replace('_', '-')}"], hidden=True, help="See configs/*.toml.")
            for one in fields(settings)
            if one.name not in known
        ]

    def main(self, *args: Any, **kwargs: Any) -> Any:
        prepare()
        return super().main(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        word = args[0] if args and args[0] in self._words else ""
        ctx.meta[WORD] = word
        return super().parse_args(ctx, args[1:] if word else args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        rare = next(one.opts[0] for one in self.params if one.name in self._rare)
        file = f"configs/{ctx.command_path.removeprefix('tq-')}.toml"
        formatter.write(f"\n  Every setting of {file} is an option: {rare} …\n")


def first_word() -> str:
    """The word that the program was started with, before the rest; empty: none."""
    return str(click.get_current_context().meta[WORD])


def flags() -> dict[str, str]:
    """How each option of the program is written, by the name of its setting."""
    return {str(one.name): one.opts[0] for one in click.get_current_context().command.params}


def print_finding(one: Finding) -> None:
    colour = {OK: "green", WARNING: "yellow", ERROR: "red"}[one.level]
    line = str(one)
    if sys.stdout.isatty():  # wrapped under its own beginning, for people
        width, indent = shutil.get_terminal_size().columns, " " * INDENT_COLUMNS
        parts = [textwrap.fill(part, width, subsequent_indent=indent) for part in line.splitlines()]
        line = "\n".join(parts)
    write_line(line, level=one.level, colour=colour)


def show(found: Checkup) -> NoReturn:
    """Print what a checkup found and end: 0 when the program would start, 2 when not."""
    for one in found.findings:
        print_finding(one)
    sys.exit(2 if found.failed else 0)
