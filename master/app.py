"""The composition root: from settings to a running master. Whatever is wrong with them is found before the port opens.

Owns the data directory and, in it, one shard of the cluster or several: their locks, their stores, certificate, keys. Decides nothing
about tasks.

::

    shard 0: lock, store ─► how many shards there are ─► the others ─► an engine around each ─► the cluster's identity, in each
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from ..common.auth.certificate import certificate_der
from ..common.auth.keys import AUTHKEY_ID, check_authkey_strength, make_authkey_verifier
from ..common.auth.leaf import shown_by
from ..common.contract.observe import MasterRow
from ..common.domain.shards import Shard
from ..common.errors import ConfigError, StoreError, TqError
from ..common.runtime.config import MasterSettings
from ..common.version import VERSION
from ..common.wire.tls import server_context
from .addresses import advertised, database_of, me_of
from .engine.clock import read_clock
from .engine.committer import HERE_SECONDS_MAX
from .engine.engine import Engine
from .joining import ending
from .keys.keyring import Keyring
from .keys.own_keys import OwnKeys
from .net.hosted import HostedShards
from .net.server import MasterServer
from .observe.series import Series
from .shard_resources import OpenShard, OpenStore, build_shard, open_store, settings_of
from .store import shard_files
from .store.cluster_files import (
    CERTIFICATE,
    DEFAULT_START,
    NEW_STORE,
    StartOptions,
    claim_store,
    settle_certificate,
)
from .store.interface.store import Displaced, Store
from .store.sqlite.store import newest_schema

if TYPE_CHECKING:
    from .store.postgres.address import DatabaseAddress
    from .store.postgres.store import PostgresStore

FULL: Final = (errno.ENOSPC, errno.EDQUOT)  # a disk, or one's part of it


@dataclass(kw_only=True)
class MasterResources:
    """What a master owns, opened and checked. ``shards``: in the order of their numbers."""

    settings: MasterSettings
    database: DatabaseAddress | None  # None: the stores are files
    shards: Sequence[OpenShard]
    certificate: Path
    certificate_key: Path
    cluster_id: bytes
    new_keys: bool  # keys were made just now

    @property
    def engine(self) -> Engine:
        """Of the first shard: what concerns the cluster is asked there."""
        return self.shards[0].engine

    @property
    def store(self) -> Store:
        return self.engine.store

    def host(self, report: Callable[..., None]) -> HostedShards:
        """A server for each shard. On a running loop."""
        servers: dict[int, MasterServer] = {}
        for shard in self.shards:
            beside = next(iter(servers.values()), None)
            servers[shard.engine.core.shard.number] = self._server(shard, report, beside)
        return HostedShards(servers)

    def _server(
        self, shard: OpenShard, report: Callable[..., None], beside: MasterServer | None
    ) -> MasterServer:
        settings = self.settings
        server = MasterServer(
            shard.engine,
            shard.registry,
            server_context(self.certificate, self.certificate_key, settings.client_ca_file),
            certificate_der(self.certificate),
            cluster_id=self.cluster_id,
            heartbeat_seconds=settings.heartbeat_seconds,
            frame_bytes_max=settings.frame_bytes_max,
            report=report,
            # A database is not waited for on the loop, however quick it has been.
            commit_here_seconds_max=HERE_SECONDS_MAX if self.database is None else 0,
            blob_files=shard.blob_files,
            beside=beside,
        )
        server.transactions.measure_commits(shard.engine.part(Series).commit_took)
        shard.engine.shell_facts = lambda: {
            "commit_seconds": server.transactions.commit_seconds,
        }
        return server

    def introduce(self, port: int) -> None:
        """The port is bound: this is where the others find this master, and what it says of all."""
        if self.database is not None:
            store = cast("PostgresStore", self.store)
            store.introduce(me_of(self.settings, port))
            self.engine.masters = store.masters
            return
        started, address = read_clock().wall / 1000, str(advertised(self.settings, port))
        row = MasterRow(address, socket.gethostname(), True, None, None, started, 0.0, VERSION, None)
        for shard in self.shards:
            shard.engine.masters = lambda: [row]

    def close(self) -> str | None:
        """Close the stores and release their locks; what could not be written, with the remedy."""
        unwritten = [shard.opened.close() for shard in self.shards]
        return "; ".join(filter(None, unwritten)) or None


def open_resources(
    settings: MasterSettings,
    authkey: str | None,
    report: Callable[..., None],
    start: StartOptions = DEFAULT_START,
    displaced: Callable[[str], None] = lambda reason: None,
) -> MasterResources:
    """Check and open everything; raises ConfigError with what to do. ``displaced`` is called, in any thread, when another master has
    taken over."""
    try:
        return _open(settings, authkey, report, start, displaced)
    except TqError:  # some are OSErrors as well
        raise
    except OSError as error:
        where = "" if error.filename is None else f": {error.filename}"
        remedy = "free some space there" if error.errno in FULL else "make it writable for this user"
        raise ConfigError(
            f"cannot use the data directory {settings.data}: {error.strerror}{where}; "
            f"{remedy}, or choose another with --data"
        ) from error


def _open(
    settings: MasterSettings,
    authkey: str | None,
    report: Callable[..., None],
    start: StartOptions,
    displaced: Callable[[str], None],
) -> MasterResources:
    if authkey is not None:
        check_authkey_strength(authkey, settings.bind.host)
    database_of(settings)  # a wrong address is said before anything is made
    os.umask(0o077)  # files that are made from here on can be read by this user only
    opened: list[OpenStore] = []
    try:
        here = shard_files.start_of(settings.data, 0, start)
        opened.append(open_store(settings, report, here, displaced, own_keys=authkey is None))
        first, where = opened[0].store, opened[0].where
        count = shard_files.number_of_shards(first, settings.shards, where)
        if count > 1 and settings.store is not None:
            raise ConfigError(
                "--shards is for a master whose state is in files: a database has one shard in this version; leave it out"
            )
        are_new = [here.new_store]
        for number in range(1, count):
            its = shard_files.start_of(settings.data, number, start)
            opened.append(_open_another(settings, Shard(number, count), first, report, its))
            are_new.append(its.new_store)
        if start.new_store and not any(are_new):
            raise ConfigError(
                f"each of the {count} shards is there, and {NEW_STORE} is for one that is gone: start without it"
            )
        return _build(settings, count, opened, authkey, report, here)
    except BaseException:
        for one in opened:
            one.close()
        raise


def _open_another(
    settings: MasterSettings, shard: Shard, first: Store, report: Callable[..., None], start: StartOptions
) -> OpenStore:
    """Another shard than the first, whose store knows whether it has been made."""
    its = settings_of(settings, shard.number)
    if settings.durability != "memory":
        shard_files.check_is_not_lost(first, settings.data, shard, start)
    # The directory between the cluster's and this one.
    its.data.parent.mkdir(mode=0o700, exist_ok=True)
    return open_store(its, report, start, lambda reason: None, own_keys=False)


def _build(
    settings: MasterSettings,
    count: int,
    opened: Sequence[OpenStore],
    authkey: str | None,
    report: Callable[..., None],
    start: StartOptions,
) -> MasterResources:
    """An engine around each opened store, which all are of one cluster."""
    shards = [build_shard(one, Shard(number, count), report) for number, one in enumerate(opened)]
    where = opened[0].where
    try:
        identity = _identify(shards[0], settings, where, authkey, report, start)
        for shard in shards[1:]:
            _join(shard, shards[0].engine, identity)
        if count > 1:
            shard_files.all_are_made(opened[0].store)
    except Displaced:  # another master was quicker: this one stands by
        raise
    except StoreError as error:
        raise ConfigError(f"cannot write to the store {where}: {error}") from error
    for shard in shards:
        shard.engine.facts = {
            "version": VERSION,
            "cluster_id": identity.cluster_id.hex(),
            "started": read_clock().wall / 1000,
            "data": str(shard.settings.data),
            "store": shard.opened.where,
            "durability": settings.durability,
            "pid": os.getpid(),
            "schema": newest_schema(),
            "certificate": shard.engine.part(Keyring).pin.hex(),
            **({} if count == 1 else {"shard": shard.engine.core.shard.number, "shards": count}),
        }
    return MasterResources(
        settings=settings,
        database=database_of(settings),
        shards=shards,
        certificate=identity.certificate,
        certificate_key=identity.certificate_key,
        cluster_id=identity.cluster_id,
        new_keys=identity.new_keys,
    )


class Identity(NamedTuple):
    cluster_id: bytes
    certificate: Path
    certificate_key: Path
    new_keys: bool


def _identify(
    shard: OpenShard,
    settings: MasterSettings,
    where: str,
    authkey: str | None,
    report: Callable[..., None],
    start: StartOptions,
) -> Identity:
    """Read the cluster's identity, or make it: its id, then its certificate, then its keys, each stored before the next is made."""
    engine, durable = shard.engine, settings.durability != "memory"
    store = engine.store
    record = partial(shard_files.record, shards=engine.core.shard.of)
    cluster_id = claim_store(
        store, settings.data, where, os.urandom, durable=durable, start=start, record=record
    )
    store.begin()
    known = store.get_meta(CERTIFICATE)
    store.rollback()
    certificate, key, pin = settle_certificate(known, settings.data, where, start, report)
    if (text := ending(certificate)) is not None:
        report("certificate.ends", level="warning", text=text)
    engine.part(Keyring).pin = pin
    engine.start(read_clock())
    now = engine.now
    store.begin()
    if pin != known:
        store.set_meta(CERTIFICATE, pin)
    own, new_keys = (
        OwnKeys(engine.part(Keyring), settings.data, adopt=start.new_store or not durable),
        False,
    )
    # One that has joined a cluster finds its keys there, and makes none of its own.
    has_joined = shown_by(certificate_der(certificate)).leaf is not None and known is not None
    if authkey is not None:
        engine.part(Keyring).put(make_authkey_verifier(authkey, cluster_id, created=now.steady))
    elif not has_joined:
        if engine.part(Keyring).find(AUTHKEY_ID) is not None:
            engine.part(Keyring).revoke(AUTHKEY_ID, [])  # it was for an earlier start
        new_keys = own.prepare(now)
    engine.timeline.keep(now, always=True)  # so that the log of a store that is open is never empty
    store.commit()
    own.write()
    for file in own.replaced:
        report("key.replaced", level="warning", file=str(file))
    return Identity(cluster_id, certificate, key, new_keys)


def _join(shard: OpenShard, first: Engine, identity: Identity) -> None:
    """Another shard than the first: the same cluster, certificate and keys."""
    engine, file = shard.engine, shard.opened.where
    shard_files.claim(engine.store, file, identity.cluster_id, engine.core.shard)
    keyring, pin = engine.part(Keyring), first.part(Keyring).pin
    keyring.pin = pin
    engine.start(read_clock())
    engine.store.begin()
    if engine.store.get_meta(CERTIFICATE) != pin:
        engine.store.set_meta(CERTIFICATE, pin)
    keyring.take_over(first.part(Keyring).stored())
    engine.timeline.keep(engine.now, always=True)
    engine.store.commit()
