"""Inspects a store without changing it: is its file whole for SQLite, are its counts those of its tasks, does it know a cluster?

It is opened read-only. Without a log beside it nothing is made there; with one (a master runs, or died) SQLite needs its
``-shm``, which is taken away again if it was not there.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from ....common.errors import ConfigError
from ..interface.keys import KeyRow
from .counts import MISCOUNTED, has_counts, kept_counts, recounted
from .remedies import DAMAGED, is_damage, why_not_open

SECONDS_MAX: Final = 60.0  # a check reads the whole file: of a large one as much as this allows
LOOK_EVERY: Final = 1_000  # instructions of SQLite's machine, less than a millisecond
SHOWN_MAX: Final = 5  # places that are damaged
BUSY_SECONDS: Final = 5.0  # for a lock of the master that has the store open
MAGIC: Final = b"SQLite format 3\0"
VERSION_OFFSET: Final = 60  # of user_version in the file's header, four bytes, the highest first
HEADER_BYTES: Final = VERSION_OFFSET + 4


class StoreFacts(NamedTuple):
    """What a store knows of its cluster."""

    knows_cluster: bool
    pin: bytes | None  # of the certificate that its keys name
    stored_keys: dict[str, bytes]  # of its keys, by their ids
    shards: bytes | None = None  # what it says of how many there are; see store/shard_files.py
    cluster_id: bytes | None = None
    all_made: bool = False  # whether each shard has been made
    shard: bytes | None = None  # what it says of its own number


class Inspection(NamedTuple):
    """``wrong``: what is wrong, with the remedy; empty: nothing was found. ``whole``: the file was read to its end."""

    wrong: str
    whole: bool
    facts: StoreFacts | None = None  # None: it could not be read


def version_in(header: bytes) -> int:
    """The version of the schema."""
    return int.from_bytes(header[VERSION_OFFSET:], "big")


def header_problem(file: Path, header: bytes, newest: int) -> str | None:
    """Why a file that begins so is no store for a master that knows schemas up to ``newest``; an empty one is one that will be made."""
    if header and not header.startswith(MAGIC):
        return f"{file} is not a store of tq; restore it from a copy (docs/deployment.md, Backup), or choose another --data directory"
    version = version_in(header)
    if version > newest:
        return f"{file} has schema version {version}, this tq-master knows {newest}; start the newer one that wrote it"
    return None


def inspect(file: Path, seconds_max: float = SECONDS_MAX) -> Inspection:
    log, index = (file.with_name(file.name + suffix) for suffix in ("-wal", "-shm"))
    had_log, had_index = log.exists() and log.stat().st_size > 0, index.exists()
    # Without a log nothing can be missing in the file, and SQLite makes no file beside it, as on a read-only disk it could not.
    mode = "mode=ro" if had_log else "immutable=1"
    try:
        db = sqlite3.connect(f"file:{quote(str(file.absolute()))}?{mode}", uri=True)
        try:
            return _look(db, time.monotonic() + seconds_max)
        finally:
            db.close()
            if had_log and not had_index:
                index.unlink(missing_ok=True)
    except (sqlite3.Error, MemoryError) as error:
        return Inspection(why_not_open(file, error), whole=False)


class ClusterFacts(NamedTuple):
    """What the store of shard 0 says of its cluster to the processes that host other shards."""

    meta: dict[str, bytes]
    keys: list[KeyRow]


def read_cluster(file: Path) -> ClusterFacts | None:
    """While a master has it open, or none; None: there is no store, or it has no tables yet. Raises ConfigError."""
    if not file.exists() or not file.stat().st_size:
        return None
    try:
        # Not as an unchanging file: the log beside it has what is new.
        db = sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        try:
            meta = dict(db.execute("SELECT name, value FROM meta"))
            rows = db.execute(f"SELECT {', '.join(KeyRow._fields)} FROM keys")  # noqa: S608 - names of ours
            return ClusterFacts(meta, [KeyRow(*row) for row in rows])
        finally:
            db.close()
    except sqlite3.OperationalError as error:
        if "no such" in str(
            error
        ):  # made by a start that was cut short, or of a version before there were shards
            return None
        raise ConfigError(why_not_open(file, error)) from error
    except sqlite3.Error as error:
        raise ConfigError(why_not_open(file, error)) from error


def _look(db: sqlite3.Connection, deadline: float) -> Inspection:
    facts = _facts(db)
    db.set_progress_handler(lambda: int(time.monotonic() > deadline), LOOK_EVERY)
    try:
        lines = [str(line) for (line,) in db.execute(f"PRAGMA quick_check({SHOWN_MAX})")]
        # One snapshot for both: a master that runs may end a task between two reads, and would be said to count wrongly.
        db.execute("BEGIN")
        miscounted = lines == ["ok"] and has_counts(db) and kept_counts(db) != recounted(db)
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return Inspection("", whole=False, facts=facts)
        raise
    if lines != ["ok"]:
        return Inspection(f"{'; '.join(lines)}; {DAMAGED}", whole=True, facts=facts)
    return Inspection(MISCOUNTED if miscounted else "", whole=True, facts=facts)


def _facts(db: sqlite3.Connection) -> StoreFacts:
    try:
        meta = dict(db.execute("SELECT name, value FROM meta"))
        keys = dict(db.execute("SELECT id, stored_key FROM keys"))
    except sqlite3.OperationalError as error:
        if is_damage(error):
            raise
        return StoreFacts(False, None, {})  # no such table: it has no schema yet
    return StoreFacts(
        "cluster_id" in meta,
        meta.get("certificate"),
        keys,
        meta.get("shards"),
        meta.get("cluster_id"),
        "shards_made" in meta,
        meta.get("shard"),
    )
