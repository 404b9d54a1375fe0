"""The ``tq`` command: a cluster from the shell. Each sub-command is imported when it is used."""

from __future__ import annotations

from typing import Final

import click

from ...common.version import VERSION
from .group import LazyGroup, Section

# Each command: its name, its place (module:attribute) and a summary of at most 26 characters, because the help shows two
# sections side by side on one screen: tests/client/cli/test_help.py
SECTIONS: Final[dict[str, Section]] = {
    "Work": {
        "submit": ("submit:submit", "Submit a task by name"),
        "result": ("submit:result", "Wait for a result, print it"),
        "map": ("map.map:map_lines", "A function over many lines"),
        "exec": ("map.exec:exec_commands", "A program over many items"),
        "mail": ("mail.command:mail", "Mail to a CSV of people"),
        "flow": ("flows:flow", "Tasks that are one thing"),
        "data": ("data:data", "Named dicts, lists, values"),
        "schedule": ("schedules:schedule", "Tasks at certain times"),
    },
    "Look": {
        "ls": ("tasks:ls", "List tasks, newest first"),
        "show": ("show:show", "Everything about one task"),
        "why": ("why:why", "Why it waits, how it ended"),
        "queues": ("queues:queues", "List, bound, delete queues"),
        "limits": ("limits:limits", "Limits of tasks; set them"),
        "locks": ("locks:locks", "Who holds a lock; free it"),
        "workers": ("workers:workers", "List workers"),
        "masters": ("masters:masters", "List masters, who serves"),
        "top": ("top.command:top", "The cluster, live"),
    },
    "Act": {
        "cancel": ("tasks:cancel", "Cancel tasks"),
        "retry": ("tasks:retry", "Run failed tasks again"),
        "signal": ("tasks:signal", "Send what a task waits for"),
        "purge": ("tasks:purge", "Delete waiting/ended tasks"),
        "pause": ("queues:pause", "Pause a queue"),
        "resume": ("queues:resume", "Resume a paused queue"),
        "strike": ("strikes:strike", "Hold tasks back for a time"),
        "drain": ("workers:drain", "Finish and end a worker"),
        "audit": ("audit:audit", "Who changed what"),
    },
    "Set up": {
        "init": ("init:init", "An example project"),
        "dev": ("dev:dev", "Run all here, reload code"),
        "demo": ("demo:demo", "See a cluster survive"),
        "tenants": ("tenants:tenants", "Whose tasks; weights, caps"),
        "outbox": ("outbox.command:outbox", "Tasks of your transactions"),
        "web": ("..web.command:web", "The cluster in a browser"),
        "keys": ("keys:keys", "Make, list, revoke keys"),
        "doctor": ("doctor.command:doctor", "What is wrong, what to do"),
        "help": ("help:show_help", "What an error means"),
    },
}


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    subcommand_metavar="COMMAND …",
    options_metavar="[--version] [-h]",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit statuses: tq help exit-statuses.  Example: tq submit jobs:square 7",
)
@click.version_option(VERSION, prog_name="tq")
def main() -> None:
    """Commands take --url, --authkey-file; else TQ_URL, TQ_AUTHKEY, a tq dev here."""
