"""Room for connections among the files that a process may open, and the share of one key."""

from __future__ import annotations

import resource
from typing import Any

import pytest
from tq.common.errors import QuotaExceeded
from tq.master.engine.accounts import Account, Accounts, Resource
from tq.master.net.descriptors import KEY_SHARE, RESERVED, Descriptors, descriptors_max


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def descriptors(reports: list[str]) -> Descriptors:
    def report(action: str, **_: Any) -> None:
        reports.append(action)

    return Descriptors(set(), report)


def test_some_of_the_files_that_a_process_may_open_are_not_for_connections() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert descriptors_max() == soft - RESERVED


def test_a_connection_with_a_high_descriptor_finds_no_room_and_the_log_says_so_once(
    descriptors: Descriptors, reports: list[str]
) -> None:
    assert descriptors.has_room(descriptors.max - 1)
    assert not descriptors.has_room(descriptors.max)
    assert not descriptors.has_room(descriptors.max + 1)
    assert reports == ["server.full"]
    assert descriptors.has_room(descriptors.max - 1)
    assert not descriptors.has_room(descriptors.max)
    assert reports == ["server.full"] * 2


def test_one_key_has_its_share_of_connections_and_another_finds_room(descriptors: Descriptors) -> None:
    accounts = Accounts()
    crowd, other = accounts.of("crowd"), accounts.of("other")
    descriptors.max = 8
    for _ in range(int(descriptors.max * KEY_SHARE)):
        descriptors.admit(crowd)
    with pytest.raises(QuotaExceeded, match="this key has 6 connections; at most 6"):
        descriptors.admit(crowd)
    descriptors.admit(other)
    assert (crowd.held[Resource.SESSIONS], other.held[Resource.SESSIONS]) == (6, 1)


def test_the_only_key_there_is_has_all_connections(descriptors: Descriptors) -> None:
    shared = Account(Account(), is_shared=True)
    descriptors.max = 4
    for _ in range(descriptors.max):
        descriptors.admit(shared)
    assert shared.held[Resource.SESSIONS] == descriptors.max
