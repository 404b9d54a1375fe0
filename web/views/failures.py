"""Failures grouped by callable and type of the error: how many, since when, which words; retry a group.

Each failed task that is counted is read for its error, so only the newest are: as many as a person waits for.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePath
from typing import Any, Final

from ...client.cli.bulk import TASKS, matching_tasks
from ...client.cli.grouping import FAILED
from ...client.cli.output import iso
from ...client.cli.show import last_failure
from ...common.domain.ids import parse_id, show_id
from ...common.errors import UnknownTask
from ..logins import Login
from ..page import ShownPage, ViewRequest
from ..rendering import term
from .tasks import wanted_of

FRAMES_SHOWN: Final = 12  # groups of whose latest task the traceback is read
FRAME: Final = re.compile(
    r'^\s*File "(?P<file>[^"\n]+)", line (?P<line>\d+), in (?P<function>[^\n]+)$', re.MULTILINE
)
READ_MAX: Final = 2_000
MESSAGES_SHOWN: Final = 3
UNREAD: Final = "(not read)"  # so much was read for others in this answer


@dataclass(kw_only=True)
class FailureGroup:
    name: str
    kind: str
    tasks: int = 0
    first: float = 0.0
    last: float = 0.0
    newest: str = ""  # id of a task
    frame: str = ""  # where the latest of them failed
    queues: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)

    def add(self, task: dict[str, Any]) -> None:
        at = task["finished"] or task["created"]
        self.newest = self.newest or show_id(task["id"])
        self.first = min(self.first or at, at)
        self.last = max(self.last, at)
        self.tasks += 1
        self.queues[task["queue"]] += 1
        self.messages[(task["error"] or "").partition(": ")[2] or "(no words)"] += 1

    @property
    def where(self) -> str:
        """The filter that means the whole group."""
        kind = "" if self.kind == UNREAD else " " + term("error", self.kind)
        return f"state=failed,dead,lost {term('name', self.name)}{kind}"


def grouped(tasks: list[dict[str, Any]]) -> list[FailureGroup]:
    """The largest group first."""
    groups: dict[tuple[str, str], FailureGroup] = {}
    for task in tasks:
        kind = task["error"].partition(":")[0].strip() if task["error"] else UNREAD
        key = task["name"], kind
        if key not in groups:
            groups[key] = FailureGroup(name=task["name"], kind=kind)
        groups[key].add(task)
    return sorted(groups.values(), key=lambda one: (-one.tasks, -one.last))


def frame_of(traceback: str) -> str:
    """The innermost frame: the function, the file's name, the line."""
    *_, last = [None, *FRAME.finditer(traceback)]
    return "" if last is None else f"{last['function']}, {PurePath(last['file']).name}:{last['line']}"


def _latest_frame(login: Login, group: FailureGroup) -> str:
    try:
        failure = last_failure(login.app.call(TASKS, "show", parse_id(group.newest)))
    except UnknownTask:  # deleted since it was listed
        return ""
    return "" if failure is None else frame_of(failure.traceback)


def failures(login: Login, asked: ViewRequest) -> ShownPage:
    wanted = {**wanted_of(login, asked.get("where")), "states": [int(state.number) for state in FAILED]}
    read = list(islice(matching_tasks(login.app, wanted, READ_MAX), READ_MAX))
    groups = grouped(read)
    for group in groups[:FRAMES_SHOWN]:
        group.frame = _latest_frame(login, group)
    return ShownPage(
        title="Failures",
        template="failures.html",
        command="tq ls --group error",
        rows=lambda: [
            {
                "name": one.name,
                "error": one.kind,
                "tasks": one.tasks,
                "first": iso(one.first),
                "last": iso(one.last),
                "newest": one.newest,
                "frame": one.frame,
                "queues": list(one.queues),
            }
            for one in groups
        ],
        context={
            "groups": groups,
            "read": len(read),
            "is_all": len(read) < READ_MAX,
            "messages_shown": MESSAGES_SHOWN,
        },
    )
