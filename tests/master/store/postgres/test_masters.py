"""Ownership in a real database: renewed by its owner alone, taken when it is over, seen by all; by the database's clock."""

from __future__ import annotations

from contextlib import closing

import pytest
from tq.master.keys.revoked_leaves import REVOKED
from tq.master.store.interface.store import OwnedElsewhere
from tq.master.store.postgres.address import DatabaseAddress
from tq.master.store.postgres.line import PostgresLine
from tq.master.store.postgres.masters import give_up, listed, look, renew, say_gone, say_here
from tq.master.store.postgres.shard import release
from tq.master.store.postgres.tenure import LEASE_SECONDS
from tq.master.store.postgres.watching import first_look

from .owners import A, B, over, take


def test_an_owner_is_seen_with_its_address_and_what_it_has_left(owners_line: PostgresLine) -> None:
    assert look(owners_line, 7) is None
    say_here(owners_line, A)
    take(owners_line, A)
    seen = look(owners_line, 7)
    assert seen is not None
    assert (seen.owner, seen.epoch, seen.address, seen.is_free) == ("a:1:x", 1, "a.example:5000", False)
    assert seen.left_seconds is not None
    assert 0 < seen.left_seconds <= LEASE_SECONDS
    assert first_look(owners_line, 7)[1] is None, "no certificate is known yet"


def test_of_two_that_claim_one_gets_it(owners_line: PostgresLine) -> None:
    take(owners_line, A)
    with pytest.raises(OwnedElsewhere, match=r"another master \(a:1:x\) owns shard 7"):
        take(owners_line, B)


def test_one_that_was_late_renews_as_long_as_no_other_has_claimed(owners_line: PostgresLine) -> None:
    held = take(owners_line, A)
    over(owners_line)
    assert renew(owners_line, held)
    over(owners_line)
    assert take(owners_line, B).epoch == 2
    assert not renew(owners_line, held), "its epoch is over, however long it stood still"


def test_an_epoch_that_comes_again_after_a_restore_is_not_that_of_its_first_owner(
    owners_line: PostgresLine,
) -> None:
    take(owners_line, A)
    over(owners_line)
    of_b = take(owners_line, B)
    owners_line.connection.execute(  # an older state: B had not been there
        "UPDATE tq.shards SET owner = 'a:1:x', epoch = 1, until = clock_timestamp()"
    )
    again = take(owners_line, A)
    assert again.epoch == of_b.epoch == 2
    assert renew(owners_line, again)
    assert not renew(owners_line, of_b), "owners have names of their own: the number alone is not believed"


def test_what_was_released_is_free_at_once(owners_line: PostgresLine) -> None:
    held = take(owners_line, A)
    release(owners_line, held)
    seen = look(owners_line, 7)
    assert seen is not None
    assert seen.is_free
    assert take(owners_line, B).epoch == 2


def test_a_master_gives_up_what_has_its_name_and_nothing_else(
    owners_line: PostgresLine, owners_database: DatabaseAddress
) -> None:
    held = take(owners_line, A)
    seen = look(owners_line, 7)
    assert seen is not None
    assert not give_up(owners_line, B, 7, seen)
    assert renew(owners_line, held)
    with closing(PostgresLine(owners_database, 10)) as other, other.connection.transaction():
        other.connection.execute("SELECT 1 FROM tq.shards FOR UPDATE")  # its last commit is under way
        assert give_up(owners_line, A, 7, seen)
        assert not (look(owners_line, 7) or seen).is_free, "the next look asks again"
    assert give_up(owners_line, A, 7, seen)
    free = look(owners_line, 7)
    assert free is not None
    assert free.is_free
    assert not give_up(owners_line, A, 7, free)
    again = take(owners_line, A)
    assert give_up(owners_line, A, 7, seen)
    assert renew(owners_line, again), "of the term that was seen, and of no later one"


def test_all_masters_are_listed_with_the_owner_marked(owners_line: PostgresLine) -> None:
    for me in (A, B):
        say_here(owners_line, me)
    take(owners_line, B)
    assert [(row.host, row.epoch) for row in listed(owners_line, 7)] == [("a", None), ("b", 1)]
    [of_a, of_b] = listed(owners_line, 7)
    assert (of_a.serves, of_a.left, of_a.address, of_a.until) == (False, None, "a.example:5000", None)
    assert of_b.left is not None
    assert 0 < of_b.left <= LEASE_SECONDS
    say_here(owners_line, A._replace(address="proxy:7", until="2027-01-02T00:00:00+00:00"))
    of_a = listed(owners_line, 7)[0]
    assert (of_a.address, of_a.until) == ("proxy:7", 1_798_848_000), "as it says now"
    say_gone(owners_line, B)
    assert [row.host for row in listed(owners_line, 7)] == ["a"]


def test_one_that_stands_by_sees_what_is_revoked(owners_line: PostgresLine) -> None:
    take(owners_line, A)
    seen = look(owners_line, 7)
    assert seen is not None
    assert seen.revoked is None
    owners_line.connection.execute(
        "INSERT INTO tq.meta (shard, name, value) VALUES (7, %s, %s)", (REVOKED, b"\x90\x00list")
    )
    seen = look(owners_line, 7)
    assert seen is not None
    assert seen.revoked == b"\x90\x00list"
