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

from .counts import MISCOUNTED, has_counts, kept_counts, recounted
from .remedies import DAMAGED, is_damage, why_not_open

SECONDS_MAX: Final = 60.0  # a check reads the whole file: of a large one as much as this allows
LOOK_EVERY: Final = 1_000  # instructions of SQLite's machine, less than a millisecond
SHOWN_MAX: Final = 5  # places that are damaged


class StoreFacts(NamedTuple):
    """What a store knows of its cluster."""

    knows_cluster: bool
    pin: bytes | None  # of the certificate that its keys name
    stored_keys: dict[str, bytes]  # of its keys, by their ids


class Inspection(NamedTuple):
    """``wrong``: what is wrong, with the remedy; empty: nothing was found. ``whole``: the file was read to its end."""

    wrong: str
    whole: bool
    facts: StoreFacts | None = None  # None: it could not be read


def inspect(file: Path, seconds_max: float = SECONDS_MAX) -> Inspection:
    log, index = (file.with_name(file.name + suffix) for suffix in ("-wal", "-shm"))
    had_log, had_index = log.exists() and log.stat().st_size > 0, index.exists()
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


def _look(db: sqlite3.Connection, deadline: float) -> Inspection:
    facts = _facts(db)
    db.set_progress_handler(lambda: int(time.monotonic() > deadline), LOOK_EVERY)
    try:
        lines = [str(line) for (line,) in db.execute(f"PRAGMA quick_check({SHOWN_MAX})")]
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
        meta = dict(db.execute("SELECT name, value FROM meta WHERE name IN ('cluster_id', 'certificate')"))
        keys = dict(db.execute("SELECT id, stored_key FROM keys"))
    except sqlite3.OperationalError as error:
        if is_damage(error):
            raise
        return StoreFacts(False, None, {})  # no such table: it has no schema yet
    return StoreFacts("cluster_id" in meta, meta.get("certificate"), keys)
