"""What is particular to a store whose truth is elsewhere: commits that the database refuses, does not answer, or has done already."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tq.common.errors import ConfigError, StoreError
from tq.master.store.interface.store import Displaced
from tq.master.store.postgres import loading
from tq.master.store.postgres.address import read_address
from tq.master.store.postgres.line import PostgresLine

from tests.cluster.programs import eventually
from tests.postgres import PostgresServer

OpenPostgres = Callable[..., Any]


def note(store: Any, value: bytes, name: str = "x") -> None:
    store.begin()
    store.set_meta(name, value)
    store.commit()


def noted(store: Any, name: str = "x") -> bytes | None:
    store.begin()
    value: bytes | None = store.get_meta(name)
    store.rollback()
    return value


def commits(store: Any) -> int:
    return int(
        store.committer.line.connection.execute(
            "SELECT last_commit FROM tq.shards WHERE shard = %s", (store.committer.held.shard,)
        ).fetchone()[0]
    )


def test_what_was_committed_is_read_by_the_next_owner(open_store: OpenPostgres) -> None:
    store = open_store()
    note(store, b"1")
    store.close()
    assert noted(open_store()) == b"1"


def test_a_table_without_rows_is_not_read_at_a_start(
    open_store: OpenPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = loading.rows_of

    def rows_of(line: Any, shard: int, table: Any) -> Any:
        read.append(table.name)
        return real(line, shard, table)

    store = open_store()
    note(store, b"1")
    store.close()
    monkeypatch.setattr(loading, "rows_of", rows_of)
    assert noted(open_store()) == b"1"
    assert "meta" in read
    assert "tasks" not in read


def test_a_transaction_that_changes_nothing_costs_the_database_nothing(open_store: OpenPostgres) -> None:
    store = open_store()
    before = commits(store)
    store.begin()
    store.get_meta("x")
    store.commit()
    note(store, b"1")
    assert commits(store) == before + 1


def test_an_owner_whose_time_is_over_commits_nothing_and_learns_who_came(open_store: OpenPostgres) -> None:
    first = open_store()
    note(first, b"first")
    expire_lease(first)
    second = open_store()
    with pytest.raises(Displaced, match="has taken over shard"):
        note(first, b"late")
    first.rollback()
    with pytest.raises(Displaced):
        first.reopen()
    assert noted(second) == b"first"
    note(second, b"second")
    assert noted(second) == b"second"


def expire_lease(store: Any) -> None:
    """As if its owner had said nothing for a while, and stood still now."""
    store.renewal.close()
    store.committer.line.connection.execute(
        "UPDATE tq.shards SET until = clock_timestamp() WHERE shard = %s", (store.committer.held.shard,)
    )


def test_a_shard_whose_owner_lives_is_not_taken(open_store: OpenPostgres) -> None:
    open_store()
    with pytest.raises(ConfigError, match="owns shard"):
        open_store()


def test_a_refused_transaction_leaves_copy_and_database_as_they_were(open_store: OpenPostgres) -> None:
    store = open_store()
    note(store, b"1")
    shard = store.committer.held.shard
    connection = store.committer.line.connection
    connection.execute(
        f"ALTER TABLE tq.meta ADD CONSTRAINT refused CHECK (shard <> {shard} OR value <> 'no')"
    )
    try:
        with pytest.raises(StoreError, match="refused") as raised:
            note(store, b"no")
        assert not raised.value.maybe_done
        store.rollback()
        store.reopen()
        assert noted(store) == b"1"
        note(store, b"2")
    finally:
        connection.execute("ALTER TABLE tq.meta DROP CONSTRAINT refused")


def test_a_copy_that_is_opened_again_does_not_wait_for_the_transaction_that_failed(
    open_store: OpenPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the engine does after a commit that the database has refused."""
    store = open_store(tmp_path)
    note(store, b"1")

    def refuse(*_: Any) -> None:
        raise StoreError("refused")

    with monkeypatch.context() as patched:
        patched.setattr(store.committer, "commit", refuse)
        with pytest.raises(StoreError, match="refused"):
            note(store, b"2")
    store.reopen()
    assert noted(store) == b"1"
    note(store, b"3")
    store.close()
    assert noted(open_store(tmp_path)) == b"3"


def test_a_commit_whose_answer_is_lost_is_done_once(open_store: OpenPostgres) -> None:
    store = open_store()
    note(store, b"1")
    before, line = commits(store), store.committer.line
    real = line._exchange

    def lose_the_answer(*given: Any) -> Any:
        real(*given)
        raise OSError("the connection was cut behind the commit")

    line._exchange = lose_the_answer
    note(store, b"2")
    assert (commits(store), noted(store)) == (before + 1, b"2")
    note(store, b"3")
    assert commits(store) == before + 2


def test_a_commit_that_never_arrived_is_sent_again(open_store: OpenPostgres) -> None:
    said: list[str] = []
    store = open_store(report=lambda action, **_: said.append(action))
    note(store, b"1")
    before = commits(store)

    def is_cut(*_: Any) -> Any:
        raise OSError("the connection was cut before the commit")

    store.committer.line._exchange = is_cut
    note(store, b"2")
    assert (commits(store), noted(store)) == (before + 1, b"2")
    assert said[-2:] == ["database.away", "database.back"]


def test_a_master_that_ends_does_not_wait_for_a_database_that_is_away(open_store: OpenPostgres) -> None:
    store = open_store()
    store.committer.line.close()
    away, refused = threading.Event(), []

    def never() -> Any:
        from tq.master.store.postgres.line import DatabaseAway

        away.set()
        raise DatabaseAway("it is away")

    store.committer._connect = never

    def commit() -> None:
        with contextlib.suppress(StoreError):
            note(store, b"1")
            return
        refused.append(True)

    thread = threading.Thread(target=commit)
    thread.start()
    assert away.wait(10)
    store.committer.close()
    thread.join(10)
    assert refused == [True]


