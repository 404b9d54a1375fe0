"""A store's file is written again without what is unused in it; whatever happens meanwhile, there is the old one or the new one."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tq.common.domain.model import StateNumber
from tq.common.errors import ConfigError
from tq.master.store.interface.tasks import NewTasks
from tq.master.store.sqlite.compaction import compact, copy_of
from tq.master.store.sqlite.inspection import inspect
from tq.master.store.sqlite.store import SqliteStore

TASKS = 2_000
PAYLOAD = bytes(10_000)
KILLS = 8
COMPACT = """
import sys
from pathlib import Path
from tq.master.store.sqlite.compaction import compact
print("begun", flush=True)
compact(Path(sys.argv[1]), lambda: print("log is written", flush=True))
"""


def id_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def fill(file: Path, *, tasks: int = TASKS) -> None:
    """Every other task is deleted."""
    store = SqliteStore(file, "os")
    store.begin()
    route = store.add_route("q", "m:f")
    rows = [(number, id_of(number), PAYLOAD + id_of(number)) for number in range(1, tasks + 1)]
    assert store.insert([NewTasks(route=route, state=0, created=1, tasks=rows)])
    store.commit()
    store.begin()
    store.delete(range(1, tasks + 1, 2))
    store.commit()
    store.close()


def assert_whole(file: Path, *, tasks: int = TASKS) -> None:
    store = SqliteStore(file, "os")
    store.begin()
    for number in range(2, tasks + 1, 2):
        assert store.payload(number) == PAYLOAD + id_of(number)
    assert [row.seq for row in store.find(map(id_of, range(1, tasks + 1, 2)))] == []
    store.rollback()
    store.close()
    db = sqlite3.connect(file)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


def none() -> None:
    """Done once the log is written into the file."""


def test_the_file_is_as_small_as_its_content_and_has_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "tq.db"
    fill(file)
    done = compact(file, none)
    assert done.after_bytes == file.stat().st_size < done.before_bytes * 0.6
    assert_whole(file)
    assert not copy_of(file).exists()


def test_a_store_that_could_not_shrink_can_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "tq.db"
    fill(file)
    db = sqlite3.connect(file)  # as a version made it that did not shrink
    db.execute("PRAGMA auto_vacuum = NONE")
    db.execute("VACUUM")
    db.close()
    store = SqliteStore(file)
    assert not store.space().shrinks
    store.close()
    compact(file, none)
    store = SqliteStore(file)
    assert store.space().shrinks
    store.close()
    assert_whole(file)


def test_only_its_user_may_read_the_new_file_as_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "tq.db"
    fill(file, tasks=10)
    file.chmod(0o600)
    compact(file, none)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_store_that_another_program_has_open_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "tq.db"
    fill(file, tasks=10)
    reader = sqlite3.connect(file, isolation_level=None)
    assert reader.execute("SELECT count(*) FROM tasks").fetchone() == (5,)
    before = file.read_bytes()
    with pytest.raises(ConfigError, match="end it"):
        compact(file, none)
    assert file.read_bytes() == before
    assert not copy_of(file).exists()
    reader.close()
    compact(file, none)


def test_a_damaged_store_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "tq.db"
    fill(file, tasks=100)
    with file.open("r+b") as damaged:
        damaged.seek(8 * 4096)
        damaged.write(b"\xff" * 40 * 4096)
    with pytest.raises(ConfigError, match="the file is damaged"):
        compact(file, none)
    assert not copy_of(file).exists()


@pytest.mark.timeout(120)
def test_a_kill_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "tq.db"
    fill(file)
    began = time.monotonic()
    seconds = 0.0
    killed = 0
    for kill in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", COMPACT, str(file)], stdout=subprocess.PIPE, text=True
        )
        with child:
            assert child.stdout is not None
            assert child.stdout.readline() == "begun\n"
            began = time.monotonic()
            try:
                child.wait(seconds * kill / KILLS if kill else None)
            except subprocess.TimeoutExpired:
                killed += 1
                child.send_signal(signal.SIGKILL)
            child.wait()
        if not kill:
            seconds = time.monotonic() - began  # how long one takes that is not killed
            file.unlink()
            fill(file)
        assert_whole(file)
        copy_of(file).unlink(missing_ok=True)
    assert killed > 1


def test_counts_that_are_wrong_are_found_and_counted_again(tmp_path: Path) -> None:
    file = tmp_path / "tq.db"
    fill(file, tasks=20)
    store = SqliteStore(file)
    store.begin()
    store.cancel_waiting([2, 4], 7)
    store.commit()
    store.close()
    assert inspect(file).wrong == ""
    db = sqlite3.connect(file)
    db.execute("UPDATE counts SET tasks = tasks + 1")
    db.commit()
    db.close()
    assert "run `tq-master compact`" in inspect(file).wrong
    compact(file, none)
    assert inspect(file).wrong == ""
    store = SqliteStore(file)
    assert [(row.state, row.tasks) for row in store.counts.read()] == [(int(StateNumber.CANCELLED), 2)]
    store.close()
