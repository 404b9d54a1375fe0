"""The ``tq`` command: what a person asks of a cluster from a shell. Each sub-command loads when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import click

from ...common.errors import TqError
from ...common.version import VERSION
from .failing import exit_status

# name: module and attribute; in the order of the help
COMMANDS: Final = {
    "demo": "demo:demo",
    "submit": "submit:submit",
    "result": "submit:result",
    "ls": "tasks:ls",
    "show": "tasks:show",
    "why": "why:why",
    "cancel": "tasks:cancel",
    "retry": "tasks:retry",
    "queues": "queues:queues",
    "pause": "queues:pause",
    "resume": "queues:resume",
    "workers": "workers:workers",
    "drain": "workers:drain",
    "keys": "keys:keys",
}
SUMMARIES: Final = {
    "demo": "Run a real job on a real cluster of this machine.",
    "submit": "Submit a task by name.",
    "result": "Print a task's result, waiting for it.",
    "ls": "List tasks, newest first.",
    "show": "Everything about one task.",
    "why": "Why a task waits, or how it ended.",
    "cancel": "Cancel tasks.",
    "retry": "Make failed tasks ready again.",
    "queues": "List queues.",
    "pause": "Hand out nothing of a queue.",
    "resume": "Let a paused queue go on.",
    "workers": "List workers.",
    "drain": "Have a worker finish and end.",
    "keys": "Make, list and revoke keys.",
}


class LazyGroup(click.Group):
    """Knows its commands by name; imports one when it is called, or its help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(import_module(f".{module}", __name__), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TqError as error:
            click.echo(f"tq: {error}", err=True)
            ctx.exit(exit_status(error))
        except TimeoutError as error:
            click.echo(f"tq: {error}", err=True)
            ctx.exit(exit_status(error))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: tq submit jobs:square 7 --wait",
)
@click.version_option(VERSION, prog_name="tq")
def main() -> None:
    """Submit tasks and see what became of them.

    The master is named by TQ_URL (tq://host:5000) or --url, the key by TQ_AUTHKEY or --authkey-file.

    \b
    Exit status: 0 well; 1 a task or a check failed; 2 the command is wrong;
    3 no master answers; 4 the key is refused or not enough; 5 no such task;
    6 the time is over.
    """
