"""The state of ``tq top``: what is shown and chosen. Pure: a model, and how keys and answers change it.

The cursor is on an object (a queue, a worker, a task), not on a line, so that a refresh does not move it to another one.
"""

from __future__ import annotations

import glob
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from ....common.contract.rows import all_from_wire
from ....common.contract.workers import HeldTask
from ....common.domain.id_text import IdRange
from ..fleet import fleet
from ..lines import is_array, short_id

HISTORY: Final = 60  # rates kept for the sparkline
SECTIONS: Final = ("queues", "workers", "running", "failing")


class ListEntry(NamedTuple):
    """An object for the cursor: its list, and its name or id."""

    section: str
    key: str


class View(NamedTuple):
    """A screen: ``home``, ``help``, or one ``queue``, ``array``, ``worker`` or ``task``."""

    kind: str
    key: str = ""
    title: str = ""


class Confirmation(NamedTuple):
    """A question with answers y and n before an effect is performed."""

    text: str
    effect: Effect


class Effect(NamedTuple):
    """Something for the shell to do: ``pause``, ``resume``, ``retry`` or ``quit``."""

    kind: str
    key: str = ""


HOME: Final = View("home")
Snapshot = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    snapshot: Snapshot | None = None
    rates: tuple[float, ...] = ()  # of the last looks, oldest first
    lost_since: float | None = None  # Unix seconds; while the master does not answer
    views: tuple[View, ...] = (HOME,)  # the way in; the last is shown
    cursor: ListEntry | None = None  # at home
    row: int = 0  # in any other view
    detail: Any = None  # of the view that is shown
    message: str = ""  # what came of the last effect
    question: Confirmation | None = None

    @property
    def view(self) -> View:
        return self.views[-1]


def looked(model: Model, snapshot: Snapshot) -> Model:
    """A new snapshot of the master."""
    rates = (*model.rates, float(snapshot["rate"]))[-HISTORY:]
    living, absent = fleet(snapshot["workers"])
    snapshot = {**snapshot, "workers": living, "absent": len(absent)}
    model = replace(model, snapshot=snapshot, rates=rates, lost_since=None)
    there = items(model)
    if model.cursor not in there:
        model = replace(model, cursor=_nearest(model.cursor, there))
    return model


def detailed(model: Model, view: View, detail: Any) -> Model:
    """The details for a view; ignored when another view is shown by now."""
    if view != model.view:
        return model
    return replace(model, detail=detail, row=min(model.row, max(0, len(rows_of(detail)) - 1)))


def lost(model: Model, now: float) -> Model:
    """The master did not answer."""
    return model if model.lost_since is not None else replace(model, lost_since=now)


def with_message(model: Model, message: str) -> Model:
    """Show the result of an effect."""
    return replace(model, message=message)


def press(model: Model, key: str) -> tuple[Model, Effect | None]:
    """What a key does."""
    if model.question is not None:
        effect = model.question.effect if key in ("y", "Y") else None
        return replace(model, question=None, message="" if effect else "nothing was changed"), effect
    model = replace(model, message="")
    match key:
        case "q":
            return model, Effect("quit")
        case "up" | "k":
            return _move(model, -1), None
        case "down" | "j":
            return _move(model, 1), None
        case "tab":
            return _next_section(model), None
        case "enter" | "right" | "l":
            return _enter(model), None
        case "escape" | "left" | "h":
            return _back(model), None
        case "?":
            return (_back(model) if model.view.kind == "help" else _open(model, View("help"))), None
        case "p":
            return _ask_pause(model), None
        case "r":
            return _ask_retry(model), None
    return model, None


def items(model: Model) -> list[ListEntry]:
    """Everything at home that the cursor can be on, from top to bottom."""
    snapshot = model.snapshot
    if snapshot is None:
        return []
    return [
        *(ListEntry("queues", row["name"]) for row in snapshot["queues"]),
        *(ListEntry("workers", row["node"]) for row in snapshot["workers"]),
        *(ListEntry("running", row["id"].hex()) for row in snapshot["running"]),
        *(ListEntry("failing", row["id"].hex()) for row in snapshot["failing"]),
    ]


def rows_of(detail: Any) -> list[str]:
    """The ids a detail lists, in order."""
    match detail:
        case {"rows": list(rows)}:
            return [key_of(row) for row in rows]
        case list(rows):
            return [row.id.hex() for row in all_from_wire(HeldTask, rows)]
    return []


