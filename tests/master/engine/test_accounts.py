"""One account for each key and one of all: what is taken, refused and given back."""

from __future__ import annotations

import pytest
from tq.common.auth.keys import AUTHKEY_ID
from tq.common.errors import QuotaExceeded
from tq.master.engine.accounts import (
    ALL_BYTES_MAX,
    KEY_BYTES_MAX,
    LIMITS,
    MIB,
    Account,
    AccountLimit,
    Accounts,
    Resource,
)


def most_of(limit: AccountLimit) -> int:
    """What one key may have of it that has nothing else: what weighs nothing is of the store."""
    return min(limit.key, KEY_BYTES_MAX // limit.weight) if limit.weight else limit.key


@pytest.mark.parametrize("what", Resource)
def test_a_key_may_have_as_much_as_its_limit_and_no_more(what: Resource) -> None:
    account = Accounts().of("a")
    limit = LIMITS[what]
    most = most_of(limit)
    account.take(what, most)
    with pytest.raises(QuotaExceeded, match=f"{limit.words}.*: {limit.remedy}"):
        account.take(what)
    assert account.held[what] == most


@pytest.mark.parametrize("what", Resource)
def test_what_was_given_back_can_be_taken_again(what: Resource) -> None:
    accounts = Accounts()
    account = accounts.of("a")
    account.take(what, 7)
    account.give(what, 7)
    assert (account.bytes, accounts.total.bytes) == (0, 0)
    assert not any(account.held + accounts.total.held)


@pytest.mark.parametrize("what", Resource)
def test_one_key_at_its_limit_leaves_room_for_another(what: Resource) -> None:
    accounts = Accounts()
    limit = LIMITS[what]
    accounts.of("greedy").take(what, most_of(limit))
    accounts.of("honest").take(what)


def test_many_kinds_of_things_together_are_bounded_by_the_memory_that_they_take() -> None:
    account = Accounts().of("a")
    account.take(Resource.SESSIONS, LIMITS[Resource.SESSIONS].key)
    with pytest.raises(QuotaExceeded, match=r"this key has here takes 214 MiB .* at most 240 MiB: collect"):
        account.take(Resource.WATCHED, 500_000)
    assert account.bytes <= KEY_BYTES_MAX


def test_all_keys_together_have_a_limit_too() -> None:
    accounts = Accounts()
    limit = LIMITS[Resource.UNREAD_BYTES]
    for number in range(limit.all // limit.key):
        accounts.of(f"key {number}").take(Resource.UNREAD_BYTES, limit.key)
    with pytest.raises(QuotaExceeded, match="all keys together have 268,435,456 bytes of answers"):
        accounts.of("the last").take(Resource.UNREAD_BYTES)


def test_a_plain_authkey_is_everybodys_and_has_the_limits_of_all() -> None:
    account = Accounts().of(AUTHKEY_ID)
    account.take(Resource.CALLS, LIMITS[Resource.CALLS].key + 1)
    with pytest.raises(QuotaExceeded, match="all keys together have"):
        account.take(Resource.CALLS, LIMITS[Resource.CALLS].all)


def test_what_cannot_be_refused_any_more_is_counted_beyond_the_limit() -> None:
    account = Accounts().of("a")
    account.note(Resource.STREAMS, LIMITS[Resource.STREAMS].key + 5)
    assert not account.takes(Resource.STREAMS, 1)
    account.give(Resource.STREAMS, 6)
    assert account.takes(Resource.STREAMS, 1)


def test_an_account_without_a_total_has_no_limits() -> None:
    account = Account()
    account.take(Resource.CALLS, 10**9)
    assert account.held[Resource.CALLS] == 10**9


def test_honest_crowds_fit() -> None:
    """Ten thousand workers of one key, each with its lease and its orders parked, which its session's weight includes; or a
    million watched tasks."""
    crowd = Accounts().of("workers")
    crowd.take(Resource.SESSIONS, 10_000)
    crowd.take(Resource.ANNOUNCED_BYTES, 20 * MIB)
    collector = Accounts().of("clients")
    collector.take(Resource.SESSIONS, 100)
    collector.take(Resource.WATCHED, 1_000_000)
    assert max(crowd.bytes, collector.bytes) <= KEY_BYTES_MAX < ALL_BYTES_MAX


def test_the_page_on_security_lists_every_limit(pytestconfig: pytest.Config) -> None:
    page = (pytestconfig.rootpath / "docs" / "security.md").read_text("utf-8")
    section = page.partition("## Limits of one key")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if "|" in line][
        2:
    ]

    def written(count: int) -> str:
        return f"{count // MIB:,} MiB" if count >= MIB and not count % MIB else f"{count:,}"

    wanted = [
        (written(KEY_BYTES_MAX), "1 GiB"),
        *((written(one.key), written(one.all)) for one in LIMITS.values()),
    ]
    assert len(rows) == len(wanted)
    for row, (key, all) in zip(rows, wanted, strict=True):
        assert row[1].startswith(key), row
        assert row[2].startswith(all), row
