"""A file that is damaged, and a process without memory: reported as what they are, with what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tq.common.errors import ConfigError, StoreError
from tq.master.store.interface.tasks import NewTasks
from tq.master.store.sqlite.inspection import StoreFacts, inspect
from tq.master.store.sqlite.store import SqliteStore

TASKS = 300
MARK = b"the task with the number %d "
PAGE_BYTES = 4096
CLUSTER = b"c" * 16


def ids(number: int) -> bytes:
    return number.to_bytes(16, "big")


def fill(file: Path) -> None:
    store = SqliteStore(file)
    store.begin()
    route = store.add_route("q", "m:f")
    tasks = [(number, ids(number), MARK % number * 20) for number in range(1, TASKS)]
    assert store.insert([NewTasks(route=route, state=0, created=1, tasks=tasks)])
    store.set_meta("cluster_id", CLUSTER)
    store.commit()
    store.close()


def damage(file: Path, number: int) -> None:
    """Overwrite the page that a task is on."""
    content = bytearray(file.read_bytes())
    start = content.index(MARK % number) // PAGE_BYTES * PAGE_BYTES
    content[start : start + PAGE_BYTES] = b"\xdb" * PAGE_BYTES
    file.write_bytes(content)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    fill(tmp_path / "tq.db")
    return tmp_path / "tq.db"


def pin_in(file: Path) -> bytes | None:
    facts = inspect(file).facts
    return None if facts is None else facts.pin


def everything_in(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_damaged_part_costs_what_is_in_it_and_the_store_remembers_that_it_met_one(file: Path) -> None:
    damage(file, 200)
    said: list[str] = []
    store = SqliteStore(file, on_damage=said.append)
    assert store.load().last_seq == TASKS - 1
    assert store.damage == ""
    for _ in range(2):
        with pytest.raises(
            StoreError, match=r"malformed; the file is damaged: .*tq\.db-wal.*\.recover"
        ) as raised:
            store.full(ids(200))
    assert said == [store.damage] == [str(raised.value).splitlines()[0]]
    assert store.full(ids(5)) is not None
    store.reopen()
    assert store.damage
    store.close()


def test_a_damaged_file_is_found_by_looking_and_is_left_as_it_is(file: Path) -> None:
    assert inspect(file) == ("", True, StoreFacts(True, None, {}, cluster_id=CLUSTER))
    damage(file, 200)
    before = everything_in(file.parent)
    seen = inspect(file)
    assert ".recover" in seen.wrong
    assert everything_in(file.parent) == before


def test_a_store_with_its_log_is_read_with_it_and_nothing_is_left_behind(file: Path, tmp_path: Path) -> None:
    store = SqliteStore(file)
    store.begin()
    store.set_meta("certificate", b"pin")
    store.commit()
    for names, left in (((".db", ".db-wal"), "killed"), ((".db", ".db-wal", ".db-shm"), "killed with index")):
        folder = tmp_path / left
        folder.mkdir()
        for name in names:
            shutil.copy(file.parent / f"tq{name}", folder)
        before = everything_in(folder)
        assert pin_in(folder / "tq.db") == b"pin"
        after = everything_in(folder)
        assert after.keys() == before.keys()
        assert after["tq.db"] == before["tq.db"]
        assert after["tq.db-wal"] == before["tq.db-wal"]
    assert pin_in(file) == b"pin", "of a master that runs"
    store.close()


def test_a_look_that_takes_too_long_says_that_it_did_not_see_all(file: Path) -> None:
    seen = inspect(file, seconds_max=0.0)
    assert (seen.wrong, seen.whole) == ("", False)


def test_a_file_that_is_no_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "tq.db"
    file.write_bytes(b"no database at all" * 1_000)
    assert "not a database; restore it from a copy" in inspect(file).wrong
    with pytest.raises(ConfigError, match="not a database; restore it from a copy"):
        SqliteStore(file)


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="the remedy is a line for the sqlite3 program")
def test_the_remedy_saves_what_can_be_read(file: Path) -> None:
    damage(file, 200)
    new = file.with_name("new.db")
    line = f'sqlite3 {file} ".recover" | sqlite3 {new}'
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60)  # noqa: S602 - as the remedy says it
    if "SQL logic error" in done.stderr + done.stdout:
        pytest.skip("this sqlite3 was built without what .recover needs, as Debian's is")
    assert inspect(new).wrong == ""
    store = SqliteStore(new)
    saved = [number for number in range(1, TASKS) if store.full(ids(number)) is not None]
    assert len(saved) > TASKS * 0.9
    assert 200 not in saved
    store.close()


def test_a_lack_of_memory_in_sqlite_is_reported_as_that(file: Path) -> None:
    """SQLite's own limit, which cannot be taken back: in a process of its own."""
    if sqlite3.sqlite_version_info < (3, 31):
        pytest.skip("this SQLite has no limit of memory")
    assert said_by_child(lambda: starve(file)).startswith("the master has no more memory")


def starve(file: Path) -> str:
    store = SqliteStore(file)
    store._run(
        f"PRAGMA hard_heap_limit = {128 * 1024 * 1024}"
    )  # far above what the stores of other tests have
    try:
        store._run("SELECT hex(zeroblob(100000000))")
    except StoreError as error:
        return str(error)
    return "nothing happened"


def said_by_child(work: Callable[[], str]) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            text: Any = work()
        except BaseException as error:
            text = f"died: {error!r}"
        finally:
            os.write(writing, text.encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said