def reopen(store: Any) -> None:
    """As the engine does: again, until it can be read."""

    def is_open() -> bool:
        with contextlib.suppress(StoreError):
            store.reopen()
            return True
        return False

    eventually(is_open)


def test_a_database_that_has_gone_back_is_loaded_again(open_store: OpenPostgres) -> None:
    """As after a restore, or a fail-over to a standby that lacked the last commits."""
    store = open_store()
    note(store, b"1")
    connection, shard = store.committer.line.connection, store.committer.held.shard
    connection.execute("UPDATE tq.shards SET last_commit = last_commit - 1 WHERE shard = %s", (shard,))
    connection.execute("UPDATE tq.meta SET value = 'old' WHERE shard = %s AND name = 'x'", (shard,))
    with pytest.raises(Displaced, match="has gone back"):
        note(store, b"2")
    store.rollback()
    reopen(store)
    assert noted(store) == b"old"
    note(store, b"3")
    assert noted(store) == b"3"


@pytest.mark.parametrize("change", ["epoch = epoch - 1", "epoch = epoch + 1, last_commit = last_commit - 1"])
def test_an_owner_whose_database_went_back_to_another_owner_says_that_it_went_back(
    open_store: OpenPostgres, change: str
) -> None:
    """What it had committed is lost: that another master has taken over is not all that there is to say."""
    expire_lease(first := open_store())
    store = open_store()
    note(store, b"1")
    connection, shard = store.committer.line.connection, store.committer.held.shard
    before = first.committer.held.owner
    text = f"UPDATE tq.shards SET owner = %s, {change} WHERE shard = %s"  # noqa: S608 - of this test
    connection.execute(text, (before, shard))
    with pytest.raises(
        Displaced, match=r"has gone back: .* had committed .* lacked the last commits"
    ) as lost:
        note(store, b"2")
    assert not lost.value.gone_back, "it is the other one's"


# the file of the working copy


def copies_loaded(folder: Path, open_store: OpenPostgres, change: Callable[[], None]) -> bool:
    """Whether a start loaded everything, after a change: by a row that only the file has."""
    store = open_store(folder)
    note(store, b"1")
    store.close()
    with contextlib.closing(sqlite3.connect(folder / "copy.db")) as db, db:
        db.execute("INSERT INTO meta VALUES ('only in the file', x'01')")
    change()
    again = open_store(folder)
    is_loaded = noted(again, "only in the file") is None
    assert noted(again) == b"1"
    again.close()
    return is_loaded


def test_a_copy_that_is_exact_is_used_again(open_store: OpenPostgres, tmp_path: Path) -> None:
    assert not copies_loaded(tmp_path, open_store, lambda: None)


def test_a_copy_is_loaded_again_when_another_owner_has_been_there(
    open_store: OpenPostgres, tmp_path: Path
) -> None:
    assert copies_loaded(tmp_path, open_store, lambda: open_store().close())


def test_a_copy_that_is_ahead_of_a_restored_database_is_loaded_again(
    open_store: OpenPostgres, tmp_path: Path, postgres: PostgresServer
) -> None:
    """Restored to a commit of the same owner: only the number of the commit differs."""

    def go_back() -> None:
        line = PostgresLine(read_address(postgres.url()), 10)
        line.connection.execute("UPDATE tq.shards SET last_commit = last_commit - 1")
        line.close()

    assert copies_loaded(tmp_path, open_store, go_back)


def test_a_copy_that_is_no_database_is_loaded_again(open_store: OpenPostgres, tmp_path: Path) -> None:
    assert copies_loaded(tmp_path, open_store, lambda: damage(tmp_path / "copy.db"))


def damage(file: Path) -> None:
    file.write_bytes(b"x" * 10_000)


def test_a_copy_that_was_not_closed_is_used_again_unless_the_machine_was_started_since(
    open_store: OpenPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    store = open_store(tmp_path / "a")
    note(store, b"1")
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path / "a", killed)
    from tq.master.store.postgres import working_copy

    row = working_copy.ShardRow(
        store.committer.held.owner, store.committer.held.epoch, store.committer.held.last_commit, 0
    )
    row = row._replace(schema=int(store._db.execute("PRAGMA user_version").fetchone()[0]))
    assert working_copy.is_exact(killed / "copy.db", row, row.schema)
    assert not working_copy.is_exact(
        killed / "copy.db", row._replace(last_commit=row.last_commit + 1), row.schema
    )
    monkeypatch.setattr(working_copy, "boot_id", lambda: "another start")
    assert not working_copy.is_exact(killed / "copy.db", row, row.schema)


# the server


def test_nothing_is_lost_while_the_server_is_killed_and_started_again(tmp_path: Path) -> None:
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.store import PostgresStore

    from tests.postgres import require

    require()
    server = PostgresServer(durable=True)
    try:
        server.start()
        store = PostgresStore(read_address(server.url()), None)
        note(store, b"0")
        ended = threading.Event()
        reached: list[int] = []

        def write() -> None:
            number = 0
            while not ended.is_set():
                number += 1
                note(store, b"%d" % number)
                reached.append(number)

        thread = threading.Thread(target=write)
        thread.start()
        for _ in range(2):
            before = len(reached)
            server.kill()
            server.start()
            while len(reached) < before + 5 and thread.is_alive():
                ended.wait(0.01)
        ended.set()
        thread.join(30)
        store.close()
        again = PostgresStore(read_address(server.url()), None)
        assert noted(again) == b"%d" % reached[-1]
        again.close()
    finally:
        server.close()
