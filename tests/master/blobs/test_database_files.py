"""Content as rows of a database: what a file of the disk does, so do they."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tq.common.errors import InvalidArgument, StoreError, UnknownBlob
from tq.common.values.blob import Blob
from tq.master.blobs.database_files import PART_BYTES, DatabaseFiles
from tq.master.store.postgres.line import PostgresLine, Statement

from tests.postgres import PostgresServer, serving

SHARDS = itertools.count(1)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with serving() as server:
        yield server


@pytest.fixture
def store(postgres: PostgresServer) -> Iterator[Any]:
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.store import PostgresStore

    store = PostgresStore(read_address(postgres.url()), None, shard=next(SHARDS))
    yield store
    store.close()


@pytest.fixture
def files(store: Any, tmp_path: Path) -> DatabaseFiles:
    files = DatabaseFiles(tmp_path, store.contents())
    files.prepare()
    return files


def put(files: DatabaseFiles, data: bytes) -> Blob:
    blob = Blob.of(data)
    part = files.new_part(blob.digest)
    for start in range(0, len(data), 700_000):
        files.append(part, data[start : start + 700_000])
    files.finish(part)
    return blob


@pytest.mark.parametrize("size", [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 9 * PART_BYTES + 5])
def test_what_was_put_is_read_at_any_place(files: DatabaseFiles, tmp_path: Path, size: int) -> None:
    data = random.Random(size).randbytes(size)  # noqa: S311 - content of a test
    hash = put(files, data).digest
    assert files.size_of(hash) == size
    for offset in {0, size // 2, max(0, size - 10), min(size - 1, PART_BYTES - 3)}:
        for length in (1, 10, PART_BYTES):
            assert files.read(hash, size, offset, length) == data[offset : offset + length]
    assert not [file for file in tmp_path.rglob("*") if file.is_file()], "nothing is left on the disk"


def test_content_that_is_not_there_or_has_another_length_is_not_read(
    files: DatabaseFiles, store: Any
) -> None:
    hash = put(files, b"x" * (PART_BYTES + 3)).digest
    with pytest.raises(StoreError, match="1,048,579 of 1,048,580"):
        files.read(hash, PART_BYTES + 4, 0, 5)
    store.committer.line.connection.execute("DELETE FROM tq.contents WHERE hash = %s AND part = 1", (hash,))
    with pytest.raises(StoreError, match="of 1,048,579 bytes"):
        files.read(hash, PART_BYTES + 3, 0, 5)
    files.remove(hash)
    assert files.size_of(hash) is None
    with pytest.raises(UnknownBlob, match="is missing"):
        files.read(hash, PART_BYTES + 3, 0, 5)


def test_other_content_than_its_hash_says_never_gets_there(files: DatabaseFiles) -> None:
    hash = Blob.of(b"this").digest
    part = files.new_part(hash)
    files.append(part, b"that")
    with pytest.raises(InvalidArgument, match="changed on the way"):
        files.finish(part)
    assert files.size_of(hash) is None


def test_what_is_there_is_listed_by_the_first_byte_of_its_hash(files: DatabaseFiles) -> None:
    hashes = {put(files, b"%d" % number).digest for number in range(20)}
    folders = files.folders()
    assert folders == sorted({hash[:1].hex() for hash in hashes})
    assert {hash for folder in folders for hash in files.hashes(folder)} == hashes


def test_an_owner_whose_time_is_over_neither_puts_nor_removes(
    files: DatabaseFiles, store: Any, postgres: PostgresServer
) -> None:
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.store import PostgresStore

    hash = put(files, b"kept").digest
    shard = store.committer.held.shard
    store.committer.line.connection.execute("UPDATE tq.shards SET until = NULL WHERE shard = %s", (shard,))
    after = PostgresStore(read_address(postgres.url()), None, shard=shard)
    try:
        files.remove(hash)
        with pytest.raises(StoreError, match="another master owns this shard"):
            put(files, b"late")
        assert after.contents().read(hash, 4, 0, 4) == (4, b"kept")
        assert after.contents().size_of(Blob.of(b"late").digest) is None
    finally:
        after.close()


def test_what_the_database_refuses_leaves_no_connection_open(store: Any) -> None:
    contents, lines = store.contents(), list[PostgresLine]()
    connect = contents._connect

    def counted() -> PostgresLine:
        lines.append(connect())
        return lines[-1]

    contents._connect = counted
    for _ in range(3):
        with pytest.raises(StoreError, match="division by zero"):
            contents._run([Statement(b"SELECT 1 / 0")])
    assert len(lines) == 1
    assert contents.size_of(bytes(32)) is None, "it serves on"
    assert len(lines) == 1
