"""What PostgreSQL says when it fails, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ....common.errors import ConfigError, StoreError, StoreFull
from ..interface.store import StoreAway

if TYPE_CHECKING:
    from .address import DatabaseAddress

DISK_FULL: Final = "53100"
NO_RIGHT: Final = "42501"
NOT_MINE: Final = "22012"  # a division by zero: the condition of each commit, see shard.py
# By class or code: what ends by itself, so it is waited for and tried again.
WAITABLE: Final = (
    "08",  # the connection
    "57P01",  # it is shut down
    "57P02",  # it has crashed
    "57P03",  # it does not take connections yet
    "57P05",  # the session was idle too long
    "25P03",  # or idle in its transaction
    "25P04",  # or its transaction was too long
    "53300",  # too many connections
    "25006",  # a standby: it takes no writes, until it is promoted or another host is found
    "40001",  # a serialization failure, or a conflict with a standby's recovery
    "40P01",  # a deadlock
    "58000",  # of the operating system, and
    "58030",  # a failed read or write
)
GRANTS: Final = (
    "let the owner of the database run, once: CREATE SCHEMA tq AUTHORIZATION {user}; or, if the schema is there: "
    "GRANT USAGE ON SCHEMA tq TO {user}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tq TO {user}"
)


def why_away(text: str, address: DatabaseAddress) -> str:
    """Why no connection was made, in one line."""
    from .address import without_secrets

    lines = [line.strip() for line in without_secrets(text, address).splitlines() if line.strip()]
    seen = dict.fromkeys(lines)
    return "; ".join(list(seen)[:2])


def cannot_open(address: DatabaseAddress, why: str) -> StoreAway:
    text = why.lower()
    if "password" in text or "authentication" in text:
        remedy = (
            "give the password in a file, one line HOST:PORT:DATABASE:USER:PASSWORD that only this user can read, and set "
            "PGPASSFILE to it; and look at the server's pg_hba.conf"
        )
    elif "does not exist" in text and "database" in text:
        remedy = "make it first: createdb NAME"
    elif "does not exist" in text and "role" in text:
        remedy = "make it first: createuser NAME"
    elif "too many" in text or "connection slots" in text:
        remedy = "raise max_connections there (a master needs three, and one for each content that is read), or end some of its clients"
    elif "read-only" in text:
        remedy = (
            "it takes no writes: name the primary, or all hosts with target_session_attrs=read-write; or an administrator has made it so "
            "(SHOW default_transaction_read_only), as a full disk makes some hosts do"
        )
    elif "certificate" in text or "ssl" in text:
        remedy = (
            "name the certificate of its authority: sslrootcert=FILE, and the host as its certificate does"
        )
    else:
        remedy = "check host and port, that it runs, and the firewalls between"
    return StoreAway(f"cannot reach the store {address}: {why}; {remedy}")


def no_rights(address: DatabaseAddress, user: str, what: str) -> ConfigError:
    return ConfigError(
        f"the role {user} has not the rights that a store in {address} needs ({what}); {GRANTS.format(user=user)}"
    )


def store_error(code: str, message: str) -> StoreError:
    """For the callers of a transaction that the database refused: nothing of it was done."""
    text = f"the database says: {message}"
    if code == DISK_FULL:
        error: StoreError = StoreFull(f"{text}; free some space on the disk of the database")
    elif code == NO_RIGHT:
        error = StoreError(f"{text}; {GRANTS.format(user='ROLE')}, where ROLE is the user of --store")
    else:
        error = StoreError(f"{text} ({code})")
    error.maybe_done = False
    return error
