"""A store moves from a data directory into a database and back: ids and content are the same, and a copy that is killed is begun again."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.common.values.blob import new_hash
from tq.master.app import Opening, open_resources
from tq.master.copying import copy
from tq.master.store import shard_files
from tq.master.store.cluster_files import CLUSTER_ID, STORE_FILE
from tq.master.store.sqlite.store import SqliteStore

from tests.postgres import PostgresServer, serving
from tests.sampling import sampled

from .store.tasks import as_array, insert, task

CONTENTS = [b"tq" * 700_000, b"small"]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with serving() as server:
        yield server


@pytest.fixture
def database(server: PostgresServer, request: pytest.FixtureRequest) -> str:
    return server.create(f"copy_{abs(hash(request.node.name))}")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A data directory with tasks by themselves and in an array, and content."""
    data = tmp_path / "state"
    data.mkdir(mode=0o700)
    store = SqliteStore(data / STORE_FILE)
    store.begin()
    store.set_meta(CLUSTER_ID, b"c" * 16)
    store.set_meta("with a NUL \0 and an \x1a", b"\x1atq:n5")
    route = store.add_route("q", "m:f")
    store.commit()
    insert(store, task(1, route), task(2, route, payload=b"other"))
    insert(store, as_array(task(3, route), [(seq, seq.to_bytes(16, "big"), b"a") for seq in range(3, 203)]))
    store.begin()
    for content in CONTENTS:
        name = new_hash(content).hexdigest()
        store.blobs.put(bytes.fromhex(name), len(content), 0)
        file = data / "blobs" / name[:2] / name[2:]
        file.parent.mkdir(parents=True, mode=0o700)
        file.write_bytes(content)
    store.commit()
    store.close()
    return data


def rows(data: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(data / STORE_FILE)) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        return {
            name: sorted(db.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)  # noqa: S608 - names of tables
            for (name,) in tables
        }


def contents(data: Path) -> set[bytes]:
    return {file.read_bytes() for file in (data / "blobs").rglob("*") if file.is_file()}


def test_a_store_that_went_into_a_database_and_back_is_the_same(
    state: Path, database: str, tmp_path: Path
) -> None:
    there = copy(str(state), database)
    back = copy(database, str(tmp_path / "back"))
    assert (there.blobs, back.blobs, there.missing) == (2, 2, [])
    assert there.tables == back.tables
    assert {table["table"]: table["rows"] for table in there.tables}["meta"] == len(rows(state)["meta"])
    assert rows(tmp_path / "back") == rows(state)
    assert contents(tmp_path / "back") == contents(state) == set(CONTENTS)
    assert (tmp_path / "back" / STORE_FILE).stat().st_mode & 0o77 == 0


def test_what_would_be_lost_or_is_in_use_is_refused(state: Path, database: str, tmp_path: Path) -> None:
    from tq.master.store.directory_lock import DataLock
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.store import PostgresStore

    with pytest.raises(ConfigError, match="has no store"):
        copy(database, str(tmp_path / "new"))
    lock = DataLock(state)
    with pytest.raises(ConfigError, match="another tq-master"):
        copy(str(state), database)
    lock.release(closed=True)
    copy(str(state), database)
    with pytest.raises(ConfigError, match="is not empty: its schema is that of a master"):
        copy(str(state), database)
    with pytest.raises(ConfigError, match="is there already"):
        copy(database, str(state))
    master = PostgresStore(read_address(database), None)
    with pytest.raises(ConfigError, match="owns shard 0"):
        copy(database, str(tmp_path / "new"))
    master.close()
    for wrong in (("", database), (str(state), str(tmp_path)), (database, database)):
        with pytest.raises(ConfigError, match="write: tq-master copy --from"):
            copy(*wrong)


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """A data directory of three shards, with a task and a content in each."""
    data = tmp_path / "several"
    master = open_resources(Opening(MasterSettings(data=data, shards=3), None, ignore))
    for shard in master.shards:
        store, number = shard.engine.store, shard.engine.core.shard.number
        store.begin()
        route = store.add_route(f"q{number}", "m:f")
        content = b"shard %d" % number
        name = new_hash(content).hexdigest()
        store.blobs.put(bytes.fromhex(name), len(content), 0)
        store.commit()
        insert(store, task(1 + number, route))
        file = shard.settings.data / "blobs" / name[:2] / name[2:]
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_bytes(content)
    master.close()
    return data


def ignore(action: str, **_: object) -> None:
    """A log for which no one waits."""


def all_rows(data: Path) -> list[dict[str, list[Any]]]:
    return [rows(shard_files.folder_of(data, number)) for number in range(3)]


