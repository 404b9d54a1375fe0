"""The composition root: from settings to a running master. Whatever is wrong with them is found before the port opens.

Owns the data directory and, in it, one shard of the cluster or several: their locks, their stores, certificate, keys. Decides nothing
about tasks.

::

    shard 0: lock, store ─► how many shards there are ─► the others ─► an engine around each ─► the cluster's identity, in each
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..common.auth.certificate import certificate_der
from ..common.auth.keys import check_authkey_strength
from ..common.auth.leaf import shown_by
from ..common.contract.observe import MasterRow
from ..common.domain.shards import ONLY_SHARD, Shard
from ..common.errors import ConfigError, StoreError, TqError
from ..common.runtime.config import MasterSettings
from ..common.version import VERSION
from ..common.wire.tls import server_context
from .addresses import advertised, database_of, me_of
from .cluster_identity import Identity, describe, identify, join
from .engine.clock import read_clock
from .engine.committer import HERE_SECONDS_MAX
from .engine.engine import Engine
from .keys.keyring import Keyring, verifier_of
from .keys.revoked_leaves import REVOKED, check_not_revoked
from .net.context import PortContext, ServerIdentity
from .net.hosted import HostedShards, unknown
from .net.server import MasterServer
from .observe.series import Series
from .process_place import ProcessPlace
from .shard_resources import OpenShard, OpenStore, build_shard, cannot_use, open_store, settings_of
from .shards_of_a_database import open_others
from .shared_cluster import SharedCluster, enter
from .store import shard_files
from .store.cluster_files import (
    CERTIFICATE,
    CLUSTER_ID,
    DEFAULT_START,
    NEW_STORE,
    STORE_FILE,
    StartOptions,
    settle_certificate,
)
from .store.interface.store import Displaced, OwnedElsewhere, Store
from .store.sqlite.inspection import ClusterFacts, read_cluster

if TYPE_CHECKING:
    from .store.postgres.address import DatabaseAddress
    from .store.postgres.store import PostgresStore


def _unheard(reason: str) -> None:
    """No one listens for it."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How a master opens what it owns. ``report``: the log. ``start``: what its first start is to make, or make again. ``displaced``: called,
    in any thread, when another master has taken over. ``place``: of this process among several."""

    settings: MasterSettings
    authkey: str | None
    report: Callable[..., None]
    start: StartOptions = DEFAULT_START
    displaced: Callable[[str], None] = _unheard
    place: ProcessPlace | None = None


@dataclass(kw_only=True)
class MasterResources:
    """What a master owns, opened and checked. ``shards``: in the order of their numbers; ``count``: how many the cluster has. ``shared``:
    this master shares them with others of its database, so that they come and go."""

    settings: MasterSettings
    database: DatabaseAddress | None  # None: the stores are files
    shards: list[OpenShard]
    count: int
    shared: SharedCluster | None = None
    certificate: Path
    certificate_key: Path
    cluster_id: bytes
    new_keys: bool  # keys were made just now
    place: ProcessPlace | None = None  # of this process among several

    @property
    def engine(self) -> Engine:
        """Of the first shard: what concerns the cluster is asked there."""
        return self.shards[0].engine

    @property
    def store(self) -> Store:
        return self.engine.store

    def host(self, report: Callable[..., None]) -> HostedShards:
        """A server for each shard. On a running loop."""
        settings = self.settings
        identity = ServerIdentity(
            server_context(self.certificate, self.certificate_key, settings.client_ca_file),
            certificate_der(self.certificate),
            self.cluster_id,
            settings.heartbeat_seconds,
            settings.frame_bytes_max,
            self.count,
        )
        port = PortContext(identity, asyncio.get_running_loop(), report)
        servers = {shard.engine.core.shard.number: self.server_of(shard, port) for shard in self.shards}
        return HostedShards(port, servers, unknown if self.place is None else self.place.owner)

    def server_of(self, shard: OpenShard, port: PortContext) -> MasterServer:
        server = MasterServer(
            shard.engine,
            shard.registry,
            port,
            # A database is not waited for on the loop, however quick it has been.
            commit_here_seconds_max=HERE_SECONDS_MAX if self.database is None else 0,
            blob_files=shard.blob_files,
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
        numbers = [shard.engine.core.shard.number for shard in self.shards]
        hosted = None if self.engine.core.shard == ONLY_SHARD else numbers
        leaf = shown_by(certificate_der(self.certificate)).leaf
        name, until = (socket.gethostname(), None) if leaf is None else (leaf.name, leaf.until.timestamp())
        row = MasterRow(address, name, True, None, None, started, 0.0, VERSION, until, hosted)
        for shard in self.shards:
            shard.engine.masters = lambda: [row]

    def close(self) -> str | None:
        """Close the stores and release their locks; what could not be written, with the remedy."""
        # The first one last: while this master has it, no other begins to take the rest.
        unwritten = [shard.opened.close() for shard in reversed(self.shards)]
        if self.shared is not None:
            unwritten.append(self.shared.lock.release(closed=True))
        return "; ".join(filter(None, unwritten)) or None


def open_master(opening: Opening) -> MasterResources:
    """As ``open_resources``; but of a database with several shards, which its masters share, none is open yet. The first start makes all
    of them, and releases them again."""
    settings, authkey, report = opening.settings, opening.authkey, opening.report
    shared, new_keys = enter(settings, authkey, report, opening.start), False
    if shared is None:
        resources = open_resources(opening)
        if resources.database is None or resources.count == 1:
            return resources
        new_keys = resources.new_keys
        if unwritten := resources.close():
            raise ConfigError(unwritten)
        shared = enter(settings, authkey, report, DEFAULT_START)
        if shared is None:
            raise OwnedElsewhere("another master has changed the certificate of the cluster meanwhile")
    identity = shared.identity
    return MasterResources(
        settings=settings,
        database=shared.database,
        shards=[],
        count=shared.count,
        shared=shared,
        certificate=identity.certificate,
        certificate_key=identity.certificate_key,
        cluster_id=identity.cluster_id,
        new_keys=new_keys,
    )


def open_resources(opening: Opening) -> MasterResources:
    """Check and open every shard; raises ConfigError with what to do."""
    place = opening.place
    try:
        if place is not None and place.number:
            return _open_others(opening, place)
        return _open(opening)
    except TqError:  # some are OSErrors as well
        raise
    except OSError as error:
        raise cannot_use(opening.settings.data, error) from error


def _open(opening: Opening) -> MasterResources:
    settings, report, start, place = opening.settings, opening.report, opening.start, opening.place
    _check_authkey(opening)
    database_of(settings)  # a wrong address is said before anything is made
    here = shard_files.start_of(settings.data, 0, start)
    left, count = _left_by_first(settings, here), 1
    if left is not None:
        count = shard_files.number_without_first(left.meta, str(settings.data / shard_files.FOLDER))
        shard_files.check_number(count, settings.shards, str(settings.data))
    opened: dict[int, OpenStore] = {}
    try:
        opened[0] = open_store(settings, report, here, opening.displaced, own_keys=opening.authkey is None)
        first, where = opened[0].store, opened[0].where
        if left is None:
            count = shard_files.number_of_shards(first, settings.shards, where)
        if settings.store is not None:
            opened |= open_others(settings, count, first, report, opening.displaced)
            return _build(opening, count, opened, here, left)
        are_new = [here.new_store]
        numbers = range(count) if place is None else place.shards(count)
        for number in numbers[1:]:
            its = shard_files.start_of(settings.data, number, start)
            opened[number] = _open_another(settings, Shard(number, count), first, report, its)
            are_new.append(its.new_store)
        if start.new_store and not any(are_new):
            raise ConfigError(
                f"each of the {count} shards is there, and {NEW_STORE} is for one that is gone: start without it"
            )
        return _build(opening, count, opened, here, left)
    except BaseException:
        _close(opened)
        raise


def _check_authkey(opening: Opening) -> None:
    if opening.authkey is not None:
        check_authkey_strength(opening.authkey, opening.settings.bind.host)


def _open_others(opening: Opening, place: ProcessPlace) -> MasterResources:
    """In a process that does not host shard 0: what is the cluster's is read from the store there, which another process has open."""
    settings, report = opening.settings, opening.report
    _check_authkey(opening)
    where = settings.data / STORE_FILE
    cluster = read_cluster(where)
    if cluster is None or not shard_files.is_complete(cluster.meta):
        raise ConfigError(
            f"{where} is not that of a cluster whose shards have all been made; start tq-master without this process"
        )
    count = shard_files.read_number(cluster.meta.get(shard_files.SHARDS), str(where))
    pin = cluster.meta[CERTIFICATE]
    certificate, key, _ = settle_certificate(pin, settings.data, str(where), DEFAULT_START, report)
    check_not_revoked(shown_by(certificate_der(certificate)).leaf, cluster.meta.get(REVOKED))
    identity = Identity(cluster.meta[CLUSTER_ID], certificate, key, False)
    opened: dict[int, OpenStore] = {}
    try:
        for number in place.shards(count):
            if not shard_files.is_there(shard_files.folder_of(settings.data, number)):
                raise ConfigError(shard_files.lost(settings.data, Shard(number, count)))
            its = settings_of(settings, number)
            opened[number] = open_store(its, report, DEFAULT_START, lambda reason: None, own_keys=False)
        shards = [build_shard(one, Shard(number, count), report) for number, one in opened.items()]
        keys = [verifier_of(row) for row in cluster.keys]
        for shard in shards:
            join(shard, pin, keys, identity)
    except StoreError as error:
        _close(opened)
        raise ConfigError(f"cannot write to a store in {settings.data}: {error}") from error
    except BaseException:
        _close(opened)
        raise
    return _resources(settings, shards, identity, place)


