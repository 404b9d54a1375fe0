"""``tq exec``: a program over items, on workers that allow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import click

from ....common.domain.model import Role
from ....common.domain.naming import SHELL_TASKS
from ....common.errors import InvalidArgument
from ...app import App
from ...tasks.options import choose
from ..options import connected
from ..task_options import given_options
from .command import FanoutCommand, MapJob, item_word, run_job, shared_options
from .items import Item, Texts
from .printing import AttemptFacts, DecodedOutcome, FailureLines, Printed, as_json, ended, row_of
from .template import Template
from .window import WindowEntry

TASK: Final = f"{SHELL_TASKS}:run"


class CommandPrinter:
    """Prints the output of each command as a whole, to stdout or stderr as written. ``tag``: begin its lines with the item."""

    wants_facts = False

    def __init__(self, complaints: FailureLines, *, tag: bool) -> None:
        self._complaints, self._tag = complaints, tag

    def show(self, entry: WindowEntry, facts: Mapping[bytes, AttemptFacts]) -> Printed:
        end = ended(entry)
        result = result_of(end)
        complaint = self._complaints.about(entry, said(end)) if end.error else ""
        return Printed(
            self._tagged(entry, result.get("stdout", b"")),
            self._tagged(entry, result.get("stderr", b"")),
            complaint,
        )

    def _tagged(self, entry: WindowEntry, data: bytes) -> bytes:
        if not self._tag or not data:
            return data
        tag = entry.item.raw + b"\t"
        return b"".join(tag + line for line in data.splitlines(keepends=True))


class CommandRowPrinter:
    """One JSON object a command."""

    wants_facts = True

    def __init__(self, complaints: FailureLines) -> None:
        self._complaints = complaints

    def show(self, entry: WindowEntry, facts: Mapping[bytes, AttemptFacts]) -> Printed:
        end = ended(entry)
        result = result_of(end)
        row = row_of(entry, end, facts) | {
            "exit_code": result.get("exit_code"),
            "stdout": result.get("stdout", b"").decode("utf-8", "replace"),
            "stderr": result.get("stderr", b"").decode("utf-8", "replace"),
        }
        if end.error:
            row["error"] = said(end)
        complaint = self._complaints.about(entry, said(end)) if end.error else ""
        return Printed(as_json(row).encode() + b"\n", b"", complaint)


def result_of(end: DecodedOutcome) -> Mapping[str, Any]:
    """The output of a command, also of a failed one; empty for one that did not run to its end."""
    # A command that failed has its output in the failure's detail.
    given = end.detail if end.error else end.value
    return given if isinstance(given, dict) and "exit_code" in given else {}


def said(end: DecodedOutcome) -> str:
    """A command's failure without the name of our own exception."""
    return end.error.removeprefix(f"{SHELL_TASKS}.CommandFailed: ")


@click.command(
    "exec",
    cls=FanoutCommand,
    # Options behind the command are the command's own.
    context_settings={"allow_interspersed_args": False},
    epilog="Example: tq exec 'convert {} {.}.png' ::: *.svg",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
@click.option("--keep-order", "-k", is_flag=True, help="Print in order of input, not as they end.")
@click.option("--tag", is_flag=True, help="Begin every line of output with its item.")
@click.option("--shell", is_flag=True, help="COMMAND is a line for /bin/sh; items are its parameters.")
@click.option("--cwd", metavar="DIR", help="Where to run; see also --env.  [the worker's]")
@click.option(
    "--env", "variables", multiple=True, metavar="NAME=VALUE", hidden=True, help="A variable; repeatable."
)
@shared_options
@connected(Role.CLIENT)
def exec_commands(
    app: App,
    as_json: bool,
    command: tuple[str, ...],
    keep_order: bool,
    tag: bool,
    shell: bool,
    cwd: str | None,
    variables: tuple[str, ...],
    null: bool,
    queue: str | None,
    priority: int | None,
    retries: int | None,
    timeout: float | None,
    needs: tuple[str, ...],
    where: str | None,
    tenant: str | None,
    limits: tuple[str, ...],
    deadline: str | None,
    **ending: Any,
) -> None:
    """Run a program for every item of input, on workers with --allow-shell.

    \b
    Items: `::: ITEM...`, `:::: FILE...` or lines of stdin. {} is the item,
    {.} without extension, {/} name, {//} folder, {/.} stem, {#} number.
    """
    template = Template(command, for_shell=shell)
    options: dict[str, Any] = {}
    if cwd is not None:
        options["cwd"] = cwd
    if variables:
        options["env"] = _environment(variables)
    given: dict[str, Any] = {"queue": queue, "priority": priority, "retries": retries, "timeout": timeout}
    given |= given_options(needs=needs, where=where, tenant=tenant, limits=limits, deadline=deadline)
    choice = choose({name: value for name, value in given.items() if value is not None})
    form = Texts(b"\0" if null else b"\n", bytes_allowed=True)
    complaints = FailureLines(item_word())

    def call_of(item: Item) -> Item:
        return replace(item, args=(template.fill(item.args[0], item.number),), kwargs=options)

    job = MapJob(
        command="exec",
        task=TASK,
        choice=choice,
        form=form,
        printer=CommandRowPrinter(complaints) if as_json else CommandPrinter(complaints, tag=tag),
        ordered=keep_order,
        what={"task": TASK, "queue": choice.queue, "input": form.name, "command": template.text, **options},
        call_of=call_of,
    )
    run_job(app, job, **ending)


def _environment(variables: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for variable in variables:
        name, equals, value = variable.partition("=")
        if not equals or not name:
            raise InvalidArgument(f"--env {variable!r:.80}: write --env NAME=VALUE")
        found[name] = value
    return found
