"""``tq ls``, ``tq cancel``, ``tq retry``, ``tq purge``: commands for tasks named by id, or chosen by a filter."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from ...common.domain.id_text import IdRange, read_id_text
from ...common.domain.ids import show_id
from ...common.domain.model import Role, State
from ...common.errors import InvalidArgument, UnknownTask
from ...common.runtime.terminal import write
from ..app import App
from ..tasks.named import Named, named, task_named
from ..tasks.signals import STEPS, signal_arguments
from . import failing
from .bulk import TASKS, BulkAction, act, newest_tasks, print_tasks, survey
from .grouping import GROUPS, print_count, print_groups, say_of_how_many
from .lines import line_row, newest_lines, print_lines, tasks_of
from .options import connected
from .output import for_eyes, print_json, task_row
from .submit import as_argument
from .where import Filter, choosing, to_filter, with_flow, with_states
from .where_words import FilterTerm

Terms = list[FilterTerm]

WAITING: Final = (State.READY, State.SCHEDULED, State.BLOCKED)
FINISHED: Final = tuple(state for state in State if state.is_terminal)
CANCELLABLE: Final = (*WAITING, State.RUNNING)
REVIVED: Final = (State.FAILED, State.DEAD, State.EXPIRED, State.LOST)  # cancelled ones were meant to end

CANCEL: Final = BulkAction(
    method="cancel_where", ask="cancel", done="cancelled, or their worker was notified"
)
RETRY: Final = BulkAction(method="retry_where", ask="retry", done="ready again")
PURGE: Final = BulkAction(method="purge", ask="delete for good", done="deleted")

_F = TypeVar("_F", bound=Callable[..., Any])


def acting(function: _F) -> _F:
    """The options of commands that act on many tasks."""
    function = click.option("--dry-run", is_flag=True, help="Only count, and show some.")(function)
    return click.option("--yes", is_flag=True, help="Do not ask.")(function)


@click.command(epilog="Example: tq ls --where 'state=failed error~SMTP' --since 2h")
@click.argument("array", required=False, metavar="[ID]")
@choosing
@click.option("--all", "is_opened", is_flag=True, help="Each task of arrays and flows by itself.")
@click.option("--limit", default=30, show_default=True, metavar="N", help="The maximum number.")
@click.option("--count", "only_count", is_flag=True, help="Only how many, by state.")
@click.option(
    "--group",
    type=click.Choice(sorted(GROUPS)),
    metavar="FIELD",
    help="Count by cause, error, name, queue, state.",
)
@connected(Role.VIEWER)
def ls(
    app: App,
    as_json: bool,
    array: str | None,
    terms: Terms,
    is_opened: bool,
    limit: int,
    only_count: bool,
    group: str | None,
) -> None:
    """List arrays, flows and tasks, newest first.

    What was submitted together, as by a map, is an array: one line that counts its tasks by state. So is a flow, whose ID lists its
    arrays and tasks, as a filter does. --all, or the ID of an array, lists tasks.
    """
    if limit < 1:
        raise InvalidArgument(f"--limit {limit}: limit must be a whole number from 1")
    wanted = _wanted(app, terms)
    of = None if array is None else _array_or_flow(app, array, wanted)
    if group is not None:
        print_groups(app, wanted, group, limit, as_json=as_json)
    elif only_count:
        print_count(survey(app, wanted), as_json=as_json)
    elif is_opened or of is not None:
        _list_tasks(app, wanted, limit, of, as_json=as_json)
    else:
        _list_lines(app, wanted, limit, as_json=as_json)


def _array_or_flow(app: App, text: str, wanted: Filter) -> Named | None:
    """Have the filter choose the tasks of an array or of a flow, which is a line of a list as well; the array."""
    said = read_id_text(text)
    try:
        found = named(app.session, text)
    except UnknownTask:
        if (flow := _flow(app, text)) is None:
            raise
    else:
        # A whole id is taken for that of a task without asking.
        is_asked = not said.is_whole or said.start is not None
        is_known = is_asked or bool(newest_tasks(app, {"ids": list(found.ids)}, 1))
        flow = None if is_known else _flow(app, text)
    if flow is not None:
        wanted["flow"] = flow
        return None
    wanted["ids"] = list(found.ids)
    return found


def _flow(app: App, text: str) -> bytes | None:
    try:
        return app.get_flow(text).flow_id
    except InvalidArgument:
        return None


def _list_lines(app: App, wanted: Filter, limit: int, *, as_json: bool) -> None:
    try:
        rows = newest_lines(app, wanted, limit, is_short=for_eyes() and not as_json)
    except InvalidArgument:
        if "flow" not in wanted:
            raise
        # A master of the version before has no lines of a flow; what else is wrong it says once more.
        _list_tasks(app, wanted, limit, None, as_json=as_json)
        return
    if as_json:
        print_json([line_row(row) for row in rows])
        return
    print_lines(rows, empty="no such tasks")
    if len(rows) == limit and sys.stdout.isatty():
        # Only on a terminal: it counts, which a script did not ask for.
        say_of_how_many(app, wanted, sum(map(tasks_of, rows)))


def _list_tasks(app: App, wanted: Filter, limit: int, of: Named | None, *, as_json: bool) -> None:
    tasks = newest_tasks(app, wanted, limit)
    if as_json:
        print_json([task_row(task) for task in tasks])
        return
    print_tasks(tasks, empty="no such tasks", of=of)
    if len(tasks) == limit and sys.stdout.isatty():
        say_of_how_many(app, wanted, limit)


@click.command(epilog="Example: tq cancel --where 'queue=mail state=ready'")
@click.argument("task_ids", nargs=-1, metavar="[ID]...")
@choosing
@acting
@click.option("--tree", is_flag=True, help="And what these tasks have submitted; by id.")
@connected(Role.CLIENT)
def cancel(
    app: App, as_json: bool, task_ids: tuple[str, ...], terms: Terms, yes: bool, dry_run: bool, tree: bool
) -> None:
    """Cancel tasks, by id or by filter. A running task is asked to stop, then killed."""
    meant = _meant(app, task_ids, terms, "cancel")
    if isinstance(meant, list):
        words = {State.RUNNING: "running; its worker was notified to end it"}
        _each(app, as_json, meant, "cancel", words, *((True, True) if tree else ()))
        return
    if tree:
        raise InvalidArgument(
            "--tree cancels what tasks have submitted that are named by their ids; name them"
        )
    wanted = _with_states(app, terms, CANCELLABLE, CANCELLABLE, "cancelled", meant)
    act(app, as_json, CANCEL, wanted, yes=yes, dry_run=dry_run)


@click.command(epilog="Example: tq retry --where 'state=failed error~SMTP since=2h'")
@click.argument("task_ids", nargs=-1, metavar="[ID]...")
@choosing
@acting
@connected(Role.CLIENT)
def retry(app: App, as_json: bool, task_ids: tuple[str, ...], terms: Terms, yes: bool, dry_run: bool) -> None:
    """Make failed, dead, cancelled, expired or lost tasks ready again.

    By id or by filter; cancelled ones only if the filter has state=cancelled.
    """
    meant = _meant(app, task_ids, terms, "retry")
    if isinstance(meant, list):
        _each(app, as_json, meant, "retry", {})
        return
    wanted = _with_states(app, terms, REVIVED, (*REVIVED, State.CANCELLED), "retried", meant)
    act(app, as_json, RETRY, wanted, yes=yes, dry_run=dry_run)


@click.command(epilog="Example: tq purge mail; tq purge --finished --where older=7d")
@click.argument("queue_name", required=False, metavar="[QUEUE]")
@click.option("--finished", is_flag=True, help="Ended tasks instead of waiting ones.")
@choosing
@acting
@connected(Role.ADMIN)
def purge(
    app: App,
    as_json: bool,
    queue_name: str | None,
    finished: bool,
    terms: Terms,
    yes: bool,
    dry_run: bool,
) -> None:
    """Empty a queue: delete its waiting tasks. Running tasks are never touched."""
    if queue_name is not None:
        terms = [*terms, FilterTerm("queue", "=", queue_name)]
    # Without any term it would mean everything: that has to be written.
    if not terms:
        raise InvalidArgument("purge what? name a queue, or choose with --where; --queue '*' means all")
    usual = FINISHED if finished else WAITING
    wanted = _with_states(app, terms, usual, FINISHED if finished else (*WAITING, *FINISHED), "purged")
    act(app, as_json, PURGE, wanted, yes=yes, dry_run=dry_run)


@click.command(epilog="""Example: tq signal 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b approved '{"by": "ops"}'""")
@click.argument("task_id", metavar="ID")
@click.argument("name")
@click.argument("value", required=False, metavar="[JSON]")
@connected(Role.CLIENT)
def signal(app: App, as_json: bool, task_id: str, name: str, value: str | None) -> None:
    """Send a task a signal: what ctx.wait_for in it returns.

    JSON is its value, null if there is none; a bare word is taken as text. A signal that the task does not wait for yet is kept.
    """
    id = task_named(app.session, task_id)
    app.call(STEPS, "signal", *signal_arguments(id, name, None if value is None else as_argument(value)))
    if as_json:
        print_json({"id": show_id(id), "signal": name})
    else:
        write(f"{show_id(id)} has the signal {name}\n")


def _meant(app: App, task_ids: tuple[str, ...], terms: Terms, command: str) -> list[bytes] | IdRange | None:
    """The tasks that are named, or the array of which what fits the filter is meant, or None: all that fits it."""
    if not task_ids and not terms:
        raise InvalidArgument(f"which tasks? tq {command} ID…, or tq {command} --where 'queue=mail'")
    meant = [named(app.session, text) for text in task_ids]
    if any(one.is_array for one in meant):
        if len(meant) > 1:
            raise InvalidArgument(f"one of these is an array; tq {command} takes one array, or tasks")
        return meant[0].ids
    if task_ids and terms:
        raise InvalidArgument("give ids or a filter, not both; only an array can be filtered")
    return [one.ids.first for one in meant] if meant else None


def _wanted(app: App, terms: Terms) -> Filter:
    return with_flow(to_filter(terms, time.time()), lambda text: app.get_flow(text).flow_id)


def _with_states(
    app: App,
    terms: Terms,
    usual: tuple[State, ...],
    possible: tuple[State, ...],
    done: str,
    of: IdRange | None = None,
) -> Filter:
    """The filter with the states a command is for; raises InvalidArgument for others."""
    wanted = with_states(_wanted(app, terms), usual, possible, done)
    if of is not None:
        wanted["ids"] = list(of)
    return wanted


def _each(
    app: App, as_json: bool, ids: list[bytes], method: str, words: dict[State, str], *how: bool
) -> None:
    reached = dict(app.call(TASKS, method, ids, *how))
    states = {id: State.from_number(number) for id, number in reached.items()}
    if as_json:
        print_json({show_id(id): states.get(id, "unknown") for id in ids})
    else:
        for id in ids:
            word = words.get(states[id], states[id]) if id in states else _unknown(app, id, method)
            write(f"{show_id(id)}  {word}\n")
    # As a set: an id that was given twice is answered once.
    if len(reached) < len(set(ids)):
        raise SystemExit(failing.UNKNOWN)


def _unknown(app: App, id: bytes, method: str) -> str:
    """Of an id that no task has."""
    try:
        flow = app.get_flow(show_id(id))
    except (InvalidArgument, UnknownTask):  # there is none either
        return "no such task"
    return f"no task, but the flow {flow.name or 'without a name'}: tq flow {method} {show_id(id)}"
