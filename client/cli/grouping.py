"""``tq ls --count`` and ``--group``: how many tasks there are, by state, error, name or queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from ...common.domain.model import State
from ...common.runtime.terminal import say, write
from ..app import App
from .bulk import BulkSelection, how_many, matching_tasks
from .output import count, print_json, print_table
from .where import Filter

FAILED: Final = (State.FAILED, State.DEAD, State.LOST)
GROUPS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "error": lambda task: task.get("error") or "(only `tq show` has its error)",
    "name": lambda task: task["name"],
    "queue": lambda task: task["queue"],
    "state": lambda task: State.from_number(task["state"]),
}


def print_count(found: BulkSelection, *, as_json: bool) -> None:
    if as_json:
        states = {State.from_number(number): tasks for number, tasks in sorted(found.states.items())}
        print_json({"tasks": found.tasks, "states": states})
    else:
        write((found.in_words() if found.tasks else "no such tasks") + "\n")


def print_groups(app: App, wanted: Filter, group: str, limit: int, *, as_json: bool) -> None:
    """The largest groups first, at most ``limit``. By error: of tasks that failed, unless the filter has states."""
    if group == "error":
        wanted = {"states": [int(state.number) for state in FAILED], **wanted}
    groups: Counter[str] = Counter()
    latest: dict[str, dict[str, Any]] = {}
    for task in matching_tasks(app, wanted):
        name = GROUPS[group](task)
        groups[name] += 1
        latest.setdefault(name, task)  # newest first
    if as_json:
        print_json([{group: name, "tasks": tasks} for name, tasks in groups.most_common(limit)])
        return
    rows = [(count(tasks), latest[name]["name"], name) for name, tasks in groups.most_common(limit)]
    if group in ("name", "queue", "state"):
        print_table(("#tasks", group), [(tasks, name) for tasks, _, name in rows], empty="no such tasks")
    else:
        print_table(("#tasks", "latest task", "error"), rows, empty="no such tasks")
    if len(groups) > limit:
        say(f"{limit} of {count(len(groups))} groups; --limit {len(groups)} shows all")


def say_of_how_many(app: App, wanted: Filter, shown: int) -> None:
    tasks, is_all = how_many(app, wanted)
    if tasks > shown:
        whole = count(tasks) if is_all else f"more than {count(tasks)}"
        say(f"{shown} of {whole}; --limit N shows more, --count counts, --group error sums up")
