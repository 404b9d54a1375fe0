"""Tasks, arrays and flows, newest first: the language of ``--where`` in the address, pages by place and not by number, so that page
one thousand is read as fast as the first.
"""

from __future__ import annotations

import math
import shlex
import time
from typing import Any, Final

from ...client.cli.bulk import TASKS
from ...client.cli.lines import (
    LineReader,
    flow_line_in_words,
    is_array,
    is_flow,
    line_in_words,
    line_row,
    short_id,
    tasks_of,
)
from ...client.cli.where import Filter, split, to_filter, with_flow
from ...client.cli.where_words import WrongFilter, drawn
from ...client.tasks.named import Named, named
from ...common.domain.id_text import IdRange
from ...common.domain.ids import show_id
from ...common.domain.model import State
from ...common.errors import InvalidArgument
from ..connecting import ANSWER_SECONDS
from ..logins import Login
from ..page import ShownPage, ViewRequest
from ..places import SHARDS_MARK, place_of, text_of
from .overview import snapshot_of, totals

ROWS: Final = 50  # of a page
EXPORTED_MAX: Final = 10_000  # rows of a file; `tq ls --json` has no bound
# For one page: a filter that finds little shows what it has found, and goes on where it stopped
READ_SECONDS: Final = 0.1
OPENED: Final = "yes"  # in the address: arrays and flows are not lines, each task is
SHOWN_STATES: Final = (State.READY, State.RUNNING, State.SCHEDULED, State.BLOCKED, State.SUCCEEDED, State.FAILED, State.DEAD,
                       State.LOST, State.CANCELLED, State.EXPIRED)  # fmt: skip


def wanted_of(login: Login, where: str) -> Filter:
    """The filter in the words of ``--where``. Raises InvalidArgument."""
    terms = split(where)
    return with_flow(to_filter(terms, time.time()), lambda text: login.app.get_flow(text).flow_id)


def tasks(login: Login, asked: ViewRequest) -> ShownPage:
    where, array, place = asked.get("where"), asked.get("array"), asked.get("before")
    is_opened = asked.get("all") == OPENED
    error, place_of_error, of = "", None, None
    rows: list[dict[str, Any]] = []
    following: str | None = None
    wanted: Filter = {}
    try:
        wanted = wanted_of(login, where)
        of = named(login.app.session, array) if array else None
        rows, following = _read(login, wanted, of, _place(place), ROWS, READ_SECONDS, is_opened=is_opened)
    except WrongFilter as problem:  # what is wrong with the filter is said below it
        error, place_of_error = problem.reason, problem.place
    except InvalidArgument as problem:
        error = str(problem)
    counts = totals(snapshot_of(login))
    words = ["tq", "ls", *([array] if array else []), *(["--where", where] if where else [])]
    words += ["--all"] if is_opened else []

    def exported() -> list[dict[str, Any]]:
        found = _read(login, wanted_of(login, where), of, None, EXPORTED_MAX, is_opened=is_opened)[0]
        return [line_row(row) for row in found]

    return ShownPage(
        title=f"Array {array}" if array else "Tasks",
        template="tasks.html",
        head="tasks.head.html",
        command=shlex.join(words),
        rows=exported,
        context={
            "where": where,
            "array": array,
            "of": of,
            "opened": OPENED if is_opened else "",
            "has_lines": not array,
            "error": error,
            "wrong": place_of_error,
            "pointed": "" if place_of_error is None else drawn(place_of_error),
            "rows": [_shown(row) for row in rows],
            "following": following,
            "is_part": following is not None
            and len(rows) < ROWS,  # it stopped before there was a page full of them
            "is_first": not place,
            "chips": [(str(state), counts[str(state)]) for state in SHOWN_STATES if counts[str(state)]],
        },
    )


def _read(
    login: Login,
    wanted: Filter,
    of: Named | None,
    before: list[Any] | None,
    limit: int,
    seconds: float | None = None,
    *,
    is_opened: bool,
) -> tuple[list[dict[str, Any]], str | None]:
    """Rows, and the place of the next ones. Lines, but for the tasks of an array. ``is_opened``: tasks, of all."""
    if of is None and not is_opened:
        reader = LineReader(login.app, wanted, ANSWER_SECONDS, before=before, flows=True)
        try:
            rows = reader.read(limit, seconds=seconds)
        except InvalidArgument:
            if "flow" not in wanted:  # of which a master of the version before has no lines
                raise
        else:
            return rows, _place_text(reader.before)
    if of is not None:
        wanted = {**wanted, "ids": list(of.ids)}
    rows, seq = [], None if before is None else before[0]
    until = math.inf if seconds is None else time.monotonic() + seconds
    while len(rows) < limit:
        answer = login.app.call(TASKS, "select", wanted, min(1_000, limit - len(rows)), seq)
        rows += answer["rows"]
        seq = answer["before"]
        if seq is None or time.monotonic() >= until:
            break
    return rows, None if seq is None else _place_text([seq, None])


def _place(text: str) -> list[Any] | None:
    """``1204`` or ``1204.019300a1…``: behind a row, or inside an array."""
    if not text:
        return None
    if text.startswith(SHARDS_MARK):
        return [place_of(text), None]
    seq, _, id = text.partition(".")
    try:
        return [int(seq[:20]), bytes.fromhex(id[:32]) if id else None]
    except ValueError:
        raise InvalidArgument("the address names no place in the list; start from its beginning") from None


def _place_text(before: list[Any] | None) -> str | None:
    if before is None:
        return None
    return f"{before[0]}.{before[1].hex()}" if before[1] else text_of(before[0])


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    if is_flow(row):
        flow = row["flow"]
        ended = flow["succeeded"] + flow["failed"] + flow["cancelled"]
        counts = [(name, flow[name]) for name in ("succeeded", "failed", "cancelled", "running")]
        waiting = max(0, flow["total"] - ended - flow["running"])
        return {
            **row,
            "is_flow": True,
            "text": row.get("short") or flow["id"],
            "key": flow["id"],
            "states_shown": [*counts, ("none", waiting)],
            "words": str(flow_line_in_words(flow)),
        }
    if is_array(row):
        states = [(str(State.from_number(number)), tasks) for number, tasks in row["states"]]
        return {
            **row,
            "is_flow": False,
            "is_array": True,
            "text": short_id(row),
            "key": str(IdRange(row["id"], row["tasks"])),
            "states_shown": states,
            "words": str(line_in_words(row)),
            "counted": tasks_of(row),
        }
    id = show_id(row["id"])
    return {
        **row,
        "is_flow": False,
        "is_array": False,
        "text": row.get("short") or id,
        "key": id,
        "word": str(State.from_number(row["state"])),
    }
