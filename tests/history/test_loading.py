"""Histories from files: lines cut off by a kill, and transactions whose outcome is unknown."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.ids import id_behind
from tq.common.domain.model import StateNumber
from tq.common.runtime.history import digest
from tq.common.wire.frames import pack

from .checker import Event, Final
from .loading import Torn, certain, final, judge, read

ID, OTHER = "aa" * 16, "bb" * 16
FIRST = b"f" * 16  # of an array


def write(directory: Path, who: str, *events: dict[str, Any], rest: str = "") -> None:
    text = "".join(json.dumps(event) + "\n" for event in events)
    (directory / f"{who}.jsonl").write_text(text + rest, "utf-8")


def of_master(transaction: int, what: str, t: float, id: str = ID, **fields: Any) -> dict[str, Any]:
    return {"t": t, "what": what, "id": id, "transaction": transaction, "file": "master.jsonl", **fields}


def committed(transaction: int, t: float) -> dict[str, Any]:
    return {"t": t, "what": "committed", "transaction": transaction, "file": "master.jsonl"}


def kept(events: list[Event], rows: dict[str, Final]) -> list[tuple[str, float]]:
    return [(event["what"], event["t"]) for event in certain(events, rows)]


def test_the_files_of_a_directory_are_one_history_in_the_order_of_time(tmp_path: Path) -> None:
    write(tmp_path, "master-1", {"t": 1.0, "what": "first"}, {"t": 3.0, "what": "third"})
    write(tmp_path, "worker-2", {"t": 2.0, "what": "second"})
    assert [event["what"] for event in read(tmp_path)] == ["first", "second", "third"]


def test_a_last_line_that_was_cut_off_was_not_said(tmp_path: Path) -> None:
    write(tmp_path, "worker-1", {"t": 1.0, "what": "first"}, rest='{"t": 2.0, "wh')
    assert [event["what"] for event in read(tmp_path)] == ["first"]


def test_a_broken_line_elsewhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "worker-1.jsonl").write_text('{"t": 1.0, "wh\n{"t": 2.0, "what": "second"}\n', "utf-8")
    with pytest.raises(json.JSONDecodeError):
        read(tmp_path)


def test_a_committed_transaction_is_kept() -> None:
    events = [of_master(1, "submitted", 1.0), committed(1, 2.0)]
    assert kept(events, {}) == [("submitted", 1.0)]


@pytest.mark.parametrize(
    ("event", "happened", "did_not"),
    [
        (of_master(1, "submitted", 1.0), Final(StateNumber.READY, 0, ""), None),
        (
            of_master(1, "leased", 1.0, attempt=2, lease="l"),
            Final(StateNumber.RUNNING, 2, ""),
            Final(StateNumber.READY, 1, ""),
        ),
        (
            of_master(1, "accepted", 1.0, attempt=2, lease="l", digest="d"),
            Final(StateNumber.SUCCEEDED, 2, "d"),
            Final(StateNumber.RUNNING, 2, ""),
        ),
        (
            of_master(1, "ended", 1.0, attempt=1, lease="l", state=1),
            Final(StateNumber.READY, 1, ""),
            Final(StateNumber.RUNNING, 1, ""),
        ),
        (
            of_master(1, "cancelled", 1.0),
            Final(StateNumber.CANCELLED, 0, ""),
            Final(StateNumber.READY, 0, ""),
        ),
        (of_master(1, "expired", 1.0), Final(StateNumber.EXPIRED, 0, ""), Final(StateNumber.READY, 0, "")),
        (of_master(1, "revived", 1.0), Final(StateNumber.READY, 1, ""), Final(StateNumber.FAILED, 1, "")),
    ],
    ids=lambda value: value["what"] if isinstance(value, dict) else "",
)
def test_the_last_uncertain_transaction_of_a_task_is_decided_by_its_row(
    event: Event, happened: Final, did_not: Final | None
) -> None:
    assert kept([event], {ID: happened}) == [(event["what"], 1.0)]
    assert kept([event], {} if did_not is None else {ID: did_not}) == []


@pytest.mark.parametrize(
    ("event", "happened", "did_not"),
    [
        (
            of_master(1, "submitted", 1.0),
            of_master(2, "leased", 2.0, attempt=1, lease="l"),
            of_master(2, "submitted", 2.0),
        ),
        (
            of_master(1, "leased", 1.0, attempt=1, lease="old"),
            of_master(2, "accepted", 2.0, attempt=1, lease="old", digest="d"),
            of_master(2, "leased", 2.0, attempt=1, lease="new"),
        ),
        (
            of_master(1, "ended", 1.0, attempt=1, lease="l", state=0),
            of_master(2, "leased", 2.0, attempt=2, lease="new"),
            of_master(2, "accepted", 2.0, attempt=1, lease="l", digest="d"),
        ),
        (
            of_master(1, "accepted", 1.0, attempt=1, lease="l", digest="d"),
            None,
            of_master(2, "accepted", 2.0, attempt=1, lease="l", digest="d"),
        ),
        (
            of_master(1, "cancelled", 1.0),
            of_master(2, "revived", 2.0),
            of_master(2, "leased", 2.0, attempt=1, lease="l"),
        ),
        (
            of_master(1, "revived", 1.0),
            of_master(2, "leased", 2.0, attempt=2, lease="l"),
            of_master(2, "revived", 2.0),
        ),
    ],
    ids=lambda value: value["what"] if value else "",
)
def test_an_earlier_uncertain_transaction_is_decided_by_what_happened_to_the_task_next(
    event: Event, happened: Event | None, did_not: Event
) -> None:
    rows = {ID: Final(StateNumber.SUCCEEDED, 1, "d")}
    assert kept([event, *([happened, committed(2, 3.0)] if happened else [])], rows)[0] == (
        event["what"],
        1.0,
    )
    assert kept([event, did_not, committed(2, 3.0)], rows) == [(did_not["what"], 2.0)]


def test_an_uncertain_transaction_is_kept_or_dropped_as_a_whole() -> None:
    events = [of_master(1, "submitted", 1.0), of_master(1, "submitted", 1.1, id=OTHER)]
    ready = Final(StateNumber.READY, 0, "")
    assert len(kept(events, {ID: ready, OTHER: ready})) == 2
    assert kept(events, {}) == []
    with pytest.raises(Torn, match="transaction 1 of master"):
        certain(events, {ID: ready})


def test_a_directory_is_judged_by_the_stores_file(tmp_path: Path) -> None:
    store, result = tmp_path / "tq.db", b"result"
    with closing(sqlite3.connect(store)) as db:
        db.execute("CREATE TABLE tasks (id BLOB, state INTEGER, attempt INTEGER, result BLOB)")
        db.execute("CREATE TABLE arrays (seq INTEGER, id BLOB)")
        db.execute(
            "CREATE TABLE slices (seq INTEGER, stop INTEGER, array INTEGER, state INTEGER, attempt INTEGER, results BLOB)"
        )
        db.execute(
            "INSERT INTO tasks VALUES (?, ?, 1, ?)", (bytes.fromhex(ID), StateNumber.SUCCEEDED, result)
        )
        db.execute("INSERT INTO arrays VALUES (7, ?)", (FIRST,))
        done = pack([b"", None])
        db.execute("INSERT INTO slices VALUES (8, 10, 7, ?, 2, ?)", (StateNumber.SUCCEEDED, done))
        db.execute("INSERT INTO slices VALUES (10, 11, 7, ?, 1, NULL)", (StateNumber.RUNNING,))
        db.commit()
    whole = final(store)
    assert whole.pop(ID) == Final(StateNumber.SUCCEEDED, 1, digest(result))
    assert whole == {
        id_behind(FIRST, 1).hex(): Final(StateNumber.SUCCEEDED, 2, digest(b"")),
        id_behind(FIRST, 2).hex(): Final(StateNumber.SUCCEEDED, 2, digest(None)),
        id_behind(FIRST, 3).hex(): Final(StateNumber.RUNNING, 1, ""),
    }
    with closing(sqlite3.connect(store)) as db:
        db.execute("DELETE FROM slices")
        db.commit()
    lease = {"attempt": 1, "lease": "l"}
    write(tmp_path, "client-1", {"t": 0.5, "who": "client", "what": "submitting", "id": ID, "once": False})
    write(
        tmp_path,
        "master",
        of_master(1, "submitted", 1.0),
        of_master(1, "leased", 1.1, **lease),
        committed(1, 1.2),
        of_master(2, "accepted", 3.0, **lease, digest=digest(result)),
    )
    write(
        tmp_path, "worker-2", {"t": 2.0, "who": "worker", "what": "started", "id": ID, "attempt": 1}, rest="{"
    )
    report = judge(tmp_path, store)
    assert (report.violations, report.starts, report.extra_starts) == ([], 1, 0)
