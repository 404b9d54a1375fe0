"""Acting on many tasks: count them, ask for confirmation, then work in portions; Ctrl-C stops between two portions.

::

    survey (select, portion by portion) ─► "retry 1,204 tasks (1,200 failed, 4 dead)?" ─► portions with a bar
                                                                 └ no terminal: --yes, or nothing is done
"""

from __future__ import annotations

import shlex
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import click

from ...common.domain.ids import show_id
from ...common.domain.model import State
from ...common.domain.tags import tags_in_words
from ...common.errors import InvalidArgument, TqError
from ...common.runtime.terminal import ask, console, say, write
from ..app import App
from ..tasks.named import Named
from .failing import FAILED
from .output import ago, count, for_eyes, print_json, print_table
from .where import Filter

TASKS: Final = ("get_tasks",)
SAMPLE: Final = 5
PAGE: Final = 1_000  # tasks in one answer
COUNTED_PORTIONS_MAX: Final = 40  # of 5,000 tasks each, to say of how many a list shows some


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkAction:
    """A bulk action: the master's method and its words for people."""

    method: str
    ask: str  # retry
    done: str  # ready again


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkSelection:
    states: Counter[int]  # by their numbers
    newest: int  # tasks that come later are not meant

    @property
    def tasks(self) -> int:
        return sum(self.states.values())

    def in_words(self) -> str:
        """``1,204 tasks (1,200 failed, 4 dead)``"""
        parts = ", ".join(
            f"{count(tasks)} {State.from_number(number)}" for number, tasks in sorted(self.states.items())
        )
        return f"{count(self.tasks)} {'task' if self.tasks == 1 else 'tasks'} ({parts})"


def survey(app: App, wanted: Filter) -> BulkSelection:
    """Look through all tasks there are, a portion at a time."""
    answer = app.call(TASKS, "select", wanted)
    # The first answer says where to begin: what comes later is not meant by what is asked below.
    newest, states = answer["newest"], Counter(dict(answer["states"]))
    while answer["before"] is not None:
        answer = app.call(TASKS, "select", wanted, 0, answer["before"])
        states.update(dict(answer["states"]))
    return BulkSelection(states=states, newest=newest)


def newest_tasks(app: App, wanted: Filter, limit: int) -> list[dict[str, Any]]:
    """The newest matching tasks, as ``tq ls`` shows them."""
    return list(islice(matching_tasks(app, wanted, limit), limit))


