"""A cluster of several shards in a database, whose masters share these: what one of them has to know to open any shard. Composition, as
``app.py``.

::

    enter ─► its rows of shard 0: how many shards, id, pin, is this host's certificate one of it? ─► SharedCluster
    open(shard) ─► claimed, loaded ─► the keys that shard 0 has now ─► an engine around it

The first master of a database makes all shards before there is anything to share.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..common.auth.certificate import CERTIFICATE_FILE, certificate_der
from ..common.auth.keys import AUTHKEY_ID, Verifier, check_authkey_strength, make_authkey_verifier
from ..common.auth.leaf import shown_by
from ..common.domain.shards import Shard
from ..common.errors import ConfigError, StoreError, TqError
from ..common.runtime.config import MasterSettings
from .addresses import database_of
from .cluster_identity import Identity, describe, identify, join
from .keys.keyring import verifier_of
from .keys.revoked_leaves import REVOKED, check_not_revoked
from .shard_resources import OpenShard, build_shard, cannot_use, open_store, settings_of
from .store import shard_files
from .store.cluster_files import (
    CERTIFICATE,
    CLUSTER_ID,
    DEFAULT_START,
    StartOptions,
    problems,
    settle_certificate,
)
from .store.data_directory import make_directory
from .store.directory_lock import DataLock
from .store.interface.keys import KeyRow
from .store.interface.store import Displaced

if TYPE_CHECKING:
    from .store.postgres.address import DatabaseAddress
    from .store.postgres.line import PostgresLine
    from .store.postgres.store import PostgresStore

Report = Callable[..., Any]


@dataclass(kw_only=True)
class SharedCluster:
    """``lock``: of the data directory, which shard 0 has no other of. Used by several threads at a time, each for another shard."""

    settings: MasterSettings
    database: DatabaseAddress
    count: int
    identity: Identity
    pin: bytes  # of its certificate
    authkey: str | None
    lock: DataLock
    report: Report

    def connect(self) -> PostgresLine:
        """Raises DatabaseAway."""
        return _connect(self.database)

    def open(self, number: int, displaced: Callable[[str], None]) -> OpenShard:
        """Take a shard that is free, and load it. ``displaced``: called in any thread when another master has taken it. Raises
        OwnedElsewhere, Displaced, StoreAway, ConfigError."""
        try:
            return self._open(number, displaced)
        except TqError:  # some are OSErrors as well
            raise
        except OSError as error:
            raise cannot_use(self.settings.data, error) from error

    def _open(self, number: int, displaced: Callable[[str], None]) -> OpenShard:
        settings = settings_of(self.settings, number)
        settings.data.parent.mkdir(
            mode=0o700, exist_ok=True
        )  # the directory between the cluster's and the shard's own
        own_keys = number == 0 and self.authkey is None
        opened = open_store(
            settings,
            self.report,
            DEFAULT_START,
            displaced,
            own_keys=own_keys,
            number=number,
            shared=self.lock,
        )
        try:
            shard = build_shard(opened, Shard(number, self.count), self.report)
            shard_files.check_has_rows(opened.store, opened.where, shard.engine.core.shard)
            if number == 0:
                identify(shard, self.settings, opened.where, self.authkey, self.report, DEFAULT_START, None)
            else:
                # Asked for when this master has the shard: what was changed in both before is known by now.
                join(shard, self.pin, self._keys(cast("PostgresStore", opened.store)), self.identity)
        except Displaced:
            opened.close()
            raise
        except StoreError as error:
            opened.close()
            raise ConfigError(f"cannot write to the store {opened.where}: {error}") from error
        except BaseException:
            opened.close()
            raise
        describe(shard, self.identity)
        return shard

    def _keys(self, store: PostgresStore) -> list[Verifier]:
        """As shard 0 has them. Raises StoreAway."""
        import psycopg

        from .store.postgres.remedies import cannot_open
        from .store.postgres.store import rows_of_first

        try:
            rows = rows_of_first(store, "keys")
        except psycopg.Error as error:
            raise cannot_open(self.database, str(error).splitlines()[0]) from error
        stored = [verifier_of(KeyRow(*(row[name] for name in KeyRow._fields))) for row in rows]
        # The master of shard 0 may have been started with another one, before a change of it.
        own = self._authkey
        if own is None:
            return stored
        known = next((key for key in stored if key.key_id == AUTHKEY_ID), None)
        return [*(key for key in stored if key.key_id != AUTHKEY_ID), own.with_quota_of(known)]

    @cached_property
    def _authkey(self) -> Verifier | None:
        return None if self.authkey is None else make_authkey_verifier(self.authkey, self.identity.cluster_id)


def enter(
    settings: MasterSettings, authkey: str | None, report: Report, start: StartOptions
) -> SharedCluster | None:
    """None: its masters share nothing, because it has one shard, or is still to be made; or because this start is about what no other
    master may go on with, such as another certificate: then this one takes all shards or none. Raises ConfigError, StoreAway."""
    database = database_of(settings)
    if database is None or start != DEFAULT_START:
        return None
    import psycopg

    from .store.postgres.cluster_seen import cluster_meta
    from .store.postgres.line import DatabaseAway
    from .store.postgres.remedies import cannot_open
    from .store.postgres.schema import warn_of
    from .store.postgres.store import check

    try:
        with closing(_connect(database)) as line:
            meta = cluster_meta(line)
            if not shard_files.is_complete(meta) or _own_pin(settings.data) != meta[CERTIFICATE]:
                return None
            count = shard_files.read_number(meta[shard_files.SHARDS], str(database))
            shard_files.check_number(count, settings.shards, str(database))
            if authkey is not None:
                check_authkey_strength(authkey, settings.bind.host)
            check(line, database)
            warn_of(line, report, durable=settings.durability == "fsync")
    except DatabaseAway as error:
        raise cannot_open(database, str(error)) from error
    except psycopg.Error as error:
        raise cannot_open(database, str(error).splitlines()[0]) from error
    make_directory(settings.data)
    lock = DataLock(settings.data)
    try:
        if wrong := problems(settings.data, durable=False, own_keys=authkey is None, start=start):
            raise ConfigError("\n".join(wrong))
        certificate, key, pin = settle_certificate(
            meta[CERTIFICATE], settings.data, str(database), start, report
        )
        check_not_revoked(shown_by(certificate_der(certificate)).leaf, meta.get(REVOKED))
    except BaseException:
        lock.release(closed=lock.was_closed)
        raise
    return SharedCluster(
        settings=settings,
        database=database,
        count=count,
        identity=Identity(meta[CLUSTER_ID], certificate, key, False),
        pin=pin,
        authkey=authkey,
        lock=lock,
        report=report,
    )


def _own_pin(data: Path) -> bytes | None:
    certificate = data / CERTIFICATE_FILE
    return shown_by(certificate_der(certificate)).pin if certificate.exists() else None


def _connect(database: DatabaseAddress) -> PostgresLine:
    from .store.postgres.line import PostgresLine
    from .store.postgres.store import CONNECT_SECONDS_MAX

    return PostgresLine(database, CONNECT_SECONDS_MAX)
