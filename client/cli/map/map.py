"""``tq map``: a function over lines."""

from __future__ import annotations

from typing import Any

import click

from ....common.domain.model import Role
from ....common.errors import InvalidArgument
from ...app import App
from ...tasks.options import choose
from ..options import connected
from ..task_options import given_options
from .command import FanoutCommand, MapJob, item_word, run_job, shared_options
from .items import CsvRows, InputFormat, JsonLines, Texts
from .printing import FailureLines, JsonRowPrinter, PlainPrinter


@click.command(
    "map", cls=FanoutCommand, epilog="Example: tq map jobs:thumb --retries 2 < urls.txt > thumbs.txt"
)
@click.argument("task", metavar="MODULE:FUNCTION")
@click.option("--csv", "is_csv", is_flag=True, hidden=True, help="A header, then rows of keywords.")
@click.option("--as-dict", is_flag=True, hidden=True, help="With --csv: one dict a row.")
@click.option("--jsonl", is_flag=True, hidden=True, help="A JSON value a line.")
@click.option("--star", is_flag=True, hidden=True, help="With --jsonl: spread the value.")
@click.option("--tag", "tags", multiple=True, hidden=True, metavar="NAME=TEXT", help="A tag of all tasks.")
@click.option("--unordered", is_flag=True, help="Print results as they come, not in order of input.")
@shared_options
@connected(Role.CLIENT)
def map_lines(
    app: App,
    as_json: bool,
    task: str,
    is_csv: bool,
    as_dict: bool,
    jsonl: bool,
    star: bool,
    null: bool,
    unordered: bool,
    queue: str | None,
    priority: int | None,
    retries: int | None,
    timeout: float | None,
    needs: tuple[str, ...],
    where: str | None,
    tenant: str | None,
    limits: tuple[str, ...],
    deadline: str | None,
    tags: tuple[str, ...],
    **ending: Any,
) -> None:
    """Call a function for every line of input; print every result on a line.

    \b
    Input: stdin, `:::: FILE...` or `::: ITEM...`; each line is the argument.
    --null: items end with \\0. --csv: rows are keywords (--as-dict: one dict).
    --jsonl: a line is a JSON value (--star: [arguments] or {keywords}).
    --limit, --tenant, --deadline, --needs, --where, --tag: as of tq submit.
    """
    form = form_of(is_csv=is_csv, as_dict=as_dict, jsonl=jsonl, star=star, null=null)
    given: dict[str, Any] = {"queue": queue, "priority": priority, "retries": retries, "timeout": timeout}
    given |= given_options(
        needs=needs, where=where, tenant=tenant, limits=limits, tags=tags, deadline=deadline
    )
    choice = choose({name: value for name, value in given.items() if value is not None})
    app.named(task)  # is it a name?
    complaints = FailureLines(item_word())
    job = MapJob(
        command="map",
        task=task,
        choice=choice,
        form=form,
        printer=JsonRowPrinter(complaints) if as_json else PlainPrinter(complaints),
        ordered=not unordered,
        what={"task": task, "queue": choice.queue, "input": form.name},
        call_of=lambda item: item,
    )
    run_job(app, job, **ending)


def form_of(*, is_csv: bool, as_dict: bool, jsonl: bool, star: bool, null: bool) -> InputFormat:
    if is_csv + jsonl + null > 1:
        raise InvalidArgument("--csv, --jsonl and --null exclude each other")
    if as_dict and not is_csv:
        raise InvalidArgument("--as-dict needs --csv")
    if star and not jsonl:
        raise InvalidArgument("--star needs --jsonl")
    if is_csv:
        return CsvRows(as_dict=as_dict)
    if jsonl:
        return JsonLines(star=star)
    return Texts(b"\0" if null else b"\n")