def matching_tasks(app: App, wanted: Filter, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """The matching tasks, newest first, read as they are taken."""
    before: int | None = None
    left = limit
    while True:
        page = PAGE if left is None else min(left, PAGE)
        answer = app.call(TASKS, "select", wanted, page, before)
        yield from answer["rows"]
        before = answer["before"]
        left = None if left is None else left - len(answer["rows"])
        if before is None or left == 0:
            return


def how_many(app: App, wanted: Filter) -> tuple[int, bool]:
    """The number of matching tasks, and whether all were looked through: as many as a person waits for."""
    tasks, before = 0, None
    for _ in range(COUNTED_PORTIONS_MAX):
        answer = app.call(TASKS, "select", wanted, 0, before)
        tasks, before = tasks + sum(number for _, number in answer["states"]), answer["before"]
        if before is None:
            return tasks, True
    return tasks, False


def act(app: App, as_json: bool, verb: BulkAction, wanted: Filter, *, yes: bool, dry_run: bool) -> None:
    """Run a bulk action from survey to result; prints a sentence or a JSON document."""
    found = survey(app, wanted)
    if dry_run or not found.tasks:
        sample = newest_tasks(app, wanted, SAMPLE) if found.tasks else []
        _say_what_would_be(as_json, verb, found, sample)
        return
    if not yes:
        _ask(verb, found)
    done, stopped = 0, False
    try:
        with _stopping() as stop:
            for so_far in _portions(app, verb, wanted, found, stop):
                done = so_far
            stopped = bool(stop)
    # What was done before is done: the person has to know how much.
    except (TqError, TimeoutError):
        say(f"tq: {count(done)} of {count(found.tasks)} are {verb.done}, then:")
        raise
    if as_json:
        print_json({"tasks": done, "matched": found.tasks, "stopped": stopped})
    elif stopped:
        rest = "the rest is as it was; the same command goes on"
        say(f"tq: stopped: {count(done)} of {count(found.tasks)} are {verb.done}, {rest}")
    else:
        write(f"{count(done)} {'task is' if done == 1 else 'tasks are'} {verb.done}\n")
    if stopped:
        raise SystemExit(FAILED)


def _ask(verb: BulkAction, found: BulkSelection) -> None:
    if not sys.stdin.isatty():
        # The whole command, ready to be pasted.
        line = shlex.join(["tq", *sys.argv[1:], "--yes"])
        raise InvalidArgument(
            f"would {verb.ask} {found.in_words()}; this is no terminal, so it cannot ask: write {line}"
        )
    if not ask(f"{verb.ask} {found.in_words()}?"):
        raise click.Abort


def _portions(
    app: App, verb: BulkAction, wanted: Filter, found: BulkSelection, stop: list[int]
) -> Iterator[int]:
    """Perform the action; yields the number done so far. A portion is never interrupted."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    screen = console(stderr=True)
    columns = (TextColumn(verb.ask), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done, before = 0, found.newest
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        bar = progress.add_task("", total=found.tasks)
        while before is not None and not stop:
            answer = app.call(TASKS, verb.method, wanted, before)
            done, before = done + answer["tasks"], answer["before"]
            progress.update(bar, completed=done)
            yield done


def _say_what_would_be(
    as_json: bool, verb: BulkAction, found: BulkSelection, sample: list[dict[str, Any]]
) -> None:
    if as_json:
        ids = [show_id(task["id"]) for task in sample]
        print_json({"tasks": 0, "matched": found.tasks, "sample": ids, "stopped": False})
        return
    if not found.tasks:
        write("no such tasks\n")
        return
    write(f"would {verb.ask} {found.in_words()}, the newest of them:\n\n")
    print_tasks(sample, empty="")


TASK_COLUMNS: Final = ("id", "state", "task", "queue", "#attempt", "#age", "tags", "error")
OPTIONAL: Final = ("tags", "error")  # columns that are there if any row has something in them
SPARE_COLUMNS: Final = ("queue", "#attempt", "#age")  # an id takes half of 80 columns


def print_tasks(tasks: list[dict[str, Any]], empty: str, of: Named | None = None) -> None:
    """A table of tasks; tags and errors have a column if there are any. ``of``: they are of this array, and a screen names them by their
    places."""
    cells = [task_cells(task) for task in tasks]
    if of is not None and of.is_array and for_eyes():
        cells = [(of.name(task["id"]), *line[1:]) for task, line in zip(tasks, cells, strict=True)]
    print_filled(TASK_COLUMNS, tasks, cells, empty)


def print_filled(
    columns: Sequence[str], rows: Sequence[dict[str, Any]], cells: Sequence[Sequence[object]], empty: str
) -> None:
    """A table of tasks, without the optional columns that no row fills."""
    shown = [
        at for at, name in enumerate(columns) if name not in OPTIONAL or any(row.get(name) for row in rows)
    ]
    names = [columns[at] for at in shown]
    spare = SPARE_COLUMNS if "error" in names else SPARE_COLUMNS[:-1]
    print_table(names, [[line[at] for at in shown] for line in cells], empty=empty, spare=spare)


def task_cells(task: dict[str, Any]) -> tuple[object, ...]:
    """A task's row in a table of them."""
    return (
        show_id(task["id"]),
        State.from_number(task["state"]),
        task["name"],
        task["queue"],
        task["attempt"],
        ago(task["created"]),
        tags_in_words(task.get("tags", {})),
        task.get("error") or "",
    )


@contextmanager
def _stopping() -> Iterator[list[int]]:
    """A list that gets an entry at the first Ctrl-C; the second one raises as usual."""
    stop: list[int] = []

    def note(number: int, frame: object) -> None:
        if stop:
            raise KeyboardInterrupt
        stop.append(number)
        say("\ntq: stopping after this portion; Ctrl-C again ends at once")

    before = signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
