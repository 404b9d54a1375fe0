"""The schema of the database: made by the first master, added to by a newer one, compared by each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from ....common.errors import ConfigError
from .address import DatabaseAddress
from .bounds import LOCKED, begin
from .line import PostgresLine
from .remedies import NO_RIGHT, no_rights
from .tables import FIRST, SCHEMA, SEQUENCE_TABLE, KeptTable, additions, later

SERVER_MIN: Final = 130000
# So many versions may the database be ahead of a master: a newer one was there and has only added
AHEAD_MAX: Final = 1
PREPARE_TRIES: Final = 20
# For a table: who waits for it holds up all that come later, so also the master that serves. But more than a second, or autovacuum would
# not give way (deadlock_timeout).
PREPARE_LOCK_SECONDS: Final = 2.0
PREPARE_PAUSE_SECONDS: Final = 1.0  # in which these go on
OUTDONE: Final = ("42P06", "42P07", "23505")  # another master made it at the same moment


def prepare(line: PostgresLine, address: DatabaseAddress, tables: Sequence[KeptTable], version: int) -> int:
    """Make what is missing; the version that the database has then. Raises ConfigError."""
    import psycopg

    check_server(line, address)
    outdone = 0
    for _ in range(PREPARE_TRIES):
        try:
            return _prepare(line, tables, version)
        except psycopg.Error as error:
            if error.sqlstate == NO_RIGHT:
                raise no_rights(address, _user(line), str(error).splitlines()[0]) from error
            if error.sqlstate == LOCKED:
                time.sleep(PREPARE_PAUSE_SECONDS)
                continue
            outdone += error.sqlstate in OUTDONE
            if error.sqlstate not in OUTDONE or outdone == 2:
                raise ConfigError(
                    f"the store {address} cannot be prepared: {str(error).splitlines()[0]}"
                ) from error
    raise ConfigError(
        f"the store {address} cannot be prepared: a transaction holds its tables, such as that of a backup; start again when it is over, or end it: "
        "SELECT pid, xact_start, query FROM pg_stat_activity WHERE xact_start < now() - interval '10 s'"
    )


def warn_of(line: PostgresLine, report: Callable[..., Any], *, durable: bool) -> None:
    """Settings of the server by which an acknowledged task could be lost."""
    for name in ("fsync", "full_page_writes"):
        if durable and _one(line, f"SHOW {name}") == "off":
            report("database.careless", level="warning", setting=name)


def _prepare(line: PostgresLine, tables: Sequence[KeptTable], version: int) -> int:
    connection = line.connection
    wanted = [*tables, SEQUENCE_TABLE]
    there = _columns(line)
    with connection.transaction():
        connection.execute(begin(PREPARE_LOCK_SECONDS)[1].text)
        if "cluster" not in there:
            if _one(line, f"SELECT to_regnamespace('{SCHEMA}')") is None:
                connection.execute(f"CREATE SCHEMA {SCHEMA}")
            for text in (*FIRST[:-1], *additions(wanted, there), FIRST[-1]):
                connection.execute(text.encode())
            connection.execute(f"INSERT INTO {SCHEMA}.cluster (schema) VALUES (%s)", (version,))
            return version
        for text in later(there):
            connection.execute(text.encode())
        have = version_of(line, version) or 0
        if have < version:
            for text in additions(wanted, there):
                connection.execute(text.encode())
            connection.execute(
                f"UPDATE {SCHEMA}.cluster SET schema = %s WHERE schema < %s", (version, version)
            )
        return max(have, version)


def version_of(line: PostgresLine, newest: int) -> int | None:
    """Of the schema that is there; None: there is none. Raises ConfigError for one that this program does not know."""
    if _one(line, f"SELECT to_regclass('{SCHEMA}.cluster')") is None:
        return None
    have = int(_one(line, f"SELECT schema FROM {SCHEMA}.cluster"))
    if have > newest + AHEAD_MAX:
        raise ConfigError(
            f"the database has schema version {have}, this tq-master knows {newest}; start the newer tq-master that wrote it, "
            "or name another database with --store"
        )
    return have


def check_rights(line: PostgresLine, address: DatabaseAddress) -> None:
    """Whether this role may read and write the tables. Raises ConfigError."""
    refused = line.connection.execute(
        "SELECT c.relname, p.wanted FROM pg_class c CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) p(wanted) "
        "WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = 'r' AND NOT has_table_privilege(c.oid, p.wanted) LIMIT 1",
        (SCHEMA,),
    ).fetchall()
    for table, right in refused:
        raise no_rights(address, _user(line), f"no {right} on {SCHEMA}.{table}")


def check_may_prepare(line: PostgresLine, address: DatabaseAddress) -> None:
    """Whether this role may make the schema and its tables. Raises ConfigError."""
    if not _one(
        line,
        f"SELECT CASE WHEN to_regnamespace('{SCHEMA}') IS NULL THEN has_database_privilege(current_database(), 'CREATE') "
        f"ELSE has_schema_privilege('{SCHEMA}', 'CREATE') END",
    ):
        raise no_rights(address, _user(line), f"no CREATE, and there are no tables in schema {SCHEMA} yet")


def check_server(line: PostgresLine, address: DatabaseAddress) -> None:
    version = line.connection.info.server_version
    if version < SERVER_MIN:
        raise ConfigError(f"{address} is PostgreSQL {version // 10000}; tq needs 13 or newer")
    if _one(line, "SHOW server_encoding") != "UTF8":
        raise ConfigError(
            f"the database {address} is not in UTF-8, and names of tasks may be in any script; make one that is: "
            "createdb --encoding=UTF8 --template=template0 NAME"
        )
    if _one(line, "SELECT pg_is_in_recovery()"):
        raise ConfigError(
            f"{address} is a standby, which takes no writes; name the primary, or all hosts with target_session_attrs=read-write: "
            "postgresql://USER@A,B/DATABASE?target_session_attrs=read-write"
        )


def _columns(line: PostgresLine) -> dict[str, set[str]]:
    """Of each table that is there, the columns."""
    found: dict[str, set[str]] = {}
    for table, column in line.connection.execute(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped",
        (SCHEMA,),
    ):
        found.setdefault(table, set()).add(column)
    return found


def _user(line: PostgresLine) -> str:
    return str(_one(line, "SELECT current_user"))


def _one(line: PostgresLine, sql: str) -> Any:
    row = line.connection.execute(sql.encode()).fetchone()
    return None if row is None else next(iter(row))
