"""``tq-master copy --from PLACE --to PLACE``: a store moves from a data directory into a PostgreSQL, or back.

::

    source is held ─► target is empty ─► content, each verified by its hash ─► rows, verified, all at once ─► both are let go

What is killed on the way is begun again with the same line: content that is there is only verified, and of rows there are none. The source is not
changed.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from ..common.auth.certificate import CERTIFICATE_FILE
from ..common.domain.shards import Shard
from ..common.errors import ConfigError, StoreError
from ..common.values.blob import new_hash
from .blobs.database_files import DatabaseFiles
from .blobs.files import BlobFiles
from .store import shard_files
from .store.cluster_files import (
    BLOBS,
    CERTIFICATE,
    CLUSTER_ID,
    DEFAULT_START,
    STORE_FILE,
    certificate_problem,
    has_lost_log,
    log_of,
    problems,
)
from .store.data_directory import make_directory
from .store.directory_lock import DataLock

if TYPE_CHECKING:
    from .store.postgres.copying import TableCopied
    from .store.postgres.line import PostgresLine
    from .store.postgres.shard import Ownership

COPY: Final = "copy"  # as the first word of tq-master
CONTENT: Final = "content"  # in the place of a table's name
LINE_COLUMNS: Final = 79
READ_BYTES: Final = 1024 * 1024
FIRST_SHARD: Final = 0
PART_FILE: Final = f"{STORE_FILE}.part"  # until the rows in it are whole
CONNECT_SECONDS_MAX: Final = 10
COPIER: Final = "copy"  # how the owner of a database that is filled is named, before the cluster
SHOW_SECONDS: Final = 0.2
Show = Callable[[str, int], None]  # what is copied, and how much of it has come


@dataclass
class Copied:
    """What a copy came to."""

    source: str
    target: str
    tables: list[dict[str, Any]] = field(default_factory=list)
    blobs: int = 0
    blob_bytes: int = 0
    missing: list[str] = field(default_factory=list)  # content that the source names and has not

    @property
    def record(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        rows, tables = sum(table["rows"] for table in self.tables), {table["table"] for table in self.tables}
        shards = len({table.get("shard") for table in self.tables})
        text = (
            f"{self.source} is copied to {self.target}{'' if shards == 1 else f', {shards} shards'}: {rows:,} rows in {len(tables)} tables and {self.blobs:,} contents "
            f"of {self.blob_bytes / 1e6:,.1f} MB, all verified. Both have the state of now: start a master on one of them only."
        )
        if self.missing:
            text += f"\n{len(self.missing):,} contents were missing in the source already: {', '.join(self.missing[:3])}"
        return text


class CopyLine:
    """On a terminal, one line that says how far a copy is."""

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = stream or sys.stderr
        self._stream, self._is_shown = stream, stream.isatty()
        self._rows = self._bytes = 0
        self._said = time.monotonic()

    def show(self, what: str, number: int) -> None:
        if what == CONTENT:
            self._bytes += number
        else:
            self._rows += number
        if self._is_shown and time.monotonic() - self._said >= SHOW_SECONDS:
            self._said = time.monotonic()
            text = f"{self._bytes / 1e6:,.1f} MB of content, {self._rows:,} rows ({what})"
            self._stream.write(f"\r{text:<{LINE_COLUMNS}}")
            self._stream.flush()

    def end(self) -> None:
        if self._is_shown:
            self._stream.write(f"\r{'':<{LINE_COLUMNS}}\r")
            self._stream.flush()


def copy(source: str, target: str, show: Show = lambda what, number: None) -> Copied:
    """Raises ConfigError with what to do."""
    from .store.postgres.address import SCHEMES, refuse_password

    databases = [place.startswith(SCHEMES) for place in (source, target)]
    if not source or not target or databases[0] == databases[1]:
        raise ConfigError(
            "a store is copied from a data directory into a database, or back; write: "
            "tq-master copy --from ./state --to postgresql://USER@HOST/DATABASE"
        )
    refuse_password(target if databases[1] else source)
    try:
        with ExitStack() as stack:
            if databases[1]:
                return _into_database(Path(source), target, show, stack)
            return _into_directory(source, Path(target), show, stack)
    except (sqlite3.Error, StoreError) as error:
        raise ConfigError(
            f"the copy was not made: {error}; mend that, and write the same line again"
        ) from error


def _into_database(data: Path, url: str, show: Show, stack: ExitStack) -> Copied:
    from .store.postgres.copying import rows_to_database

    first = _source(data, stack)
    cluster, where = _meta(first, CLUSTER_ID), str(data / STORE_FILE)
    if cluster is None:
        raise ConfigError(f"{where} knows no cluster: no master has been started there")
    count = shard_files.read_number(_meta(first, shard_files.SHARDS), where)
    if count > 1 and _meta(first, shard_files.MADE) is None:
        raise ConfigError(
            f"not all {count} shards of {data} have been made: start the master there once, stop it, and copy then"
        )
    others = [_other_source(data, Shard(number, count), cluster, stack) for number in range(1, count)]
    line, held = stack.enter_context(_held(url, f"{COPIER}:{cluster.hex()}", count))
    done = Copied(str(data), str(line.address))
    sources = list(zip([first, *others], held, strict=True))
    for db, one in sources:
        folder = shard_files.folder_of(data, one.shard)
        blobs = db.execute("SELECT hash, size FROM blobs ORDER BY blob").fetchall()
        from_files = BlobFiles(folder / BLOBS, sync=False)
        with _database_files(folder, line, one) as into_database:
            _copy_blobs(blobs, from_files, into_database, done, show)
    for one, tables in zip(held, rows_to_database(sources, line, show), strict=True):
        done.tables += _records(tables, one.shard, count)
    return done


def _source(folder: Path, stack: ExitStack) -> sqlite3.Connection:
    """The store of a shard, held. Raises ConfigError."""
    from .store.postgres.copying import check_version

    file = folder / STORE_FILE
    if not file.is_file():
        raise ConfigError(f"there is no store in {folder}; name the directory of a master with --from")
    if wrong := problems(folder, durable=True, own_keys=False, start=DEFAULT_START):
        raise ConfigError("\n".join(wrong))
    lock = stack.enter_context(_locked(folder))
    db = stack.enter_context(closing(sqlite3.connect(file, isolation_level=None)))
    _write_log(db, lock)
    check_version(db.execute("PRAGMA user_version").fetchone()[0], str(file))
    return db


def _other_source(data: Path, shard: Shard, cluster: bytes, stack: ExitStack) -> sqlite3.Connection:
    """Of another shard than the first."""
    folder = shard_files.folder_of(data, shard.number)
    if not shard_files.is_there(folder):
        raise ConfigError(shard_files.lost(data, shard))
    db = _source(folder, stack)
    is_of_cluster = _meta(db, CLUSTER_ID) == cluster
    problem = shard_files.stranger(
        str(folder / STORE_FILE), is_of_cluster, _meta(db, shard_files.SHARD), shard
    )
    if problem is not None:
        raise ConfigError(problem)
    return db


def _meta(db: sqlite3.Connection, name: str) -> bytes | None:
    for (value,) in db.execute("SELECT value FROM meta WHERE name = ?", (name,)):
        return bytes(value)
    return None


def _into_directory(url: str, data: Path, show: Show, stack: ExitStack) -> Copied:
    from .store.postgres.copying import blobs_in, check_version, meta_in, rows_to_file, version_in

    make_directory(data)
    lock = stack.enter_context(_locked(data))
    for folder in shard_files.folders_of(data):
        if shard_files.is_there(folder):
            raise ConfigError(
                f"{folder / STORE_FILE} is there already; name an empty directory with --to, or move it away"
            )
    lock.say_closed()
    line, held = stack.enter_context(_held(url, None, None))
    check_version(version_in(line), str(line.address))
    pin = meta_in(line, FIRST_SHARD, CERTIFICATE)
    if (data / CERTIFICATE_FILE).exists():
        problem = certificate_problem(pin, data, str(line.address), DEFAULT_START)
        if problem is not None:
            raise ConfigError(problem)
    done, parts = Copied(str(line.address), str(data)), list[Path]()
    for one in held:
        folder = shard_files.folder_of(data, one.shard)
        if folder != data:
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            make_directory(folder)
            stack.enter_context(_locked(folder)).say_closed()
        into_files = BlobFiles(folder / BLOBS, sync=True)
        into_files.prepare()
        with _database_files(folder, line, one) as from_database:
            _copy_blobs(blobs_in(line, one.shard), from_database, into_files, done, show)
        part = folder / PART_FILE
        for suffix in ("", "-journal", "-wal", "-shm"):  # of a copy that was killed
            part.with_name(part.name + suffix).unlink(missing_ok=True)
        parts.append(part)
        done.tables += _records(rows_to_file(line, one.shard, part, show), one.shard, len(held))
        _sync(part)
    # The first shard last: before it has a store, no master starts there.
    for part in reversed(parts):
        part.replace(part.with_name(STORE_FILE))
        _sync(part.parent)
    return done


def _records(tables: Sequence[TableCopied], shard: int, count: int) -> list[dict[str, Any]]:
    """Of one shard, which is named where there are several."""
    more = {} if count == 1 else {"shard": shard}
    return [{**table._asdict(), **more} for table in tables]


@contextmanager
def _locked(data: Path) -> Iterator[DataLock]:
    """No master uses this directory meanwhile."""
    lock = DataLock(data)
    try:
        if not lock.was_closed and has_lost_log(data / STORE_FILE):
            raise ConfigError(
                f"{log_of(data / STORE_FILE)} is gone, and what was accepted last was in it; restore both from a copy, or start the "
                "master once, which goes on without it, and copy then"
            )
        yield lock
    finally:
        lock.release(closed=lock.was_closed)


def _write_log(db: sqlite3.Connection, lock: DataLock) -> None:
    """Into the file: from here on this process may be killed, and the lock says that no log is missed."""
    (busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise ConfigError("the store is read by another program; end it (a backup, sqlite3), then copy again")
    lock.say_closed()


@contextmanager
def _held(url: str, filler: str | None, count: int | None) -> Iterator[tuple[PostgresLine, list[Ownership]]]:
    """All shards of a database are this process's. ``filler``: who fills it, None: it is read, and says how many there are."""
    import psycopg

    from .store.postgres.address import read_address
    from .store.postgres.copying import meta_in
    from .store.postgres.line import DatabaseAway, PostgresLine
    from .store.postgres.remedies import cannot_open
    from .store.postgres.schema import check_rights, prepare
    from .store.postgres.shard import claim
    from .store.postgres.shard_renewal import ShardRenewal
    from .store.postgres.store import new_owner, schema_tables
    from .store.postgres.tenure import Tenure, clock
    from .store.sqlite.store import newest_schema

    address = read_address(url)
    connect = partial(PostgresLine, address, CONNECT_SECONDS_MAX)
    try:
        line = connect()
    except DatabaseAway as error:
        raise cannot_open(address, str(error)) from error
    try:
        prepare(line, address, schema_tables(), newest_schema())
        check_rights(line, address)
        _check(line, filler, FIRST_SHARD)
        if count is None:
            count = shard_files.read_number(meta_in(line, FIRST_SHARD, shard_files.SHARDS), str(address))
        owner = filler or new_owner()
        with ExitStack() as taken:
            held = []
            for shard in range(count):
                _check(line, filler, shard)
                one, _ = claim(line, shard, owner, owner, newest_schema())
                taken.callback(_release, line, one)
                # The last statement asks whether it is ours.
                renewal = ShardRenewal(one, connect, None, lambda reason: None, Tenure(clock()))
                taken.callback(renewal.close)
                held.append(one)
            yield line, held
    except psycopg.Error as error:
        raise ConfigError(
            f"{address}: {str(error).splitlines()[0]}; mend that, and write the same line again"
        ) from error
    finally:
        line.close()


