"""The composition root: from settings to a running master. Whatever is wrong with them is found before the port opens.

Owns the data directory: lock, store, certificate, keys. Decides nothing about tasks.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from ..common.auth.certificate import CERTIFICATE_FILE, certificate_der
from ..common.auth.keys import AUTHKEY_ID, check_authkey_strength, make_authkey_verifier
from ..common.auth.leaf import shown_by
from ..common.contract.observe import MasterRow
from ..common.errors import ConfigError, StoreError, TqError
from ..common.runtime.config import MasterSettings
from ..common.runtime.history import open_history
from ..common.version import VERSION
from ..common.wire.address import Address
from ..common.wire.tls import server_context
from .api.registry import Registry
from .blobs.database_files import DatabaseFiles
from .blobs.files import BlobFiles
from .engine.clock import read_clock
from .engine.committer import HERE_SECONDS_MAX
from .engine.core import Core
from .engine.engine import Engine
from .engine.limits import ENVELOPE_BYTES_MAX, EngineLimits
from .joining import ending
from .keys.keyring import Keyring
from .keys.own_keys import OwnKeys
from .net.server import MasterServer
from .observe.disk import DiskProbe
from .observe.series import Series
from .parts import make_engine, make_registry
from .store.cluster_files import (
    BLOBS,
    CERTIFICATE,
    DEFAULT_START,
    STORE_FILE,
    StartOptions,
    claim_store,
    has_lost_log,
    log_of,
    problems,
    settle_certificate,
    traces,
)
from .store.data_directory import make_directory
from .store.directory_lock import DataLock
from .store.interface.store import Store
from .store.recording import RecordingStore
from .store.reserve import ReserveFile
from .store.sqlite.compaction import copy_of
from .store.sqlite.store import SqliteStore, newest_schema

if TYPE_CHECKING:
    from .store.postgres.address import DatabaseAddress
    from .store.postgres.masters import Me
    from .store.postgres.store import PostgresStore

REGISTERED: Final = "TQ_REGISTERED"  # what a manager that starts a master serves there; not a setting
FULL: Final = (errno.ENOSPC, errno.EDQUOT)  # a disk, or one's part of it
VOLATILE_BLOBS: Final = "blobs.volatile"


@dataclass(kw_only=True)
class MasterResources:
    """What a master owns, opened and checked."""

    settings: MasterSettings
    database: DatabaseAddress | None  # None: the store is a file
    lock: DataLock
    store: Store
    engine: Engine
    registry: Registry
    blob_files: BlobFiles
    certificate: Path
    certificate_key: Path
    cluster_id: bytes
    new_keys: bool  # keys were made just now

    def server(self, report: Callable[..., None]) -> MasterServer:
        settings = self.settings
        server = MasterServer(
            self.engine,
            self.registry,
            server_context(self.certificate, self.certificate_key, self.settings.client_ca_file),
            certificate_der(self.certificate),
            cluster_id=self.cluster_id,
            heartbeat_seconds=settings.heartbeat_seconds,
            frame_bytes_max=settings.frame_bytes_max,
            report=report,
            # A database is not waited for on the loop, however quick it has been.
            commit_here_seconds_max=HERE_SECONDS_MAX if self.database is None else 0,
            blob_files=self.blob_files,
        )
        server.transactions.measure_commits(self.engine.part(Series).commit_took)
        self.engine.shell_facts = lambda: {
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
        self.engine.masters = lambda: [row]

    def close(self) -> str | None:
        """Close the store and release the lock; what could not be written, with the remedy."""
        self.store.close()
        return self.lock.release(closed=True)


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
    database = database_of(settings)
    os.umask(0o077)  # files that are made from here on can be read by this user only
    make_directory(settings.data)
    lock = DataLock(settings.data)
    store: Store | None = None
    try:
        in_file = settings.durability != "memory" and database is None
        wrong = problems(settings.data, durable=in_file, own_keys=authkey is None, start=start)
        if wrong:
            raise ConfigError("\n".join(wrong))
        path = settings.data / STORE_FILE if in_file else None
        if path is not None and not lock.was_closed and has_lost_log(path) and traces(settings.data):
            report("store.log_missing", level="error", file=str(log_of(path)))
        if path is not None:
            copy_of(path).unlink(missing_ok=True)  # of a compaction that was killed
        store = _open_store(path, settings, database, report, displaced)
        return _build(settings, database, authkey, report, start, lock, store)
    except BaseException:
        if store is not None:
            store.close()
        lock.release()
        raise


def _build(
    settings: MasterSettings,
    database: DatabaseAddress | None,
    authkey: str | None,
    report: Callable[..., None],
    start: StartOptions,
    lock: DataLock,
    store: Store,
) -> MasterResources:
    """Build engine and registry around an opened store."""
    core = Core(
        store,
        EngineLimits(
            lease_ms=int(settings.lease_seconds * 1000),
            grace_ms=int(settings.grace_seconds * 1000),
            tick_ms=int(settings.heartbeat_seconds * 1000),
            result_ttl_ms=int(settings.result_ttl_seconds * 1000),
            results_max=settings.results_max,
            results_bytes_max=settings.results_bytes_max,
            payload_bytes_max=settings.frame_bytes_max - ENVELOPE_BYTES_MAX,
        ),
        random=random.SystemRandom().random,
        random_bytes=os.urandom,
        report=report,
        seconds=time.monotonic,
        reserve=_make_reserve(settings) if database is None else None,
    )
    engine = make_engine(core, os.environ.get(REGISTERED))
    where = str(settings.data / STORE_FILE if database is None else database)
    identity = _identify(engine, settings, where, authkey, report, start)
    engine.facts = {
        "version": VERSION,
        "cluster_id": identity.cluster_id.hex(),
        "started": read_clock().wall / 1000,
        "data": str(settings.data),
        "store": where,
        "durability": settings.durability,
        "pid": os.getpid(),
        "schema": newest_schema(),
        "certificate": engine.part(Keyring).pin.hex(),
    }
    if settings.expose:
        sys.path.insert(0, os.getcwd())  # the user's own modules, as `python -m` would find them
    return MasterResources(
        settings=settings,
        database=database,
        lock=lock,
        store=store,
        engine=engine,
        registry=make_registry(engine, settings.expose, {"get_disk": partial(DiskProbe, settings.data)}),
        blob_files=_open_blobs(settings, store, report),
        certificate=identity.certificate,
        certificate_key=identity.certificate_key,
        cluster_id=identity.cluster_id,
        new_keys=identity.new_keys,
    )


def database_of(settings: MasterSettings) -> DatabaseAddress | None:
    """Where the state is, if not in a file; nothing is opened."""
    if settings.store is None:
        return None
    from .store.postgres.address import read_address  # most masters have none

    return read_address(settings.store)


def advertised(settings: MasterSettings, port: int) -> Address:
    """Where others are sent to this master. ``port``: the one that is bound."""
    if settings.advertise is not None:
        return settings.advertise
    host = settings.bind.host
    everywhere = host in ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to
    return Address(socket.gethostname() if everywhere else host, port)


def me_of(settings: MasterSettings, port: int | None = None) -> Me:
    """How this master names itself to the others of its database. ``port``: once it is bound."""
    from .store.postgres.masters import Me
    from .store.postgres.store import new_id

    certificate = settings.data / CERTIFICATE_FILE
    leaf = shown_by(certificate_der(certificate)).leaf if certificate.exists() else None
    address = advertised(settings, settings.bind.port if port is None else port)
    until = "" if leaf is None else leaf.until.isoformat()
    return Me(new_id(), socket.gethostname(), str(address), VERSION, until)


def refuse_shown_password(option: str | None) -> None:
    """``option``: the store as the command line names it, which every user of the machine can read. Raises ConfigError."""
    if option is not None:
        from .store.postgres.address import refuse_password

        refuse_password(option)


def _make_reserve(settings: MasterSettings) -> ReserveFile | None:
    if settings.durability == "memory":
        return None
    reserve = ReserveFile(settings.data)
    reserve.make()
    return reserve


def _open_store(
    path: Path | None,
    settings: MasterSettings,
    database: DatabaseAddress | None,
    report: Callable[..., None],
    displaced: Callable[[str], None],
) -> Store:
    """The store; one that records what is written through it when the environment asks for a history."""
    note = open_history("master")

    def damaged(text: str) -> None:
        report("store.damaged", level="error", error=text)

    if database is None:
        store = SqliteStore(path, settings.durability, damaged)
    else:
        from .store.postgres.store import PostgresStore  # most masters have none

        durable = settings.durability == "fsync"
        store = PostgresStore(
            database,
            settings.data,
            durable=durable,
            report=report,
            on_damage=damaged,
            me=me_of(settings),
            lost=displaced,
        )
    return store if note is None else cast(Store, RecordingStore(store, note))


def _open_blobs(settings: MasterSettings, store: Store, report: Callable[..., None]) -> BlobFiles:
    """Blobs are files, also when tasks are in memory only: then in a directory that is emptied at each start."""
    volatile = settings.durability == "memory"
    root = settings.data / (VOLATILE_BLOBS if volatile else BLOBS)
    if settings.store is not None:
        files: BlobFiles = DatabaseFiles(root, cast("PostgresStore", store).contents())
        files.prepare()
        return files
    if volatile:
        shutil.rmtree(root, ignore_errors=True)
    elif not root.exists() and store.blobs.any():
        report("blobs.missing", level="error", folder=str(root))
    files = BlobFiles(root, sync=settings.durability == "fsync")
    files.prepare()
    return files


class Identity(NamedTuple):
    cluster_id: bytes
    certificate: Path
    certificate_key: Path
    new_keys: bool


def _identify(
    engine: Engine,
    settings: MasterSettings,
    where: str,
    authkey: str | None,
    report: Callable[..., None],
    start: StartOptions,
) -> Identity:
    """Read the cluster's identity, or make it: its id, then its certificate, then its keys, each stored before the next is made."""
    store, durable = engine.store, settings.durability != "memory"
    try:
        cluster_id = claim_store(store, settings.data, where, os.urandom, durable=durable, start=start)
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
    except StoreError as error:
        raise ConfigError(f"cannot write to the store {where}: {error}") from error
    return Identity(cluster_id, certificate, key, new_keys)