def test_all_shards_go_into_a_database_and_back(several: Path, database: str, tmp_path: Path) -> None:
    there = copy(str(several), database)
    back = copy(database, str(tmp_path / "back"))
    assert (there.blobs, back.blobs) == (3, 3)
    assert there.tables == back.tables
    assert {table["shard"] for table in there.tables} == {0, 1, 2}
    assert ", 3 shards: " in str(there)
    assert all_rows(tmp_path / "back") == all_rows(several)
    for number in range(3):
        assert contents(shard_files.folder_of(tmp_path / "back", number)) == {b"shard %d" % number}
    for file in several.glob("master.*"):
        shutil.copy2(file, tmp_path / "back")
    for file in several.glob("*.key"):
        shutil.copy2(file, tmp_path / "back")
    master = open_resources(Opening(MasterSettings(data=tmp_path / "back"), None, ignore))
    assert len(master.shards) == 3
    master.close()
    with pytest.raises(ConfigError, match="is not empty: its schema is that of a master"):
        copy(str(several), database)
    with pytest.raises(ConfigError, match=r"tq\.db is there already"):
        copy(database, str(several))


def test_no_shard_is_copied_unless_all_are(several: Path, database: str, tmp_path: Path) -> None:
    lost = shard_files.folder_of(several, 2) / STORE_FILE
    kept = tmp_path / "kept"
    lost.rename(kept)
    with pytest.raises(ConfigError, match=r"shard 2 of the 3 of this cluster, .* was in that file"):
        copy(str(several), database)
    shutil.copy2(shard_files.folder_of(several, 1) / STORE_FILE, lost)
    with pytest.raises(ConfigError, match="is the store of shard 1/3, in the directory of shard 2"):
        copy(str(several), database)
    kept.replace(lost)
    copy(str(several), database)
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.store import PostgresStore

    master = PostgresStore(read_address(database), None, shard=2)
    with pytest.raises(ConfigError, match="owns shard 2"):
        copy(database, str(tmp_path / "new"))
    master.close()
    copy(database, str(tmp_path / "new"))


@pytest.mark.parametrize("when", sampled(["content", "tasks", "the file's own name"], ["tasks"]))
def test_a_killed_copy_of_several_shards_is_begun_again(
    several: Path, database: str, tmp_path: Path, when: str
) -> None:
    if when != "the file's own name":
        killed(str(several), database, when)
    copy(str(several), database)
    back = tmp_path / "back"
    killed(database, str(back), when)
    assert not list(back.rglob(STORE_FILE))
    expire(database)
    copy(database, str(back))
    assert all_rows(back) == all_rows(several)


KILLED = """
import os, signal, sys
from tq.master import copying
from tq.master.store.postgres import copying as rows

source, target, when = sys.argv[1:]

def die(*given, **named):
    os.kill(os.getpid(), signal.SIGKILL)

def show(what, number):
    if what == when:
        die()

if when == "the file's own name":
    copying._sync = die
copying.copy(source, target, show)
"""  # a process of its own, which is killed behind the first content, within the rows, or before the last step


@pytest.mark.parametrize("when", ["content", "tasks"])
def test_a_copy_into_a_database_that_was_killed_is_begun_again(
    state: Path, database: str, tmp_path: Path, when: str
) -> None:
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.line import PostgresLine

    killed(str(state), database, when)
    line = PostgresLine(read_address(database), 10)
    assert line.connection.execute("SELECT count(*) FROM tq.tasks").fetchone() == (0,)
    line.close()
    again = copy(str(state), database)  # at once: the lease of the killed one was its own
    assert again.blobs == 2
    copy(database, str(tmp_path / "back"))
    assert rows(tmp_path / "back") == rows(state)


@pytest.mark.parametrize("when", ["content", "tasks", "the file's own name"])
def test_a_copy_into_a_directory_that_was_killed_left_no_store_there(
    state: Path, database: str, tmp_path: Path, when: str
) -> None:
    copy(str(state), database)
    back = tmp_path / "back"
    killed(database, str(back), when)
    assert not (back / STORE_FILE).exists()
    expire(database)
    copy(database, str(back))
    assert rows(back) == rows(state)
    assert contents(back) == set(CONTENTS)
    assert not (back / f"{STORE_FILE}.part").exists()


def killed(source: str, target: str, when: str) -> None:
    words = [sys.executable, "-c", KILLED, source, target, when]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=50, env=dict(os.environ))
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def expire(database: str) -> None:
    """As if four seconds had passed."""
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.line import PostgresLine

    line = PostgresLine(read_address(database), 10)
    line.connection.execute("UPDATE tq.shards SET until = clock_timestamp()")
    line.close()