def key_of(row: dict[str, Any]) -> str:
    """What opens a line: the id of a task; of an array its first id and the number of its tasks."""
    return f"{row['id'].hex()}+{row['tasks']}" if is_array(row) else row["id"].hex()


def array_of(key: str) -> IdRange:
    first, _, tasks = key.partition("+")
    return IdRange(bytes.fromhex(first), int(tasks))


def filter_of(queue: str, **more: Any) -> dict[str, Any]:
    """A filter for one queue by its exact name."""
    return {"queues": [glob.escape(queue)], **more}


def selected_queue(model: Model) -> str | None:
    """The queue that p and r are about: the one shown, or under the cursor, or of the failing task there."""
    if model.view.kind == "queue":
        return model.view.key
    if model.view.kind != "home" or model.cursor is None or model.snapshot is None:
        return None
    section, key = model.cursor
    if section == "queues":
        return key
    rows = model.snapshot[section] if section in ("running", "failing") else []
    return next((row["queue"] for row in rows if row["id"].hex() == key), None)


def _move(model: Model, step: int) -> Model:
    if model.view.kind == "home":
        there = items(model)
        if not there:
            return model
        at = there.index(model.cursor) if model.cursor in there else 0
        return replace(model, cursor=there[max(0, min(len(there) - 1, at + step))])
    if model.view.kind == "task":  # there the row is the first line shown; the drawing knows the last
        return replace(model, row=max(0, model.row + step))
    last = len(rows_of(model.detail)) - 1
    return replace(model, row=max(0, min(last, model.row + step)))


def _next_section(model: Model) -> Model:
    there = items(model)
    if model.view.kind != "home" or model.cursor is None or not there:
        return model
    at = SECTIONS.index(model.cursor.section)
    for step in range(1, len(SECTIONS) + 1):
        section = SECTIONS[(at + step) % len(SECTIONS)]
        first = next((item for item in there if item.section == section), None)
        if first is not None:
            return replace(model, cursor=first)
    return model


def _enter(model: Model) -> Model:
    if model.view.kind == "home" and model.cursor is not None:
        section, key = model.cursor
        kind = {"queues": "queue", "workers": "worker"}.get(section, "task")
        return _open(model, View(kind, key, _title(model, section, key)))
    keys = rows_of(model.detail) if model.view.kind in ("queue", "array", "worker") else []
    if not keys:
        return model
    key = keys[model.row]
    if "+" in key:
        return _open(model, View("array", key, short_id(model.detail["rows"][model.row])))
    return _open(model, View("task", key))


def _title(model: Model, section: str, key: str) -> str:
    if section == "workers" and model.snapshot is not None:
        return next((row["host"] for row in model.snapshot["workers"] if row["node"] == key), key)
    return key


def _open(model: Model, view: View) -> Model:
    return replace(model, views=(*model.views, view), detail=None, row=0)


def _back(model: Model) -> Model:
    return (
        replace(model, views=model.views[:-1] or (HOME,), detail=None, row=0)
        if len(model.views) > 1
        else model
    )


def _ask_pause(model: Model) -> Model:
    queue = selected_queue(model)
    if queue is None or model.snapshot is None:
        return with_message(model, "choose a queue first")
    row = next((row for row in model.snapshot["queues"] if row["name"] == queue), None)
    kind = "resume" if row is not None and row["paused"] else "pause"
    return replace(model, question=Confirmation(f"{kind} queue {queue}?", Effect(kind, queue)))


def _ask_retry(model: Model) -> Model:
    queue = selected_queue(model)
    if queue is None or model.snapshot is None:
        return with_message(model, "choose a queue or a failing task first")
    row = next((row for row in model.snapshot["queues"] if row["name"] == queue), None)
    failed = 0 if row is None else row["failed"] + row["dead"] + row["lost"]
    if not failed:
        return with_message(model, f"nothing has failed in {queue}")
    text = f"make the {failed:,} failed tasks of {queue} ready again?"
    return replace(model, question=Confirmation(text, Effect("retry", queue)))


def _nearest(before: ListEntry | None, there: list[ListEntry]) -> ListEntry | None:
    """Where the cursor goes when what it was on is gone: the same list, or the top."""
    same = [item for item in there if before is not None and item.section == before.section]
    return next(iter(same or there), None)
