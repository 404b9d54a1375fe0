"""The SQL has no bare numbers of states and outcomes, and no statement that moves a task past the table."""

from __future__ import annotations

import re
from importlib import resources
from typing import Final

import pytest
from tq.master.store.sqlite.statements import by_name, complete, load_statements

# The migrations are not looked at: they are what ran on stores that exist, and stay as they are.
FILES: Final = sorted(
    (file for file in resources.files("tq.master.store.sqlite").joinpath("sql").iterdir()),
    key=lambda file: file.name,
)
COMMENT: Final = re.compile(r"--[^\n]*")
BARE: Final = re.compile(
    r"\b(?:state|outcome)\s*(?:=|==|<>|!=|<=?|>=?|IS|IS\s+NOT|BETWEEN|(?:NOT\s+)?IN\s*\()\s*-?\d"  # state = 3
    r"|\d\s*(?:=|<>|!=|<=?|>=?)\s*:?(?:state|outcome)\b"  # 3 = state
    r"|\bSELECT\s+(?:\w+\s*,\s*)+\d+\b(?!\s+AS\b)",  # SELECT route, 0, count(*)
    re.IGNORECASE,
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_state_or_outcome_is_a_bare_number(file: object) -> None:
    text = COMMENT.sub("", file.read_text("utf-8"))  # type: ignore[attr-defined]
    assert BARE.findall(text) == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE tasks SET state = 3",
        "SELECT 1 FROM tasks WHERE state IN (0, 1)",
        "SELECT 1 FROM tasks WHERE state NOT IN (0)",
        "SELECT 1 FROM tasks WHERE expires > 1 AND state < 3",
        "DELETE FROM attempts WHERE :outcome = 4",
        "DELETE FROM attempts WHERE 4 = outcome",
        "SELECT route, 0, count(*) FROM tasks",
        "SELECT 1 FROM tasks WHERE state BETWEEN 10 AND 15",
    ],
)
def test_a_planted_bare_number_is_found(sql: str) -> None:
    assert BARE.search(sql)


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two statements have the name add"):
        by_name([("add", "INSERT"), ("get", "SELECT"), ("add", "REPLACE")])


def test_every_name_has_become_a_number() -> None:
    assert [name for name, sql in load_statements().items() if re.search(r"[{}]", sql)] == []


@pytest.mark.parametrize(
    "sql", ["SET state = {state.READY} WHERE seq = ?", "SET due = NULL, state = ? WHERE seq = ?"]
)
def test_a_change_of_state_says_which_tasks_it_moves(sql: str) -> None:
    with pytest.raises(ValueError, match="say above it which it moves"):
        complete("planted", f"UPDATE tasks {sql}")


def test_moves_need_their_condition() -> None:
    with pytest.raises(ValueError, match="lacks"):
        complete("planted", "-- moves: READY to RUNNING\nUPDATE tasks SET state = {to} WHERE seq = ?")


def test_a_move_that_is_not_in_the_table_is_no_statement() -> None:
    with pytest.raises(ValueError, match="planted moves tasks from SUCCEEDED to READY"):
        complete("planted", "-- moves: SUCCEEDED to READY\nUPDATE tasks SET state = {to} WHERE {from}")


def test_tasks_are_written_by_statements_whose_states_are_checked() -> None:
    """``insert`` judges the states of new rows (see ``test_moves``), ``insert_single`` keeps the state; all else, ``end_in_slice`` too, that writes a state has ``moves``."""
    inserting = [name for name, sql in load_statements().items() if re.search(r"INTO\s+tasks\b", sql)]
    assert inserting == ["insert_single", "end_in_slice", "insert_plain", "insert"]
