"""Addresses of databases as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tq.client.cli.outbox.address import (
    check_address,
    has_password,
    is_postgres,
    open_database,
    shown_address,
)
from tq.common.errors import ConfigError, InvalidArgument

SECRET = "secret-word"


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://me:{SECRET}@db.example:5432/app",
        f"postgres://me:{SECRET}@db.example,other.example/app?target_session_attrs=read-write",
        f"postgresql:///app?host=/run&user=me&password={SECRET}",
        f"host=db.example password={SECRET} dbname=app",
        f"host=db.example password = '{SECRET} \\' more' dbname=app",
    ],
)
def test_a_password_is_never_shown_nor_typed(address: str) -> None:
    assert is_postgres(address)
    assert has_password(address)
    assert SECRET not in shown_address(address)
    assert "app" in shown_address(address)
    check_address(address, None, is_typed=False)
    with pytest.raises(
        InvalidArgument, match="list of processes; put the address into TQ_OUTBOX_DATABASE"
    ) as refused:
        check_address(address, None, is_typed=True)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql:///app",
        "postgresql://me@db.example/app?host=/run",
        "dbname=app",
        "app.db",
        "sqlite:///app.db",
    ],
)
def test_an_address_without_one_is_shown_as_it_is(address: str) -> None:
    assert shown_address(address) == address
    assert not has_password(address)
    check_address(address, "jobs", is_typed=True)


@pytest.mark.parametrize("address", ["mysql://me:x@db/app", "http://db", "postgresql+psycopg://me:x@db/app"])
def test_other_databases_are_refused_with_what_there_is(address: str) -> None:
    with pytest.raises(
        InvalidArgument, match="an outbox is in PostgreSQL or SQLite; write postgresql://"
    ) as refused:
        is_postgres(address)
    assert ":x@" not in str(refused.value)


def test_a_file_that_is_not_there_is_no_empty_outbox(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"there is no file .*; write the path of the database that your program writes to"
    ):
        open_database(f"sqlite:///{tmp_path}/typo.db", None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database at all, but long enough to be looked at by SQLite" * 20)
    with pytest.raises(Exception, match="file is not a database"):
        open_database(str(tmp_path / "text"), None).counts()


@pytest.mark.parametrize("address", ["sqlite://app.db", "sqlite:app.db", "sqlite:///"])
def test_slashes_of_sqlite_are_explained(address: str) -> None:
    with pytest.raises(InvalidArgument, match="with a fourth slash if the path begins with one"):
        open_database(address, None)


def test_sqlite_has_no_schema(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="--schema jobs is of PostgreSQL"):
        open_database(str(tmp_path / "app.db"), "jobs", makes=True)
