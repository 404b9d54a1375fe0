"""The screens behind ``tq top``'s first one: a queue's tasks, what a worker runs, a task, the keys. Pure."""

from __future__ import annotations

from typing import Any, Final

from rich.text import Text

from ....common.contract.rows import all_from_wire
from ....common.contract.workers import HeldTask
from ....common.domain.durations import span
from ....common.domain.id_text import IdRange
from ....common.domain.ids import show_id
from ....common.domain.model import Outcome, State
from ....common.values.failure import Failure
from ..lines import is_array, line_in_words, short_id, tasks_of
from ..output import STATE_STYLES, count, memory, rate
from ..queues import paused_words
from .state import Model, array_of

ID_COLUMNS: Final = 19  # of an id that is shortened to its beginning and its end

HELP: Final = """\
 ↑ ↓  j k     choose            tab        next list
 enter  →     open a queue, an array, a worker, or a task with its traceback
 esc  ←       back              q  Ctrl-C  quit
 p            pause or resume the chosen queue (asks; needs an admin key)
 r            run the failed tasks of the chosen queue again (asks)
 ?            this page

 rate     attempts that ended per second, of late
 oldest   how long ago the oldest ready task was submitted
 slots    that run a task, of all; a worker may hold more tasks, which wait
 failed   failed, dead and lost tasks that are kept
 away     its connection is lost; its tasks are handed out again if that lasts"""


def draw_detail(model: Model, width: int, room: int, now: float) -> list[Text]:
    kind = model.view.kind
    if kind == "help":
        return [Text(), *(Text(line) for line in HELP.splitlines())]
    head = {"queue": _queue_head, "array": _array_head, "worker": _worker_head}.get(kind)
    lines = [Text()] + ([head(model, now)] if head is not None else [])
    if model.detail is None:
        return [*lines, Text("…", style="dim")]
    if kind == "task":
        return _scrolled(model, _task(model.detail, now), room)
    if kind == "worker":
        rows = _held_rows(model.detail, now)
    else:
        rows = _task_rows(model.detail, now, array_of(model.view.key) if kind == "array" else None)
    if not rows:
        return [*lines, Text(), Text("no tasks" if kind != "worker" else "it runs nothing", style="dim")]
    left = max(1, room - len(lines) - 1)
    # The chosen row in the middle, as far as there are rows around it.
    start = max(0, min(model.row - left // 2, len(rows) - left))
    for index in range(start, min(len(rows), start + left)):
        if index == model.row:
            rows[index].pad_right(max(0, width - rows[index].cell_len))
            rows[index].spans.clear()
            rows[index].stylize("reverse")
    return [*lines, Text(), *rows[start : start + left]]


def _queue_head(model: Model, now: float) -> Text:
    row = _row(model, "queues", "name")
    if row is None:
        return Text(f"queue {model.view.key}", style="bold")
    states = "  ".join(f"{count(row[state])} {state}" for state in State if row[state])
    line = Text.assemble((f"queue {row['name']}", "bold"), f"  {states}  {rate(row['rate'])}")
    if row["paused"]:
        line.append(f"  {paused_words(row)}", style="yellow")
    return line


def _worker_head(model: Model, now: float) -> Text:
    row = _row(model, "workers", "node")
    if row is None:
        return Text(f"worker {model.view.title} is gone", style="bold")
    known = memory(row["memory_bytes"])
    return Text.assemble(
        (f"worker {row['host']} (pid {row['pid']})", "bold"),
        f"  {row['node'][:8]}  {row['state']}  {row['slots']} slots  {rate(row['rate'])}  {known}",
        f"  version {row['version']}",
    )


def _row(model: Model, section: str, key: str) -> dict[str, Any] | None:
    rows = (model.snapshot or {}).get(section, [])
    return next((row for row in rows if row[key] == model.view.key), None)


def _task_rows(detail: dict[str, Any], now: float, of: IdRange | None) -> list[Text]:
    """``of``: the array whose tasks these are."""
    if "error" in detail:
        return [Text(detail["error"], style="red")]
    return [_array_row(row, now) if is_array(row) else _task_row(row, now, of) for row in detail["rows"]]


def _task_row(row: dict[str, Any], now: float, of: IdRange | None) -> Text:
    state = State.from_number(row["state"])
    id = short_id(row) if of is None else f"+{of.place(row['id'])}"
    return Text.assemble(
        f"{id:{ID_COLUMNS}}  ",
        (f"{state:10}", STATE_STYLES.get(state, "")),
        f" {span(max(0.0, now - row['created'])):>8}  {row['name']}",
        ("" if not row.get("error") else f"  {row['error']}", "red"),
    )


def _array_row(row: dict[str, Any], now: float) -> Text:
    return Text.assemble(
        f"{short_id(row):{ID_COLUMNS}}  ",
        f"{count(tasks_of(row)):>10}",
        f" {span(max(0.0, now - row['created'])):>8}  {row['name']}",
        (f"  {line_in_words(row)}", "dim"),
    )


def _array_head(model: Model, now: float) -> Text:
    return Text.assemble(
        (f"array {model.view.title}", "bold"), f"  {count(array_of(model.view.key).tasks)} tasks"
    )


def _held_rows(detail: list[list[Any]], now: float) -> list[Text]:
    return [
        Text.assemble(
            f"{show_id(held.id)[-12:]}  {span(max(0.0, now - held.since)):>8}  ",
            (held.name, "cyan"),
            f"  {held.queue}" + (f", attempt {held.attempt}" if held.attempt > 1 else ""),
            ("" if held.begun else "  waits its turn there", "dim"),
        )
        for held in all_from_wire(HeldTask, detail)
    ]


def _task(task: dict[str, Any], now: float) -> list[Text]:
    if "error" in task:
        return [Text(), Text(task["error"], style="red")]
    state = State.from_number(task["state"])
    lines = [
        Text.assemble((show_id(task["id"]), "bold"), "  ", (str(state), STATE_STYLES.get(state, ""))),
        Text(f"{task['name']}  queue {task['queue']}, priority {task['priority']}"),
        Text(f"submitted {span(max(0.0, now - task['created']))} ago, attempt {task['attempt']}"),
    ]
    if task["why"]:
        lines.append(Text(task["why"]))
    for attempt in task["attempts"]:
        lines.append(_attempt(attempt, now))
    failure = Failure.decode(task["result"]) if state.is_terminal and state != State.SUCCEEDED else None
    if failure is not None and failure.type:
        said = f"{failure.type}: {failure.message}".splitlines()
        lines += [Text(), *(Text(line, style="red") for line in said)]
        lines += [Text(line) for line in failure.traceback.rstrip().splitlines()]
    last = task["attempts"][-1].get("log") if task["attempts"] else None
    if last:
        lines += [Text(), Text("output:", style="bold"), *(Text(line) for line in last.splitlines())]
    for line in lines:
        # A tab would count as one column, and the cut at the edge of the screen would be wrong.
        line.expand_tabs(4)
    return [Text(), *lines]


def _attempt(row: dict[str, Any], now: float) -> Text:
    outcome = "running" if row["outcome"] is None else Outcome.from_number(row["outcome"])
    started, ended = row["started"], row["ended"]
    took = "" if started is None else f" {span(max(0.0, (ended or now) - started))}"
    return Text(
        f"  attempt {row['attempt']}: {outcome}{took} on {row['worker'] or 'a forgotten worker'}", style="dim"
    )


def _scrolled(model: Model, lines: list[Text], room: int) -> list[Text]:
    start = max(0, min(model.row, len(lines) - room))
    return lines[start : start + room]
