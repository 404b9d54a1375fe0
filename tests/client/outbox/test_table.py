"""The statements of the outbox's table."""

from __future__ import annotations

import sqlite3

import pytest
from tq.client.outbox.table import insert_sql, named_insert_sql, postgres_ddl, sqlite_ddl, table_name
from tq.common.contract.outbox import ROW_BYTES_MAX
from tq.common.errors import InvalidArgument


@pytest.mark.parametrize("schema", ["", "a b", 'x"; DROP TABLE t; --', "1a", "a" * 64, "é", 5])
def test_a_schema_is_a_plain_name(schema: str) -> None:
    with pytest.raises(InvalidArgument, match="is no name of a schema"):
        table_name(schema)


def test_the_table_has_its_schema_wherever_it_is_named() -> None:
    assert table_name(None) == "tq_outbox"
    ddl = postgres_ddl("jobs")
    assert ddl.startswith('CREATE SCHEMA IF NOT EXISTS "jobs";')
    assert ddl.count('"jobs".tq_outbox') == 6
    assert "TRIGGER" not in postgres_ddl("jobs", notifies=False)
    assert "SCHEMA" not in postgres_ddl(None)


def test_the_id_is_a_uuid_in_postgresql_alone() -> None:
    assert insert_sql("t", "?", is_postgres=False).endswith("VALUES (?, ?, ?, ?, ?)")
    assert insert_sql("t", "%s", is_postgres=True).endswith("VALUES (CAST(%s AS uuid), %s, %s, %s, %s)")
    assert "CAST(:id AS uuid)" in named_insert_sql("t", is_postgres=True)
    assert "VALUES (:id, :queue" in named_insert_sql("t", is_postgres=False)


def test_a_row_that_is_too_large_is_refused_by_the_database_for_every_writer() -> None:
    db = sqlite3.connect(":memory:")
    db.executescript(sqlite_ddl())
    db.executescript(sqlite_ddl())
    sql = insert_sql("tq_outbox", "?", is_postgres=False)
    db.execute(sql, (b"1" * 16, "q", "m:f", 1, b"x" * ROW_BYTES_MAX))
    with pytest.raises(sqlite3.IntegrityError):
        db.execute(sql, (b"2" * 16, "q", "m:f", 1, b"x" * (ROW_BYTES_MAX + 1)))
    db.close()