def _close(opened: Mapping[int, OpenStore]) -> None:
    """The first one last, see ``MasterResources.close``."""
    for one in reversed(list(opened.values())):
        one.close()


def _left_by_first(settings: MasterSettings, start: StartOptions) -> ClusterFacts | None:
    """What another shard knows of the cluster when shard 0 is a new one in the place of one that is gone."""
    if not start.new_store or settings.durability == "memory":
        return None
    others = (read_cluster(folder / STORE_FILE) for folder in shard_files.folders_of(settings.data)[1:])
    return next((one for one in others if one is not None and CLUSTER_ID in one.meta), None)


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
    opening: Opening,
    count: int,
    opened: Mapping[int, OpenStore],
    start: StartOptions,
    left: ClusterFacts | None,
) -> MasterResources:
    """An engine around each opened store, which all are of one cluster. ``start``: of the first shard."""
    settings, report = opening.settings, opening.report
    shards = [build_shard(one, Shard(number, count), report) for number, one in opened.items()]
    where = opened[0].where
    try:
        identity = identify(shards[0], settings, where, opening.authkey, report, start, left)
        keyring = shards[0].engine.part(Keyring)
        for shard in shards[1:]:
            join(shard, keyring.pin, keyring.stored(), identity)
        if 1 < count == len(shards):
            shard_files.all_are_made(opened[0].store)
    except Displaced:  # another master was quicker: this one stands by
        raise
    except StoreError as error:
        raise ConfigError(f"cannot write to the store {where}: {error}") from error
    return _resources(settings, shards, identity, opening.place)


def _resources(
    settings: MasterSettings, shards: Sequence[OpenShard], identity: Identity, place: ProcessPlace | None
) -> MasterResources:
    for shard in shards:
        describe(shard, identity)
    return MasterResources(
        settings=settings,
        database=database_of(settings),
        shards=list(shards),
        count=shards[0].engine.core.shard.of,
        certificate=identity.certificate,
        certificate_key=identity.certificate_key,
        cluster_id=identity.cluster_id,
        new_keys=identity.new_keys,
        place=place,
    )
