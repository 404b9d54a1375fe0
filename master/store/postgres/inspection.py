"""Looks at a database without changing it, for ``tq-master check``: would a master start there?"""

from __future__ import annotations

from typing import NamedTuple

from ....common.errors import ConfigError
from ..cluster_files import CERTIFICATE, CLUSTER_ID
from ..shard_files import SHARDS
from .address import DatabaseAddress
from .line import DatabaseAway, PostgresLine
from .remedies import cannot_open, no_rights
from .schema import check_may_prepare, check_rights, check_server, version_of
from .tables import SCHEMA

CONNECT_SECONDS_MAX = 10


class DatabaseFacts(NamedTuple):
    server: int  # its main version
    schema: int | None  # None: no master has been there
    owners: list[tuple[int, str]]  # of shards that are held now
    has_cluster: bool  # a master has begun one there
    shards: bytes | None  # what it says of how many it has, see shard_files.read_number
    pin: bytes | None  # of the cluster's certificate


def inspect_database(address: DatabaseAddress, newest: int) -> DatabaseFacts:
    """Raises ConfigError with what to do."""
    import psycopg

    try:
        line = PostgresLine(address, CONNECT_SECONDS_MAX)
    except DatabaseAway as error:
        raise cannot_open(address, str(error)) from error
    try:
        check_server(line, address)
        schema = version_of(line, newest)
        owners: list[tuple[int, str]] = []
        facts: dict[str, bytes] = {}
        if schema is None:
            check_may_prepare(line, address)
        else:
            check_rights(line, address)
            owners = line.connection.execute(
                f"SELECT shard, owner FROM {SCHEMA}.shards WHERE until > clock_timestamp() ORDER BY shard"
            ).fetchall()
            facts = dict(
                line.connection.execute(
                    f"SELECT name, value FROM {SCHEMA}.meta WHERE shard = 0 AND name IN (%s, %s, %s)",
                    (CLUSTER_ID, SHARDS, CERTIFICATE),
                ).fetchall()
            )
        server = line.connection.info.server_version // 10_000
        return DatabaseFacts(
            server, schema, owners, CLUSTER_ID in facts, facts.get(SHARDS), facts.get(CERTIFICATE)
        )
    except psycopg.errors.InsufficientPrivilege as error:
        raise no_rights(address, line.connection.info.user, str(error).splitlines()[0]) from error
    except psycopg.Error as error:
        raise ConfigError(f"the store {address} cannot be read: {str(error).splitlines()[0]}") from error
    finally:
        line.close()
