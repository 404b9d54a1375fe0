"""All masters and shards of a real database in one look: who lives, how ready each is, what each has."""

from __future__ import annotations

import pytest
from tq.master.store.postgres.cluster_seen import cluster_meta, look_at_cluster
from tq.master.store.postgres.line import PostgresLine
from tq.master.store.postgres.masters import master_of, say_here
from tq.master.store.postgres.shard import release
from tq.master.store.postgres.tables import later
from tq.master.store.postgres.tenure import LEASE_SECONDS

from .owners import A, B, over, take


def test_who_looks_is_seen_with_what_it_says_of_itself(owners_line: PostgresLine) -> None:
    say_here(owners_line, A)  # of a version, or a cluster, that shares nothing
    found = look_at_cluster(owners_line, B, 2)
    assert [(one.id, one.readiness, one.lives) for one in found.masters] == [
        ("a:1", None, True),
        ("b:1", 2, True),
    ]
    assert look_at_cluster(owners_line, B, 0).masters[1].readiness == 0
    owners_line.connection.execute("UPDATE tq.masters SET seen = seen - interval '5 s' WHERE id = 'a:1'")
    assert [one.lives for one in look_at_cluster(owners_line, B, 2).masters] == [False, True]
    assert found.address_of("a:1") == "a.example:5000"
    assert found.address_of("c:1") is None


def test_a_shard_is_its_owners_until_it_is_released_or_its_lease_is_over(owners_line: PostgresLine) -> None:
    held = take(owners_line, B)
    seen = look_at_cluster(owners_line, B, 2).shards[7]
    assert (master_of(seen.owner), seen.epoch, seen.address, seen.is_free) == (
        "b:1",
        1,
        "b.example:5000",
        False,
    )
    over(owners_line)
    assert not look_at_cluster(owners_line, B, 2).shards[7].is_free, "its owner says that it is here"
    release(owners_line, held)
    assert look_at_cluster(owners_line, B, 2).shards[7].left_seconds is None


def test_people_see_what_each_master_has(owners_line: PostgresLine) -> None:
    say_here(owners_line, A)
    take(owners_line, B)
    found = look_at_cluster(owners_line, B, 2)
    a, b = found.rows(found.asked)
    assert (a.serves, a.epoch, a.left, a.shards) == (False, None, None, [])
    assert (b.serves, b.epoch, b.shards) == (True, 1, [7])
    assert b.left == pytest.approx(LEASE_SECONDS, abs=1)
    _, later_b = found.rows(found.asked + 60)
    assert (later_b.left, later_b.silent >= 60) == (0.0, True)


def test_a_table_of_an_older_master_gets_the_column(owners_line: PostgresLine) -> None:
    assert later({"masters": {"id", "readiness"}}) == []
    owners_line.connection.execute("ALTER TABLE tq.masters DROP COLUMN readiness")
    for statement in later({"masters": {"id"}}):
        owners_line.connection.execute(statement.encode())
    assert look_at_cluster(owners_line, A, 1).masters[0].readiness == 1


def test_a_database_that_no_master_has_prepared_knows_no_cluster(owners_line: PostgresLine) -> None:
    assert cluster_meta(owners_line) == {}
    owners_line.connection.execute("DROP SCHEMA tq CASCADE")
    assert cluster_meta(owners_line) == {}
