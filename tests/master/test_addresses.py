"""Where a master says that it is, and where its state is."""

from __future__ import annotations

import socket

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.common.wire.address import Address
from tq.master.addresses import advertised, database_of, refuse_shown_password


@pytest.mark.parametrize(
    ("bind", "named"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", socket.gethostname()), ("::", socket.gethostname())],  # noqa: S104 - compared with
)
def test_a_master_is_found_where_it_listens_and_by_its_hosts_name_when_that_is_everywhere(
    bind: str, named: str
) -> None:
    assert advertised(MasterSettings(bind=Address(bind, 0)), 6000) == Address(named, 6000)


def test_what_the_operator_says_wins() -> None:
    said = Address("b.example", 5000)
    assert advertised(MasterSettings(advertise=said), 6000) == said


def test_a_store_in_files_has_no_database() -> None:
    assert database_of(MasterSettings()) is None


def test_a_password_in_the_command_line_is_refused() -> None:
    refuse_shown_password(None)
    refuse_shown_password("postgresql://tq@db.example/tasks?sslmode=verify-full&sslrootcert=system")
    with pytest.raises(ConfigError, match="password"):
        refuse_shown_password(
            "postgresql://tq:secret@db.example/tasks?sslmode=verify-full&sslrootcert=system"
        )
