"""One connection: what it asks the database to keep between two transactions, and what follows where that is not kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tq.master.store.postgres.line import NAME_BYTES, DatabaseRefused, PostgresLine, Statement

TEXT = 25
SAYS = Statement(b"SELECT $1 || '!'", [b"x"], [TEXT])
FAILS = Statement(b"SELECT 1 / length($1)", [b""], [TEXT])
NONSENSE = Statement(b"SELEKT $1", [b"x"], [TEXT])


@pytest.fixture
def line(owners_database: Any) -> Iterator[PostgresLine]:
    line = PostgresLine(owners_database, 10)
    yield line
    line.close()


def said(line: PostgresLine, *statements: Statement) -> list[bytes | None]:
    return [result.get_value(0, 0) for result in line.run(statements, 10)]


def kept(line: PostgresLine) -> list[tuple[str, int, int]]:
    """Prepared statements with how often each was planned: for its values, and for all."""
    found = line.connection.execute(
        "SELECT name, custom_plans, generic_plans FROM pg_prepared_statements WHERE name LIKE 'tq%' ORDER BY name"
    )
    return [(name, custom, generic) for name, custom, generic in found.fetchall()]


def test_a_statement_is_parsed_once_for_a_connection(line: PostgresLine) -> None:
    for _ in range(3):
        assert said(line, SAYS, SAYS) == [b"x!", b"x!"]
    [(name, custom, generic)] = kept(line)
    assert (name, custom + generic) == (SAYS.name.decode(), 6)
    assert len(name) == len("tq_") + 2 * NAME_BYTES


def test_the_same_text_with_values_of_another_type_is_another_statement(line: PostgresLine) -> None:
    number = Statement(b"SELECT $1", [(7).to_bytes(4, "big")], [23])
    assert said(line, Statement(b"SELECT $1", [b"x"], [TEXT]), number) == [b"x", (7).to_bytes(4, "big")]
    assert len(kept(line)) == 2


def test_where_statements_are_not_kept_they_are_sent_without_names_from_then_on(line: PostgresLine) -> None:
    said(line, SAYS)
    line.connection.execute(
        "DEALLOCATE ALL"
    )  # as behind a pooler: the next transaction has another connection
    assert said(line, SAYS) == [b"x!"]
    assert said(line, SAYS, Statement(b"SELECT 'new'")) == [b"x!", b"new"]
    assert kept(line) == []


def test_where_another_has_prepared_the_same_it_is_sent_without_a_name(line: PostgresLine) -> None:
    line.connection.execute(f"PREPARE {SAYS.name.decode()} (text) AS SELECT $1 || '!'".encode())
    assert said(line, Statement(b"SELECT 'first'"), SAYS) == [b"first", b"x!"]
    assert said(line, SAYS) == [b"x!"]


def test_a_transaction_that_is_sent_again_without_names_is_done_once(line: PostgresLine) -> None:
    line.connection.execute("CREATE TABLE noted (v text)")
    note = Statement(b"INSERT INTO noted VALUES ($1)", [b"x"], [TEXT])
    pipeline = [Statement(b"BEGIN"), note, SAYS, Statement(b"COMMIT")]
    line.run([SAYS], 10)
    line.connection.execute(f"DEALLOCATE {SAYS.name.decode()}".encode())
    line.run(pipeline, 10)
    assert line.connection.execute("SELECT count(*) FROM noted").fetchall() == [(1,)]


def test_what_was_not_prepared_because_of_an_error_before_it_is_prepared_the_next_time(
    line: PostgresLine,
) -> None:
    with pytest.raises(DatabaseRefused, match="division by zero"):
        line.run([FAILS, SAYS], 10)
    assert said(line, SAYS) == [b"x!"]
    assert [name for name, *_ in kept(line)] == sorted([FAILS.name.decode(), SAYS.name.decode()])


def test_a_statement_that_is_none_is_refused_as_it_is(line: PostgresLine) -> None:
    for _ in range(2):
        with pytest.raises(DatabaseRefused, match="syntax error") as raised:
            line.run([NONSENSE], 10)
        assert raised.value.code == "42601"
    assert said(line, SAYS) == [b"x!"]
