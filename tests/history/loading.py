"""The histories of a directory as one, and the store's file as the last word on it.

::

    *.jsonl of all processes ──► read ──► certain: transactions not seen committed are kept or dropped ──► check
    the store's file         ──► final ──────┘

A master that is killed during a commit leaves events of a transaction without ``committed``: they happened
or they did not, all of them or none. What came of them can be seen: a task's next event, or its row when
there is none, follows from one of the two only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from tq.common.domain.ids import id_behind
from tq.common.domain.model import StateNumber
from tq.common.runtime.history import digest
from tq.common.wire.frames import unpack

from .checker import TERMINAL, Event, Final, Report, check

MASTER = frozenset({"submitted", "leased", "ended", "accepted", "cancelled", "expired", "fell", "revived"})


class Torn(Exception):
    """Of one transaction some events happened and others did not."""


class _Transaction(NamedTuple):
    events: list[Event]
    committed: bool


def judge(directory: Path, store: Path) -> Report:
    """Everything that was said in a directory, judged by what the store of an ended master says."""
    rows = final(store)
    return check(certain(read(directory), rows), rows)


def read(directory: Path) -> list[Event]:
    """All events, in the order of their time. The last line of a killed process may be cut off; no other."""
    events: list[Event] = []
    for file in sorted(directory.glob("*.jsonl")):
        lines = file.read_bytes().split(b"\n")
        lines.pop()  # empty, or cut off before its end: not said
        events += ({**json.loads(line), "file": file.name} for line in lines)
    return sorted(events, key=lambda event: event["t"])


def final(store: Path) -> dict[str, Final]:
    """What the store's file says of every task. The master has ended, or nothing is under way any more."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        return finals(lambda sql: db.execute(sql).fetchall())


def finals(ask: Callable[[str], list[Any]]) -> dict[str, Final]:
    """The same of what answers the store's SQL."""
    return {
        id.hex(): Final(state, attempt, digest(result) if state == StateNumber.SUCCEEDED else "")
        for id, state, attempt, result in every_task(ask)
    }


def every_task(ask: Callable[[str], list[Any]]) -> list[tuple[bytes, int, int, bytes | None]]:
    """Id, state, attempt and result of each task of a store, with a row or in an array."""
    tasks: list[tuple[bytes, int, int, bytes | None]] = ask("SELECT id, state, attempt, result FROM tasks")
    for first, seq, stop, state, attempt, results in ask(
        "SELECT arrays.id, slices.seq - arrays.seq, slices.stop - arrays.seq, state, attempt, results"
        " FROM slices JOIN arrays ON arrays.seq = slices.array"
    ):
        each = [None] * (stop - seq) if results is None else unpack(results)
        places = zip(range(seq, stop), each, strict=True)
        tasks += [(id_behind(first, place), state, attempt, result) for place, result in places]
    return tasks


def certain(events: Iterable[Event], rows: Mapping[str, Final]) -> list[Event]:
    """The events that happened. Raises Torn when a transaction is neither whole nor void."""
    kept: list[Event] = []
    transactions: dict[tuple[Any, Any], _Transaction] = {}
    for event in events:
        if "transaction" not in event:
            kept.append(event)
            continue
        key = event["file"], event["transaction"]
        before = transactions.get(key, _Transaction([], False))
        if event["what"] == "committed":
            transactions[key] = before._replace(committed=True)
        else:
            transactions[key] = before
            before.events.append(event)
    following: dict[Any, Event] = {}  # of each task: the first thing that certainly happened later
    for events_of_one, committed in reversed(list(transactions.values())):
        if committed or _happened(events_of_one, following, rows):
            kept += events_of_one
            following.update((event["id"], event) for event in reversed(events_of_one))
    return sorted(kept, key=lambda event: event["t"])


def _happened(events: list[Event], following: Mapping[Any, Event], rows: Mapping[str, Final]) -> bool:
    last = {event["id"]: event for event in events}  # of each task, since the later ones rest on the earlier
    votes = {
        id: _leads_to(event, following[id]) if id in following else _leads_to_row(event, rows.get(id))
        for id, event in last.items()
    }
    if len(set(votes.values())) > 1:
        raise Torn(f"transaction {events[0]['transaction']} of {events[0]['file']}: {votes}")
    return any(votes.values())


def _leads_to(event: Event, next: Event) -> bool:
    """Whether a task to which this had happened could be the one to which that happened next."""
    match event["what"], next["what"]:
        case "leased", "ended" | "accepted" | "returned":
            return bool(event["lease"] == next["lease"] and event["attempt"] == next["attempt"])
        case "submitted" | "revived", "leased" | "cancelled" | "expired" | "fell":
            return True
        case "ended" | "returned", "leased":
            return bool(next["attempt"] == event["attempt"] + 1)
        case "ended" | "returned", "cancelled" | "expired":
            return bool(event["state"] < TERMINAL)
        case "ended" | "returned", "revived":
            return bool(event["state"] >= TERMINAL)
        case "cancelled" | "expired" | "fell", "revived":
            return True
    return False


def _leads_to_row(event: Event, row: Final | None) -> bool:
    """Whether this is the last thing that happened to a task with this row."""
    if row is None:
        return False
    match event["what"]:
        case "submitted" | "revived":
            return row.state < TERMINAL
        case "leased":
            return row.state == StateNumber.RUNNING and row.attempt == event["attempt"]
        case "accepted":
            return row.state == StateNumber.SUCCEEDED and row.attempt == event["attempt"]
        case "ended" | "returned":
            # A master that stood still may say so long after another one has accepted the attempt's result.
            waits = row.state < TERMINAL and row.state != StateNumber.RUNNING
            fits = row.state == event["state"] if event["state"] >= TERMINAL else waits
            return fits and row.attempt == event["attempt"]
        case "cancelled":
            return row.state == StateNumber.CANCELLED
        case "fell":
            return row.state == StateNumber.FAILED
        case "expired":
            return row.state == StateNumber.EXPIRED
    return False
