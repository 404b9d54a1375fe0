"""A database that a master must not use: refused with what to do, and left as it was."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.master.waiting_turn import wait_for_turn

from tests.postgres import PostgresServer

NUMBERS: Final = itertools.count(1)
Open = Callable[..., Any]


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    name = f"schema{next(NUMBERS)}"
    postgres.create(name)
    return name


@pytest.fixture
def open_as(postgres: PostgresServer, database: str) -> Iterator[Open]:
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.store import PostgresStore

    opened: list[Any] = []

    def open_one(user: str = "postgres") -> Any:
        opened.append(PostgresStore(read_address(postgres.url(database, user)), None))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def test_a_newer_schema_is_refused_and_the_next_one_is_not(
    postgres: PostgresServer, database: str, open_as: Open
) -> None:
    open_as().close()
    postgres.sql("UPDATE tq.cluster SET schema = schema + 1", database)
    open_as().close()
    postgres.sql("UPDATE tq.cluster SET schema = schema + 1", database)
    with pytest.raises(ConfigError, match="start the newer tq-master"):
        open_as()


def test_a_role_without_rights_is_refused_with_the_grants_and_runs_with_them(
    postgres: PostgresServer, database: str, open_as: Open
) -> None:
    role = f"runs_{database}"
    postgres.sql(f"CREATE ROLE {role} LOGIN", database)
    with pytest.raises(ConfigError, match=f"CREATE SCHEMA tq AUTHORIZATION {role}"):
        open_as(role)
    open_as().close()  # its owner prepares it
    for grant in (
        f"GRANT USAGE ON SCHEMA tq TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tq TO {role}",
    ):
        with pytest.raises(ConfigError, match="GRANT USAGE ON SCHEMA tq"):
            open_as(role)
        postgres.sql(grant, database)
    open_as(role).close()


def test_a_role_that_owns_only_the_schema_prepares_it(
    postgres: PostgresServer, database: str, open_as: Open
) -> None:
    role = f"owns_{database}"
    postgres.sql(f"CREATE ROLE {role} LOGIN", database)
    postgres.sql(f"CREATE SCHEMA tq AUTHORIZATION {role}", database)
    open_as(role).close()


def test_no_other_role_may_read_a_table(postgres: PostgresServer, database: str, open_as: Open) -> None:
    store = open_as()
    for kind in ("SELECT", "INSERT", "UPDATE", "DELETE"):
        granted = store.committer.line.connection.execute(
            "SELECT c.relname FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'tq'::regnamespace "
            "AND a.grantee = 0 AND a.privilege_type = %s",
            (kind,),
        ).fetchall()
        assert granted == []


def test_a_database_that_is_not_in_utf_8_is_refused(postgres: PostgresServer) -> None:
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.store import PostgresStore

    postgres.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    with pytest.raises(ConfigError, match="--encoding=UTF8"):
        PostgresStore(read_address(postgres.url("latin")), None)


def test_a_database_that_is_not_there_is_refused_with_what_makes_it(postgres: PostgresServer) -> None:
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.store import PostgresStore

    with pytest.raises(ConfigError, match="createdb"):
        PostgresStore(read_address(postgres.url("nowhere")), None)


def test_rows_of_an_older_schema_are_migrated_and_shipped(
    database: str, open_as: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that adds a column, fills it, and adds a table."""
    from tq.master.store.sqlite import store as sqlite_store

    files = sqlite_store._files()
    monkeypatch.setattr(sqlite_store, "_files", lambda: files[:-1])
    forget_tables(monkeypatch)
    before = open_as()
    before.begin()
    before.set_meta("x", b"1")
    before.commit()
    before.close()
    monkeypatch.undo()
    after = open_as()
    after.begin()
    assert after.get_meta("x") == b"1"
    after.rollback()
    read = after.committer.line.connection.execute
    assert read("SELECT schema FROM tq.shards").fetchall() == [(len(files),)]
    assert read("SELECT schema FROM tq.cluster").fetchall() == [(len(files),)]
    from ..differences import differences

    assert differences(after) == []


def test_masters_of_two_versions_follow_one_another(
    database: str, open_as: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of the newer one a table and a column stay as they are while the older one serves again."""
    from tq.master.store.sqlite import store as sqlite_store

    known, newer = sqlite_store._files(), tmp_path / "9999_newer.sql"
    newer.write_text(
        "ALTER TABLE meta ADD COLUMN more INTEGER DEFAULT 7;"
        "CREATE TABLE more (name TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID; INSERT INTO more VALUES ('x');"
    )
    for number, files in enumerate([known, [*known, newer]] * 3):
        monkeypatch.setattr(sqlite_store, "_files", lambda files=files: files)
        forget_tables(monkeypatch)
        store = open_as()
        store.begin()
        for earlier in range(number):
            assert store.get_meta(f"from {earlier}") == b"1"
        store.set_meta(f"from {number}", b"1")
        store.commit()
        read = store.committer.line.connection.execute
        assert read("SELECT schema FROM tq.cluster").fetchall() == [(len(known) + (number > 0),)]
        if number:
            assert read("SELECT name FROM tq.more").fetchall() == [("x",)]
            assert read("SELECT count(*) FROM tq.meta WHERE more <> 7").fetchall() == [(0,)]
        store.close()


def forget_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    from tq.master.store.postgres import store
    from tq.master.store.postgres.newest_tables import NewestTables

    monkeypatch.setattr(store, "newest", NewestTables())


def test_a_role_without_rights_is_refused_before_a_master_waits_for_its_turn(
    postgres: PostgresServer, database: str, open_as: Open, tmp_path: Path
) -> None:
    open_as().close()
    role = f"waits_{database}"
    postgres.sql(f"CREATE ROLE {role} LOGIN", database)
    settings = MasterSettings(data=tmp_path / "data", store=postgres.url(database, role))
    with pytest.raises(
        ConfigError,
        match=r"permission denied for schema tq; let the owner of the database run, once: .*GRANT",
    ):
        wait_for_turn(settings, cast(Any, None), cast(Any, None))
