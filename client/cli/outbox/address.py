"""The address of the database that has an outbox, as people write it."""

from __future__ import annotations

import re
import threading
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from ....common.errors import InvalidArgument
from ....common.values.brief import brief
from ...outbox.table import check_schema
from .database import OutboxDatabase

POSTGRES: Final = ("postgresql", "postgres")
EXAMPLES: Final = "postgresql://host/database, or sqlite:///path/of/file"
_WORDS: Final = re.compile(r"\s*[a-z_]+\s*=")  # host=… dbname=…
_USER_PASSWORD: Final = re.compile(r"(://[^:/?#]*):[^/?#]*@")
_QUERY_PASSWORD: Final = re.compile(r"([?&])password=[^&]*&?")
_PASSWORD: Final = re.compile(r"\bpassword\s*=\s*('(?:[^'\\]|\\.)*'|\S+)", re.IGNORECASE)


def shown_address(address: str) -> str:
    """Without its password."""
    if _WORDS.match(address):
        return _PASSWORD.sub("", address).strip()
    # By pattern: taken apart and put together again, an address without a host loses its slashes.
    return _QUERY_PASSWORD.sub(r"\1", _USER_PASSWORD.sub(r"\1@", address)).rstrip("?&")


def has_password(address: str) -> bool:
    """Whether it has one in it, which does not belong into a list of processes."""
    if _WORDS.match(address):
        return _PASSWORD.search(address) is not None
    parts = urlsplit(address)
    return bool(parts.password) or any(name == "password" for name, _ in parse_qsl(parts.query))


def open_database(
    address: str,
    schema: str | None,
    *,
    makes: bool = False,
    listens: bool = False,
    stopped: threading.Event | None = None,
) -> OutboxDatabase:
    """``makes``: a file of SQLite that is not there is made. Raises InvalidArgument, ConfigError and DatabaseLost."""
    if is_postgres(address):
        from .postgres import PostgresOutboxTable

        return PostgresOutboxTable(
            address, shown_address(address), schema=schema, listens=listens, stopped=stopped
        )
    from .sqlite import SqliteOutboxTable

    if schema is not None:
        raise InvalidArgument(f"--schema {schema} is of PostgreSQL, and this is SQLite; leave it out")
    return SqliteOutboxTable(_path(address), makes=makes, stopped=stopped)


def is_postgres(address: str) -> bool:
    """Raises InvalidArgument for what is neither."""
    scheme, separator, _ = address.partition("://")
    # As SQLAlchemy writes it, with a driver: postgresql+psycopg://
    if (separator and scheme in POSTGRES) or _WORDS.match(address):
        return True
    if separator and scheme != "sqlite":
        raise InvalidArgument(
            f"--database {brief(shown_address(address), 80)}: an outbox is in PostgreSQL or SQLite; write {EXAMPLES}"
        )
    return False


def check_address(address: str, schema: str | None, *, is_typed: bool) -> None:
    """Before anything is opened. ``is_typed``: on the command line, which every user of the machine can read."""
    if schema is not None:
        check_schema(schema)
    if is_typed and has_password(address):
        raise InvalidArgument(
            "--database has a password, and what is typed here stands in the list of processes; put the address into TQ_OUTBOX_DATABASE, or "
            "the password into PGPASSWORD or ~/.pgpass"
        )


def _path(address: str) -> str:
    if not address.startswith("sqlite:"):
        return address
    path = address.removeprefix("sqlite:///")
    if path == address or not path:
        raise InvalidArgument(
            f"--database {brief(address, 80)}: write sqlite:///file, with a fourth slash if the path begins with one: sqlite:////var/lib/app.db"
        )
    return path
