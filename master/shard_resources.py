"""What one shard of a process owns: a directory that is locked, the store in it, and the engine around the store. Composition, as
``app.py``.

Shard 0 is in the data directory itself, as a master of one shard; shard K in ``shards/K`` below it.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from ..common.domain.shards import Shard
from ..common.errors import ConfigError
from ..common.runtime.config import MasterSettings
from ..common.runtime.history import open_history
from .addresses import database_of, me_of
from .api.registry import Registry
from .blobs.database_files import DatabaseFiles
from .blobs.files import BlobFiles
from .engine.core import Core
from .engine.engine import Engine
from .engine.limits import ENVELOPE_BYTES_MAX, EngineLimits
from .observe.disk import DiskProbe
from .parts import make_engine, make_registry
from .store.cluster_files import (
    BLOBS,
    STORE_FILE,
    StartOptions,
    has_lost_log,
    log_of,
    problems,
    traces,
)
from .store.data_directory import make_directory
from .store.directory_lock import DataLock
from .store.interface.store import Store
from .store.recording import RecordingStore
from .store.reserve import ReserveFile
from .store.shard_files import folder_of
from .store.sqlite.compaction import copy_of
from .store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from .store.postgres.store import PostgresStore

REGISTERED: Final = "TQ_REGISTERED"  # what a manager that starts a master serves there; not a setting
VOLATILE_BLOBS: Final = "blobs.volatile"
FULL: Final = (errno.ENOSPC, errno.EDQUOT)  # a disk, or one's part of it

Report = Callable[..., None]


@dataclass(kw_only=True)
class OpenStore:
    """A shard's store and the lock of its directory. ``settings``: with that directory as ``data``."""

    settings: MasterSettings
    lock: DataLock | None  # None: its master has the lock of that directory
    store: Store

    @property
    def where(self) -> str:
        """For people."""
        database = database_of(self.settings)
        return str(self.settings.data / STORE_FILE if database is None else database)

    def close(self) -> str | None:
        """Returns what could not be written, with the remedy."""
        self.store.close()
        return None if self.lock is None else self.lock.release(closed=True)

    def let_go(self) -> str | None:
        """As ``close``: of a database, for another master to take the shard at once."""
        cast("PostgresStore", self.store).close(moves=True)
        return self.close()


@dataclass(kw_only=True)
class OpenShard:
    """A shard that this process hosts, ready to serve once its engine is started."""

    opened: OpenStore
    engine: Engine
    registry: Registry
    blob_files: BlobFiles

    @property
    def settings(self) -> MasterSettings:
        return self.opened.settings


def cannot_use(data: Path, error: OSError) -> ConfigError:
    """What the system says of a data directory, with what to do."""
    where = "" if error.filename is None else f": {error.filename}"
    remedy = "free some space there" if error.errno in FULL else "make it writable for this user"
    return ConfigError(
        f"cannot use the data directory {data}: {error.strerror}{where}; {remedy}, or choose another with --data"
    )


def settings_of(settings: MasterSettings, shard: int) -> MasterSettings:
    """Those of the cluster, with the directory of one of its shards."""
    return settings if shard == 0 else replace(settings, data=folder_of(settings.data, shard))


def open_store(
    settings: MasterSettings,
    report: Report,
    start: StartOptions,
    displaced: Callable[[str], None],
    *,
    own_keys: bool,
    number: int = 0,
    shared: DataLock | None = None,
) -> OpenStore:
    """Lock the directory of a shard and open its store. ``own_keys``: those that a master makes itself are beside it. ``number``: of
    the shard, for a database has all of them. ``shared``: the lock of a master that shares the shards of its database with others, and has
    prepared it. Raises ConfigError with what to do."""
    data, in_file = settings.data, settings.durability != "memory" and settings.store is None
    make_directory(data)
    is_locked = shared is not None and number == 0
    lock = shared if shared is not None and is_locked else DataLock(data)
    try:
        wrong = problems(data, durable=in_file, own_keys=own_keys, start=start)
        if wrong:
            raise ConfigError("\n".join(wrong))
        path = data / STORE_FILE if in_file else None
        if path is not None and not lock.was_closed and has_lost_log(path) and traces(data):
            report("store.log_missing", level="error", file=str(log_of(path)))
        if path is not None:
            copy_of(path).unlink(missing_ok=True)  # of a compaction that was killed
        store = _store(path, settings, report, displaced, number, is_shared=shared is not None)
        return OpenStore(settings=settings, lock=None if is_locked else lock, store=store)
    except BaseException:
        # What it was before: a start that was refused is no crash.
        if not is_locked:
            lock.release(closed=lock.was_closed)
        raise


def build_shard(opened: OpenStore, shard: Shard, report: Report) -> OpenShard:
    """Engine and registry around an opened store."""
    settings, store = opened.settings, opened.store
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
        reserve=_make_reserve(settings) if settings.store is None else None,
        shard=shard,
    )
    engine = make_engine(core, os.environ.get(REGISTERED))
    # The user's own objects live in this process once, and programs ask shard 0 for them.
    exposed = settings.expose if shard.number == 0 else {}
    if exposed:
        sys.path.insert(0, os.getcwd())  # the user's own modules, as `python -m` would find them
    own = {"get_disk": partial(DiskProbe, settings.data)}
    return OpenShard(
        opened=opened,
        engine=engine,
        registry=make_registry(engine, exposed, own),
        blob_files=_open_blobs(settings, store, report),
    )


def _make_reserve(settings: MasterSettings) -> ReserveFile | None:
    if settings.durability == "memory":
        return None
    reserve = ReserveFile(settings.data)
    reserve.make()
    return reserve


def _store(
    path: Path | None,
    settings: MasterSettings,
    report: Report,
    displaced: Callable[[str], None],
    shard: int,
    *,
    is_shared: bool,
) -> Store:
    """The store; one that records what is written through it when the environment asks for a history."""
    note, database = open_history("master"), database_of(settings)

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
            shard=shard,
            durable=durable,
            report=report,
            on_damage=damaged,
            me=me_of(settings),
            says_here=shard == 0 and not is_shared,
            is_checked=shard != 0 or is_shared,  # by the store of shard 0, or by its master
            lost=displaced,
        )
    return store if note is None else cast(Store, RecordingStore(store, note))


def _open_blobs(settings: MasterSettings, store: Store, report: Report) -> BlobFiles:
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
