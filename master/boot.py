"""From settings to a running master: everything that can be wrong is found before the port opens.

Owns the data directory: lock, store, certificate, keys. Decides nothing about tasks.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, cast

from ..common.certificate import certificate_der, ensure_certificate, fingerprint, write_private
from ..common.config import MasterSettings
from ..common.errors import ConfigError, StoreError, TqError
from ..common.handshake import CLUSTER_ID_BYTES
from ..common.history import open_history
from ..common.keys import AUTHKEY_ID, check_authkey_strength, make_authkey_verifier
from ..common.model import Role
from ..common.tls import server_context
from ..common.version import VERSION
from .blobs.files import BlobFiles
from .chores import ENVELOPE_BYTES_MAX, EngineLimits
from .clock import read_clock
from .directory import make_directory
from .disk import Disk
from .engine import Engine
from .lock import DataLock
from .registry import Registry
from .server import Server
from .shared import Shared
from .store.interface import Store
from .store.recording import RecordingStore
from .store.sqlite import SqliteStore

REGISTERED: Final = "TQ_REGISTERED"  # what a manager that starts a master serves there; not a setting
STORE_FILE: Final = "tq.db"
FULL: Final = (errno.ENOSPC, errno.EDQUOT)  # a disk, or one's part of it
BLOBS: Final = "blobs"
VOLATILE_BLOBS: Final = "blobs.volatile"
OWN_KEYS: Final = (Role.ADMIN, Role.CLIENT, Role.WORKER)  # made on first start when no --authkey is given


@dataclass(kw_only=True)
class House:
    """What a master owns on disk, opened."""

    settings: MasterSettings
    lock: DataLock
    store: Store
    engine: Engine
    registry: Registry
    blob_files: BlobFiles
    certificate: Path
    certificate_key: Path
    cluster_id: bytes
    new_keys: bool  # keys were made just now

    def server(self, report: Callable[..., None]) -> Server:
        settings = self.settings
        server = Server(
            self.engine,
            self.registry,
            server_context(self.certificate, self.certificate_key, self.settings.client_ca_file),
            certificate_der(self.certificate),
            cluster_id=self.cluster_id,
            heartbeat_seconds=settings.heartbeat_seconds,
            frame_bytes_max=settings.frame_bytes_max,
            report=report,
            blob_files=self.blob_files,
        )
        self.engine.shell_facts = lambda: {
            "commit_seconds": server.commit_seconds,
        }
        return server

    def close(self) -> None:
        self.store.close()
        self.lock.release()


def open_house(settings: MasterSettings, authkey: str | None, report: Callable[..., None]) -> House:
    """Check and open everything; raises ConfigError with what to do."""
    try:
        return _open(settings, authkey, report)
    except TqError:  # some are OSErrors as well
        raise
    except OSError as error:
        where = "" if error.filename is None else f": {error.filename}"
        remedy = "free some space there" if error.errno in FULL else "make it writable for this user"
        raise ConfigError(
            f"cannot use the data directory {settings.data}: {error.strerror}{where}; "
            f"{remedy}, or choose another with --data"
        ) from error


def _open(settings: MasterSettings, authkey: str | None, report: Callable[..., None]) -> House:
    if authkey is not None:
        check_authkey_strength(authkey, settings.bind.host)
    os.umask(0o077)  # whatever is written below is nobody else's to read
    make_directory(settings.data)
    lock = DataLock(settings.data)
    path = None if settings.durability == "memory" else settings.data / STORE_FILE
    try:
        store = _open_store(path, settings.durability)
    except BaseException:
        lock.release()
        raise
    certificate, key = ensure_certificate(settings.data)
    engine = Engine(
        store,
        EngineLimits(
            lease_ms=int(settings.lease_seconds * 1000),
            grace_ms=int(settings.grace_seconds * 1000),
            tick_ms=int(settings.heartbeat_seconds * 1000),
            result_ttl_ms=int(settings.result_ttl_seconds * 1000),
            results_max=settings.results_max,
            payload_bytes_max=settings.frame_bytes_max - ENVELOPE_BYTES_MAX,
        ),
        random=random.SystemRandom().random,
        random_bytes=os.urandom,
        report=report,
    )
    cluster_id, new_keys = _prepare_keys(engine, settings, authkey, fingerprint(certificate_der(certificate)))
    engine.facts = {
        "version": VERSION,
        "cluster_id": cluster_id.hex(),
        "started": read_clock().wall / 1000,
        "data": str(settings.data),
        "durability": settings.durability,
        "pid": os.getpid(),
    }
    if settings.expose:
        sys.path.insert(0, os.getcwd())  # the user's own modules, as `python -m` would find them
    return House(
        settings=settings,
        lock=lock,
        store=store,
        engine=engine,
        registry=Registry(
            engine,
            settings.expose,
            {"get_disk": partial(Disk, settings.data)},
            Shared(os.environ.get(REGISTERED), settings.grace_seconds),
        ),
        blob_files=_open_blobs(settings),
        certificate=certificate,
        certificate_key=key,
        cluster_id=cluster_id,
        new_keys=new_keys,
    )


def _open_store(path: Path | None, durability: str) -> Store:
    """The store; one that tells what is written through it when a history is asked for."""
    note = open_history("master")
    store = SqliteStore(path, durability)
    return store if note is None else cast(Store, RecordingStore(store, note))


def _open_blobs(settings: MasterSettings) -> BlobFiles:
    """Content in files, also when tasks are in memory only: then in a directory that begins empty."""
    volatile = settings.durability == "memory"
    root = settings.data / (VOLATILE_BLOBS if volatile else BLOBS)
    if volatile:
        shutil.rmtree(root, ignore_errors=True)
    files = BlobFiles(root, sync=settings.durability == "fsync")
    files.prepare()
    return files


def key_file(data: Path, role: Role) -> Path:
    """Where the key made for a role on first start is kept."""
    return data / f"{role}.key"


def _prepare_keys(
    engine: Engine, settings: MasterSettings, authkey: str | None, pin: bytes
) -> tuple[bytes, bool]:
    """The cluster's id, made once, and its first keys."""
    store = engine.store
    engine.keys.pin = pin
    engine.start(read_clock())
    now = engine.now
    try:
        store.begin()
        cluster_id = store.get_meta("cluster_id")
        if cluster_id is None:
            cluster_id = os.urandom(CLUSTER_ID_BYTES)
            store.set_meta("cluster_id", cluster_id)
        new_keys = False
        if authkey is not None:
            engine.keys.put(make_authkey_verifier(authkey, cluster_id, created=now.steady))
        else:
            if engine.keys.find(AUTHKEY_ID) is not None:
                engine.keys.revoke(AUTHKEY_ID, [])  # it was for an earlier start
            new_keys = not all(_has_own(engine, settings.data, role) for role in OWN_KEYS)
            for role in OWN_KEYS:
                if not _has_own(engine, settings.data, role):
                    token = engine.keys.add(role, [], f"{role}.key, made on first start", now)
                    write_private(key_file(settings.data, role), token.encode() + b"\n")
        store.commit()
    except StoreError as error:
        raise ConfigError(f"cannot write to the store in {settings.data}: {error}") from error
    return cluster_id, new_keys


def _has_own(engine: Engine, data: Path, role: Role) -> bool:
    return key_file(data, role).exists() and engine.keys.has_role(role)
