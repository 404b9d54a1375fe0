"""Addresses of a database: what is refused before anything is opened, and what is never shown."""

from __future__ import annotations

import pytest
from tq.common.errors import ConfigError

from tests.postgres import require


@pytest.fixture(autouse=True)
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    require()
    for name in ("PGHOST", "PGSSLMODE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://tq:geheim@localhost/tasks", "postgresql://tq@localhost/tasks"),
        ("postgres://tq@127.0.0.1:5433/tasks?password=geheim", "postgresql://tq@127.0.0.1:5433/tasks"),
        ("postgresql:///tasks?host=/run/postgresql&user=tq", "postgresql://tq@/tasks?host=/run/postgresql"),
        (
            "postgresql://tq:geheim@a,b:5433/tasks?sslmode=verify-full&target_session_attrs=read-write",
            "postgresql://tq@a,b:5433/tasks",
        ),
        ("postgresql:///?service=tasks", "postgresql:///?service=tasks"),
    ],
)
def test_an_address_is_shown_without_its_password(given: str, shown: str) -> None:
    from tq.master.store.postgres.address import read_address

    address = read_address(given)
    assert str(address) == shown
    assert "geheim" not in repr(address)


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://tq:geheim@[::1/tasks",
        "postgresql://tq:ge%zzheim@localhost/tasks",
        "postgresql://tq:geheim@localhost/tasks?colour=red",
        "mysql://tq:geheim@localhost/tasks",
        "tq:geheim",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_its_password(given: str) -> None:
    from tq.master.store.postgres.address import read_address

    with pytest.raises(ConfigError, match="postgresql://USER@HOST/DATABASE") as raised:
        read_address(given)
    assert "heim" not in str(raised.value)


def test_a_host_that_is_not_this_one_needs_a_connection_that_is_proven() -> None:
    from tq.master.store.postgres.address import read_address

    with pytest.raises(ConfigError, match="sslmode=verify-full") as raised:
        read_address("postgresql://tq:geheim@db.example/tasks")
    assert "geheim" not in str(raised.value)
    for said in ("verify-full", "require", "disable"):
        read_address(f"postgresql://tq@db.example/tasks?sslmode={said}")
    for here in (
        "postgresql://localhost/x",
        "postgresql://[::1]/x",
        "postgresql:///x?host=/run/postgresql",
        "postgresql:///x",
    ):
        read_address(here)


def test_an_error_of_the_driver_that_repeats_a_password_is_shown_without_it() -> None:
    from tq.master.store.postgres.address import read_address, without_secrets

    address = read_address("postgresql://tq:geheim@localhost/tasks")
    assert without_secrets("no geheim here", address) == "no *** here"
