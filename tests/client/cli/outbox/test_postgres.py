"""What is of PostgreSQL alone: roles, an ended connection, a missing driver, and a claim that takes too long."""

from __future__ import annotations

import sys

import psycopg
import pytest
from tq.client.cli.outbox import postgres as module
from tq.client.cli.outbox.address import open_database
from tq.client.cli.outbox.database import DatabaseLost, OutboxMissing
from tq.common.errors import ConfigError

from .conftest import new_row, postgres_program


def test_a_role_without_rights_learns_which_grants(postgres_address: str) -> None:
    program = postgres_program(postgres_address)
    with psycopg.connect(postgres_address) as db:
        db.execute("DROP ROLE IF EXISTS poor")
        db.execute("CREATE ROLE poor LOGIN")
        db.execute(
            psycopg.sql.SQL("GRANT USAGE ON SCHEMA {} TO poor").format(
                psycopg.sql.Identifier(program.schema or "")
            )
        )
    poor = open_database(postgres_address.replace("postgres@", "poor@"), program.schema)
    with pytest.raises(
        OutboxMissing, match=r"GRANT SELECT, UPDATE, DELETE ON .*; a program's: GRANT INSERT ON"
    ):
        poor.claim(1, (), ())
    poor.close()


def test_a_program_that_may_only_insert_submits(postgres_address: str) -> None:
    program = postgres_program(postgres_address)
    schema = psycopg.sql.Identifier(program.schema or "")
    with psycopg.connect(postgres_address) as db:
        db.execute("DROP ROLE IF EXISTS inserter")
        db.execute("CREATE ROLE inserter LOGIN")
        db.execute(psycopg.sql.SQL("GRANT USAGE ON SCHEMA {} TO inserter").format(schema))
        db.execute(psycopg.sql.SQL("GRANT INSERT ON {}.tq_outbox TO inserter").format(schema))
    own = program._replace(
        connect=lambda: psycopg.connect(postgres_address.replace("postgres@", "inserter@"))
    )
    own.insert(new_row(), new_row())
    relay = program.open()
    assert relay.counts().waiting == 2
    relay.close()


def test_a_connection_that_the_server_has_ended_is_said_and_its_claim_is_free(postgres_address: str) -> None:
    program = postgres_program(postgres_address)
    [id] = program.insert(new_row())
    relay, other = program.open(), program.open()
    [row] = relay.claim(10, (), ())
    with psycopg.connect(postgres_address) as db:
        db.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE state = 'idle in transaction' AND pid <> pg_backend_pid()"
        )
    assert [one.id for one in other.claim(10, (), ())] == [id]
    with pytest.raises(DatabaseLost):
        relay.settle([row.position], [])
    other.release()
    for one in (relay, other):
        one.close()


def test_the_server_ends_a_claim_of_a_relay_that_is_stopped(
    postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HELD_SECONDS_MAX", 1)
    program = postgres_program(postgres_address)
    program.insert(new_row())
    stopped, other = program.open(), program.open()
    assert stopped.claim(10, (), ())
    found = other.claim(10, (), ())
    while not found:
        other.wait(0.1)
        found = other.claim(10, (), ())
    with pytest.raises(DatabaseLost, match="idle-in-transaction timeout"):
        stopped.settle([found[0].position], [])
    other.close()
    stopped.close()


def test_without_the_driver_the_line_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"pip install 'tq\[postgres\]'"):
        open_database("postgresql:///x", None)


def test_a_server_that_is_not_there_and_an_address_that_is_none(postgres_address: str) -> None:
    with pytest.raises(DatabaseLost, match="does not let us in"):
        open_database("postgresql:///x?host=/nowhere", None)
    with pytest.raises(ConfigError, match="is not a PostgreSQL address"):
        open_database("postgresql:///x?no_such_word=1", None)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_rows_in_a_database_of_another_encoding_are_read_and_set_aside(
    postgres_address: str, encoding: str
) -> None:
    name = f"in_{encoding.lower()}"
    with psycopg.connect(postgres_address, autocommit=True) as db:
        db.execute(
            psycopg.sql.SQL("CREATE DATABASE {} ENCODING {} TEMPLATE template0").format(
                psycopg.sql.Identifier(name), encoding
            )
        )
    program = postgres_program(postgres_address.replace("/outboxes?", f"/{name}?"))
    program.insert(new_row())
    relay = program.open()
    [row] = relay.claim(10, (), ())
    assert (row.queue, row.task) == ("q", "m:f")
    relay.settle([], [(row.position, "Forbidden: … \N{SNOWMAN}\0")])
    [refused] = relay.refused(10)
    assert refused.reason.startswith("Forbidden: ")
    relay.close()
