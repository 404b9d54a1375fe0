"""``tq ls --count`` and ``--group``: how many tasks there are, by state, error, name or queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from ...common.domain.model import State
from ...common.errors import InvalidArgument
from ...common.runtime.terminal import say, write
from ..app import App
from .bulk import BulkSelection, how_many, matching_tasks, survey
from .causes import causes, print_causes
from .lines import all_lines, tasks_of
from .output import count, print_json, print_table
from .where import Filter

FAILED: Final = (State.FAILED, State.DEAD, State.LOST)
GROUPS: Final = ("cause", "error", "name", "queue", "state")


def print_count(found: BulkSelection, *, as_json: bool) -> None:
    if as_json:
        states = {State.from_number(number): tasks for number, tasks in sorted(found.states.items())}
        print_json({"tasks": found.tasks, "states": states})
    else:
        write((found.in_words() if found.tasks else "no such tasks") + "\n")


def print_groups(app: App, wanted: Filter, group: str, limit: int, *, as_json: bool) -> None:
    """The largest groups first, at most ``limit``. By error: of tasks that failed, unless the filter has states."""
    if group == "cause":
        if wanted:
            raise InvalidArgument(
                "--group cause is counted by the master as tasks fail, whatever a filter chooses; leave the filter out, or take --group error"
            )
        print_causes(causes(app)[:limit], as_json=as_json)
        return
    if group == "error":
        wanted = {"states": [int(state.number) for state in FAILED], **wanted}
    groups: Counter[str] = Counter()
    latest: dict[str, str] = {}
    for name, task, tasks in _errors(app, wanted) if group == "error" else _counted(app, wanted, group):
        groups[name] += tasks
        latest.setdefault(name, task)  # newest first
    if as_json:
        print_json([{group: name, "tasks": tasks} for name, tasks in groups.most_common(limit)])
        return
    rows = [(count(tasks), latest[name], name) for name, tasks in groups.most_common(limit)]
    if group in ("name", "queue", "state"):
        print_table(("#tasks", group), [(tasks, name) for tasks, _, name in rows], empty="no such tasks")
    else:
        print_table(("#tasks", "latest task", "first line of the error"), rows, empty="no such tasks")
    if len(groups) > limit:
        say(f"{limit} of {count(len(groups))} groups; --limit {len(groups)} shows all")


def _errors(app: App, wanted: Filter) -> Iterator[tuple[str, str, int]]:
    """Error, callable and number of tasks; each task that failed is read."""
    for task in matching_tasks(app, wanted):
        yield task.get("error") or "(only `tq show` has its error)", task["name"], 1


def _counted(app: App, wanted: Filter, group: str) -> Iterator[tuple[str, str, int]]:
    """The same by what the tasks of an array share, or by their states: an array is not opened."""
    if group == "state":
        for number, tasks in survey(app, wanted).states.items():
            yield str(State.from_number(number)), "", tasks
        return
    for row in all_lines(app, wanted):
        yield row[group], row["name"], tasks_of(row)


def say_of_how_many(app: App, wanted: Filter, shown: int) -> None:
    tasks, is_all = how_many(app, wanted)
    if tasks > shown:
        whole = count(tasks) if is_all else f"more than {count(tasks)}"
        say(f"{count(shown)} of {whole}; --limit N shows more, --count counts, --group error sums up")
