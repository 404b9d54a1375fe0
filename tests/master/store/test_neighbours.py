"""What one process reads of the store that another one has open: what is committed there, and of that file only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tq.master.store.interface.edges import EdgeRow
from tq.master.store.neighbours import ROWS_BYTES_MAX, ROWS_MAX, EdgesSeen, EdgesWanted
from tq.master.store.sqlite.neighbours import OPEN_SECONDS_MAX, NeighbourFiles
from tq.master.store.sqlite.store import SqliteStore

HERE, THERE = 0, 3


def rows(*numbers: int, body: bytes = b"x") -> list[EdgeRow]:
    return [EdgeRow(number, 1, body) for number in numbers]


def write(store: SqliteStore, *some: EdgeRow, applied: int | None = None) -> None:
    store.begin()
    store.edges.add_outgoing(HERE, some)
    if applied is not None:
        store.edges.set_applied(HERE, applied)
    store.commit()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tq.db"


@pytest.fixture
def store(file: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(file)
    yield store
    store.close()


@pytest.fixture
def files(file: Path) -> Iterator[NeighbourFiles]:
    files = NeighbourFiles(lambda shard: file)
    yield files
    files.rest()


def read(files: NeighbourFiles, after: int = 0) -> EdgesSeen:
    [seen] = files.read([EdgesWanted(HERE, THERE, after)]).seen
    return seen


def test_rows_are_seen_when_they_are_committed_and_what_is_applied_with_them(
    store: SqliteStore, files: NeighbourFiles
) -> None:
    assert read(files) == EdgesSeen(HERE, THERE, [], 0)
    store.begin()
    store.edges.add_outgoing(HERE, rows(1, 2))
    store.edges.add_outgoing(HERE + 1, rows(1))
    store.edges.set_applied(HERE, 7)
    assert read(files) == EdgesSeen(HERE, THERE, [], 0)
    store.commit()
    assert read(files) == EdgesSeen(HERE, THERE, rows(1, 2), 7)
    assert read(files, after=1) == EdgesSeen(HERE, THERE, rows(2), 7)


def test_a_read_brings_a_bounded_number_of_rows_and_bytes(store: SqliteStore, files: NeighbourFiles) -> None:
    write(store, *rows(*range(1, ROWS_MAX + 2)))
    assert len(read(files).rows) == ROWS_MAX
    large = rows(*range(1_000, 1_003), body=b"x" * (ROWS_BYTES_MAX // 2 + 1))
    write(store, *large)
    assert list(read(files, after=999).rows) == large[:2]


def test_a_file_that_was_put_in_the_place_of_another_is_read_and_the_former_one_not(
    file: Path, files: NeighbourFiles, tmp_path: Path
) -> None:
    former, restored = SqliteStore(file), SqliteStore(tmp_path / "copy.db")
    write(former, *rows(1, 2, 3), applied=9)
    write(restored, *rows(1), applied=4)
    assert read(files).applied == 9
    former.close()
    restored.close()
    file.with_name("tq.db-wal").unlink(missing_ok=True)
    file.with_name("tq.db-shm").unlink(missing_ok=True)
    (tmp_path / "copy.db").rename(file)
    assert read(files) == EdgesSeen(HERE, THERE, rows(1), 4)


def test_a_store_that_was_restored_into_the_same_file_is_read_again_after_a_moment(
    file: Path, tmp_path: Path
) -> None:
    now = 100.0
    files = NeighbourFiles(lambda shard: file, lambda: now)
    former, restored = SqliteStore(file), SqliteStore(tmp_path / "copy.db")
    write(former, *rows(1, 2, 3), applied=9)
    write(restored, *rows(1), applied=4)
    restored.close()
    assert read(files).applied == 9
    former.close()
    for name in ("tq.db-wal", "tq.db-shm"):
        file.with_name(name).unlink(missing_ok=True)
    file.write_bytes((tmp_path / "copy.db").read_bytes())
    now += OPEN_SECONDS_MAX
    assert read(files) == EdgesSeen(HERE, THERE, rows(1), 4)
    files.rest()


def test_a_store_that_is_missing_is_away_with_the_reason_and_one_that_is_about_to_be_made_without(
    file: Path, files: NeighbourFiles
) -> None:
    [(shard, reason)] = files.read([EdgesWanted(HERE, THERE, 0)]).away.items()
    assert (shard, reason) == (THERE, f"{file}: No such file or directory")
    file.touch()
    assert files.read([EdgesWanted(HERE, THERE, 0)]).away == {THERE: None}


def test_a_file_that_is_no_store_is_away_and_others_are_read_all_the_same(
    store: SqliteStore, file: Path, tmp_path: Path
) -> None:
    write(store, *rows(1))
    (tmp_path / "broken").write_bytes(b"no store" * 1_000)
    files = NeighbourFiles(lambda shard: file if shard == THERE else tmp_path / "broken")
    looked = files.read([EdgesWanted(HERE, THERE, 0), EdgesWanted(HERE, 5, 0)])
    assert [seen.rows for seen in looked.seen] == [rows(1)]
    assert "file is not a database" in (looked.away[5] or "")
    files.rest()


def test_a_store_is_closed_whole_whether_or_not_a_neighbour_has_it_open(
    file: Path, files: NeighbourFiles
) -> None:
    log = file.with_name("tq.db-wal")
    store = SqliteStore(file)
    write(store, *rows(1))
    read(files)
    store.close()
    assert log.stat().st_size == 0, "all is in the file"
    files.rest()
    store = SqliteStore(file)
    write(store, *rows(2))
    read(files)
    files.rest()
    store.close()
    assert not log.exists()


def test_a_log_is_written_into_the_file_while_a_neighbour_has_it_open(
    store: SqliteStore, files: NeighbourFiles
) -> None:
    write(store, *rows(1))
    read(files)
    [(busy, _, _)] = store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert busy == 0
