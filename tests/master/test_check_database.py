"""``tq-master check --store``: what a start would refuse is said before it, and nothing is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tq.common.runtime.checkup import Checkup
from tq.common.runtime.config import MasterSettings
from tq.master.app import Opening, open_resources
from tq.master.check_database import check_database
from tq.master.store.cluster_files import DEFAULT_START
from tq.master.store.sqlite.store import newest_schema

from tests.postgres import PostgresServer

from .conftest import SHARDS


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    name = f"checked_{next(SHARDS)}"
    postgres.create(name)
    return name


@pytest.fixture
def role(postgres: PostgresServer, database: str) -> str:
    postgres.sql(f"CREATE ROLE role_of_{database} LOGIN", database)
    return f"role_of_{database}"


def said(url: str, data: Path) -> str:
    checkup = Checkup()
    settings = MasterSettings(data=data, store=url)
    check_database(checkup, settings, DEFAULT_START, url, newest_schema(), is_running=False)
    return "\n".join(str(one) for one in checkup.findings)


def begin(url: str, data: Path) -> None:
    open_resources(Opening(MasterSettings(data=data, store=url), None, lambda action, **_: None)).close()


def test_a_role_that_may_not_make_the_tables_is_told_what_its_database_lacks(
    postgres: PostgresServer, database: str, role: str, tmp_path: Path
) -> None:
    assert "it will be prepared" in said(postgres.url(database), tmp_path)
    words = said(postgres.url(database, role), tmp_path)
    assert "no CREATE" in words
    assert f"CREATE SCHEMA tq AUTHORIZATION {role}" in words


def test_a_role_that_may_not_look_into_the_schema_is_told_what_it_lacks(
    postgres: PostgresServer, database: str, role: str, tmp_path: Path
) -> None:
    begin(postgres.url(database), tmp_path / "state")
    words = said(postgres.url(database, role), tmp_path / "other")
    assert f"GRANT USAGE ON SCHEMA tq TO {role}" in words


def test_a_directory_of_another_cluster_is_refused_and_its_own_is_not(
    postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    url = postgres.url(database)
    begin(url, tmp_path / "state")
    open_resources(Opening(MasterSettings(data=tmp_path / "other"), None, lambda action, **_: None)).close()
    assert "error" not in said(url, tmp_path / "state")
    assert "master.crt is of another cluster than" in said(url, tmp_path / "other")


def test_a_database_that_another_master_serves_is_no_error_for_one_that_would_stand_by(
    postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    url = postgres.url(database)
    resources = open_resources(
        Opening(MasterSettings(data=tmp_path / "state", store=url), None, lambda action, **_: None)
    )
    try:
        words = said(url, tmp_path / "new")
    finally:
        resources.close()
    assert "serves; this one would stand by" in words
    assert "this host has no certificate of its cluster; on this host, once: tq-master request" in words
