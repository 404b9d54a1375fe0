"""What a transaction has changed, as rows: each once, as it is at the end, and of a row that is changed only what was."""

from __future__ import annotations

import sqlite3

import pytest
from tq.master.store.postgres.changes import GONE, NARROW, WHOLE, Capture

SCHEMA = """
CREATE TABLE plain (n INTEGER PRIMARY KEY, small TEXT, lease BLOB, large BLOB);
CREATE TABLE pairs (a INTEGER NOT NULL, b TEXT NOT NULL, v INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE nameless (v INTEGER NOT NULL);
CREATE TABLE numbered (n INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT UNIQUE);
CREATE TABLE follows (n INTEGER PRIMARY KEY);
CREATE TRIGGER followed AFTER INSERT ON plain BEGIN INSERT INTO follows VALUES (new.n); END;
"""


@pytest.fixture
def db() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(SCHEMA)
    return db


@pytest.fixture
def capture(db: sqlite3.Connection) -> Capture:
    return Capture(db)


def noted(capture: Capture) -> set[tuple[str, int, tuple[str, ...], tuple[object, ...]]]:
    """Table, kind, columns, row."""
    found = [
        (change.table.name, change.kind, tuple(column.name for column in change.columns), row)
        for change in capture.read()
        for row in change.rows
    ]
    assert len(found) == len(set(found))
    return set(found)


def test_a_row_that_is_inserted_is_shipped_whole_and_so_is_what_a_trigger_inserts(
    db: sqlite3.Connection, capture: Capture
) -> None:
    db.execute("INSERT INTO plain VALUES (1, 'a', x'01', x'02')")
    assert noted(capture) == {
        ("plain", WHOLE, ("n", "small", "lease", "large"), (1, "a", b"\1", b"\2")),
        ("follows", WHOLE, ("n",), (1,)),
    }


def test_of_a_row_that_is_changed_the_large_columns_stay_at_home_unless_they_were_named(
    db: sqlite3.Connection, capture: Capture
) -> None:
    db.execute("INSERT INTO plain VALUES (1, 'a', x'01', x'02'), (2, 'a', x'01', x'02')")
    capture.clear()
    db.execute("UPDATE plain SET small = 'b'")
    db.execute("UPDATE plain SET lease = x'03' WHERE n = 2")
    assert noted(capture) == {
        ("plain", NARROW, ("n", "small"), (1, "b")),
        ("plain", NARROW, ("n", "small", "lease"), (2, "b", b"\3")),
    }


def test_a_row_that_comes_and_goes_is_gone_and_one_that_goes_and_comes_is_there(
    db: sqlite3.Connection, capture: Capture
) -> None:
    db.execute("INSERT INTO pairs VALUES (1, 'x', 0)")
    capture.clear()
    db.execute("INSERT INTO pairs VALUES (2, 'y', 0)")
    db.execute("DELETE FROM pairs WHERE a = 2")
    db.execute("DELETE FROM pairs WHERE a = 1")
    db.execute("INSERT INTO pairs VALUES (1, 'x', 7)")
    assert noted(capture) == {
        ("pairs", GONE, ("a", "b"), (2, "y")),
        ("pairs", WHOLE, ("a", "b", "v"), (1, "x", 7)),
    }


def test_a_row_whose_key_changes_is_gone_from_the_old_one(db: sqlite3.Connection, capture: Capture) -> None:
    db.execute("INSERT INTO pairs VALUES (1, 'x', 0)")
    capture.clear()
    db.execute("UPDATE pairs SET a = 2, v = 5")
    assert noted(capture) == {
        ("pairs", GONE, ("a", "b"), (1, "x")),
        ("pairs", WHOLE, ("a", "b", "v"), (2, "x", 5)),
    }


def test_a_row_that_is_replaced_by_another_key_is_gone(db: sqlite3.Connection, capture: Capture) -> None:
    db.execute("INSERT INTO numbered VALUES (1, 'x')")
    capture.clear()
    db.execute("INSERT OR REPLACE INTO numbered VALUES (2, 'x')")
    assert {(name, kind, row) for name, kind, _, row in noted(capture)} == {
        ("numbered", GONE, (1,)),
        ("numbered", WHOLE, (2, "x")),
        ("sequences", WHOLE, ("numbered", 2)),
    }


@pytest.mark.parametrize("policy", ["OR IGNORE", "OR REPLACE"])
def test_the_policy_of_a_statement_is_not_that_of_the_note(
    db: sqlite3.Connection, capture: Capture, policy: str
) -> None:
    """SQLite hands the policy of the outer statement to the triggers' own."""
    db.execute("INSERT INTO pairs VALUES (1, 'x', 0)")
    db.execute("UPDATE pairs SET v = 1")
    db.execute("DELETE FROM pairs")
    db.execute(f"INSERT {policy} INTO pairs VALUES (1, 'x', 2)")  # noqa: S608 - a text of this test
    assert noted(capture) == {("pairs", WHOLE, ("a", "b", "v"), (1, "x", 2))}


def test_a_row_without_a_key_has_its_number(db: sqlite3.Connection, capture: Capture) -> None:
    db.execute("INSERT INTO nameless VALUES (5)")
    capture.clear()
    db.execute("UPDATE nameless SET v = v + 1")
    assert noted(capture) == {("nameless", NARROW, ("rowid", "v"), (1, 6))}


def test_all_rows_that_are_deleted_at_once_are_noted(db: sqlite3.Connection, capture: Capture) -> None:
    db.execute("INSERT INTO nameless VALUES (5), (6)")
    capture.clear()
    db.execute("DELETE FROM nameless")
    assert noted(capture) == {("nameless", GONE, ("rowid",), (1,)), ("nameless", GONE, ("rowid",), (2,))}


def test_what_is_rolled_back_is_not_noted(db: sqlite3.Connection, capture: Capture) -> None:
    db.execute("BEGIN")
    db.execute("INSERT INTO nameless VALUES (5)")
    db.execute("ROLLBACK")
    assert noted(capture) == set()


def test_a_number_that_is_never_used_again_is_shipped_when_it_grows(
    db: sqlite3.Connection, capture: Capture
) -> None:
    db.execute("INSERT INTO numbered (v) VALUES ('a')")
    changes = capture.read()
    assert [change.rows for change in changes if change.table.name == "sequences"] == [[("numbered", 1)]]
    capture.shipped(changes)
    capture.clear()
    db.execute("UPDATE numbered SET v = 'b'")
    assert "sequences" not in {name for name, *_ in noted(capture)}


def test_a_migration_that_adds_is_shipped_as_whole_rows_and_new_tables(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO plain VALUES (1, 'a', x'01', x'02'), (2, 'a', x'01', x'02')")
    capture = Capture(db, coarse=True)
    db.executescript(
        "BEGIN; ALTER TABLE plain ADD COLUMN more INTEGER DEFAULT 3; UPDATE plain SET more = 4 WHERE n = 2;"
        "CREATE TABLE added (n INTEGER PRIMARY KEY); INSERT INTO added VALUES (9); COMMIT"
    )
    capture.renew()
    assert noted(capture) == {
        ("plain", WHOLE, ("n", "small", "lease", "large", "more"), (2, "a", b"\1", b"\2", 4)),
        ("added", WHOLE, ("n",), (9,)),
    }
    capture.clear()
    db.execute("UPDATE plain SET more = 5 WHERE n = 1")
    assert noted(capture) == {("plain", NARROW, ("n", "small", "more"), (1, "a", 5))}