def _release(line: PostgresLine, held: Ownership) -> None:
    from .store.postgres.line import DatabaseAway, DatabaseRefused
    from .store.postgres.shard import release

    # What was copied is there: who comes next waits for the lease.
    with suppress(DatabaseAway, DatabaseRefused):
        if not line.connection.closed:
            release(line, held)


def _check(line: PostgresLine, filler: str | None, shard: int) -> None:
    """Whether there is something to read, or nothing that would be overwritten."""
    from .store.postgres.copying import filled

    there = filled(line, shard)
    if filler is None:
        if there is None or not there.commits:
            which = "no store" if shard == FIRST_SHARD else f"nothing of shard {shard}"
            raise ConfigError(f"{line.address} has {which}; name the database of a master with --from")
    elif there is not None and (there.commits or there.owner != filler):
        what = "is that of a master" if there.commits else f"is being filled by {there.owner}"
        raise ConfigError(
            f"{line.address} is not empty: its schema {what}. Name another database with --to; or, if what is in it is not needed: "
            f"psql '{line.address}' -c 'DROP SCHEMA tq CASCADE'"
        )


@contextmanager
def _database_files(data: Path, line: PostgresLine, held: Ownership) -> Iterator[DatabaseFiles]:
    from .store.postgres.contents import DatabaseContents
    from .store.postgres.line import PostgresLine

    contents = DatabaseContents(lambda: held, partial(PostgresLine, line.address, CONNECT_SECONDS_MAX))
    with closing(contents):
        files = DatabaseFiles(data / BLOBS, contents)
        files.prepare()
        yield files


def _copy_blobs(
    blobs: list[tuple[bytes, int]], source: BlobFiles, target: BlobFiles, done: Copied, show: Show
) -> None:
    for hash, size in blobs:
        if source.size_of(hash) is None:
            done.missing.append(hash.hex())
            continue
        if not _is_whole(target, hash, size):
            part = target.new_part(hash)
            for data in _read(source, hash, size):
                target.append(part, data)
            target.finish(part)  # which verifies what was read
            if not _is_whole(target, hash, size):
                raise ConfigError(f"the content {hash.hex()} is another one behind the copy; copy again")
        done.blobs += 1
        done.blob_bytes += size
        show(CONTENT, size)


def _is_whole(files: BlobFiles, hash: bytes, size: int) -> bool:
    if files.size_of(hash) != size:
        return False
    found = new_hash()
    for data in _read(files, hash, size):
        found.update(data)
    return bool(found.digest() == hash)


def _read(files: BlobFiles, hash: bytes, size: int) -> Iterator[bytes]:
    for offset in range(0, size, READ_BYTES):
        yield files.read(hash, size, offset, min(READ_BYTES, size - offset))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
