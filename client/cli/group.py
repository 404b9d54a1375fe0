"""A command group that imports each command when it is used, suggests the nearest name for a misspelt one, and shows its
help on one screen, with sections side by side."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from itertools import zip_longest
from typing import Any, Final

import click

from ...common.errors import TqError, see
from ...common.runtime.guessing import nearest
from ...common.runtime.terminal import prepare, say
from .failing import INTERRUPTED, exit_status

# name: where it is, and what it does in the words of the group's help
Section = Mapping[str, tuple[str, str]]
_Titled = tuple[str, Section]

AFTER_THE_COMMAND: Final = ("--url", "--authkey-file", "--json")  # options of (nearly) every command
LEFT_COLUMNS: Final = 39  # of 80, for the left one of two sections


class GuessingGroup(click.Group):
    """Suggests the nearest command for an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        known = self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            near = nearest(name, known)
            hint = f"did you mean {near[0]}?" if near else f"{ctx.command_path} --help lists them"
            raise click.UsageError(f"there is no command {name!r:.40}; {hint}", ctx)
        return super().resolve_command(ctx, args)


class ListingGroup(GuessingGroup):
    """Runs ``list`` when no sub-command is given: ``tq queues --json`` is ``tq queues list --json``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


class LazyGroup(GuessingGroup):
    """Knows its commands by name; imports one when it is called or its help is shown."""

    def __init__(self, *args: Any, sections: Mapping[str, Section], **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.sections = sections
        self._places = {name: place for part in sections.values() for name, (place, _) in part.items()}

    def main(self, *args: Any, **kwargs: Any) -> Any:
        prepare()
        return super().main(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The help of all commands names these two, and here is where people put them first."""
        given = args[0].partition("=")[0] if args else ""
        if given in AFTER_THE_COMMAND:
            raise click.UsageError(f"{given} stands behind the command, as in: tq ls {given} …", ctx)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(import_module(f".{module}", __package__), attribute)
        return command

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Right below the usage: the screen is small."""
        formatter.write(f"  {self.help}\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Only the commands: the two options are in the usage line already, and the screen is small."""
        sections = list(self.sections.items())
        lefts, rights = sections[::2], sections[1::2]
        for left, right in zip_longest(lefts, rights):
            for one, other in zip_longest(_lines(left, lefts), _lines(right, rights), fillvalue=""):
                formatter.write(f"{one:{LEFT_COLUMNS}} {other}".rstrip() + "\n")

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (TqError, TimeoutError) as error:
            say(f"tq: {error}\ntq: {see(type(error))}")
            ctx.exit(exit_status(error))
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


def _lines(section: _Titled | None, column: list[_Titled]) -> list[str]:
    """A section; its names are padded to the width of the sections above and below."""
    if section is None:
        return []
    title, commands = section
    width = max(len(name) for _, part in column for name in part)
    return [f"{title}:", *(f"  {name:{width}}  {summary}" for name, (_, summary) in commands.items())]
