"""The table of an outbox: what it is made of, and where it is. Pure.

::

    waiting ──(the master has accepted it)──► sent ──(the master has forgotten it)──► deleted
       │ ▲
       ▼ │ tq outbox retry
    refused ──(tq outbox discard)──► deleted
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ...common.contract.outbox import ROW_BYTES_MAX
from ...common.errors import InvalidArgument
from ...common.values.brief import brief

TABLE: Final = "tq_outbox"
CHANNEL: Final = "tq_outbox"  # of NOTIFY
WAITING, SENT, REFUSED = "waiting", "sent", "refused"
_SCHEMA: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_COLUMNS: Final = "id, queue, task, tasks, body"


class NewRow(NamedTuple):
    """A row as a program inserts it. ``id``: known to the master until the relay has deleted the row."""

    id: bytes
    queue: str
    task: str
    tasks: int
    body: bytes


def table_name(schema: str | None) -> str:
    """As SQL writes it. Without a schema it is found where the connection looks. Raises InvalidArgument."""
    return TABLE if schema is None else f'"{check_schema(schema)}".{TABLE}'


def check_schema(schema: object) -> str:
    if isinstance(schema, str) and _SCHEMA.fullmatch(schema):
        return schema
    raise InvalidArgument(
        f"schema={brief(schema, 80)} is no name of a schema: letters, digits and _, not a digit first, at most 63"
    )


def insert_sql(table: str, mark: str, *, is_postgres: bool) -> str:
    """``mark``: how the driver writes a parameter."""
    id = f"CAST({mark} AS uuid)" if is_postgres else mark
    return f"INSERT INTO {table} ({_COLUMNS}) VALUES ({id}, {mark}, {mark}, {mark}, {mark})"


def named_insert_sql(table: str, *, is_postgres: bool) -> str:
    """The same with names."""
    id = "CAST(:id AS uuid)" if is_postgres else ":id"
    return f"INSERT INTO {table} ({_COLUMNS}) VALUES ({id}, :queue, :task, :tasks, :body)"


def postgres_ddl(schema: str | None, *, notifies: bool = True) -> str:
    """What makes the table in PostgreSQL, also if there is one already."""
    table = table_name(schema)
    made = f'CREATE SCHEMA IF NOT EXISTS "{schema}";\n' if schema is not None else ""
    # A statement and not a row: a thousand rows of one transaction are one wake-up.
    function = f'"{schema}".tq_outbox_notify' if schema is not None else "tq_outbox_notify"
    trigger = f"""
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN NOTIFY {CHANNEL}; RETURN NULL; END$$;
CREATE OR REPLACE TRIGGER tq_outbox_notify AFTER INSERT ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
"""
    return f"""{made}CREATE TABLE IF NOT EXISTS {table} (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       uuid NOT NULL UNIQUE,
    created  timestamptz NOT NULL DEFAULT clock_timestamp(),
    queue    text NOT NULL,
    task     text NOT NULL,
    tasks    integer NOT NULL,
    body     bytea NOT NULL CHECK (octet_length(body) <= {ROW_BYTES_MAX}),
    state    text NOT NULL DEFAULT '{WAITING}'
             CHECK (state IN ('{WAITING}', '{SENT}', '{REFUSED}')),
    moment   timestamptz,
    reason   text
);
CREATE INDEX IF NOT EXISTS tq_outbox_waiting ON {table} (position) WHERE state = '{WAITING}';
CREATE INDEX IF NOT EXISTS tq_outbox_others ON {table} (state, moment) WHERE state <> '{WAITING}';
{trigger if notifies else ""}"""


def sqlite_ddl() -> str:
    """What makes the table in SQLite, also if there is one already. A column there takes values of any type, unless a CHECK says so."""
    return f"""CREATE TABLE IF NOT EXISTS {TABLE} (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id       BLOB NOT NULL UNIQUE CHECK (typeof(id) = 'blob' AND length(id) = 16),
    created  REAL NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0),
    queue    TEXT NOT NULL CHECK (typeof(queue) = 'text'),
    task     TEXT NOT NULL CHECK (typeof(task) = 'text'),
    tasks    INTEGER NOT NULL CHECK (typeof(tasks) = 'integer'),
    body     BLOB NOT NULL CHECK (typeof(body) = 'blob' AND length(body) <= {ROW_BYTES_MAX}),
    state    TEXT NOT NULL DEFAULT '{WAITING}'
             CHECK (state IN ('{WAITING}', '{SENT}', '{REFUSED}')),
    moment   REAL,
    reason   TEXT
);
CREATE INDEX IF NOT EXISTS tq_outbox_waiting ON {TABLE} (position) WHERE state = '{WAITING}';
CREATE INDEX IF NOT EXISTS tq_outbox_others ON {TABLE} (state, moment) WHERE state <> '{WAITING}';
"""
