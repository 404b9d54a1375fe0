"""The thread by which a master that stands by sees the shard."""

from __future__ import annotations

import threading

import pytest
from tq.master.store.postgres import watching
from tq.master.store.postgres.address import DatabaseAddress
from tq.master.store.postgres.line import PostgresLine
from tq.master.store.postgres.masters import ShardSeen, listed
from tq.master.store.postgres.shard import release
from tq.master.store.postgres.watching import LOOK_SECONDS, LOOK_SECONDS_MIN, ShardWatch, pause_after

from .owners import A, B, take


def test_one_that_stands_by_sees_that_the_shard_is_free(
    owners_line: PostgresLine, owners_database: DatabaseAddress
) -> None:
    held, free = take(owners_line, A), threading.Event()
    watch = ShardWatch(
        7,
        lambda: PostgresLine(owners_database, 10),
        B,
        lambda seen: free.set() if seen and seen.is_free else None,
        print,
    )
    try:
        release(owners_line, held)
        assert free.wait(20)
    finally:
        watch.close()
    assert [row.host for row in listed(owners_line, 7)] == ["b"]


def test_one_that_stands_by_releases_what_the_database_takes_for_its_own(
    owners_line: PostgresLine, owners_database: DatabaseAddress
) -> None:
    """Else none would take it: as long as its master says that it is here, the others take an owner of it for one that lives."""
    take(owners_line, A)  # a term that is over: the database went back to it
    owners_line.connection.execute("UPDATE tq.shards SET until = clock_timestamp() + interval '1 hour'")
    free, errors = threading.Event(), list[str]()
    watch = ShardWatch(
        7,
        lambda: PostgresLine(owners_database, 10),
        A,
        lambda seen: free.set() if seen and seen.is_free else None,
        errors.append,
    )
    try:
        assert free.wait(20), errors
    finally:
        watch.close()
    assert take(owners_line, B).epoch == 2


@pytest.mark.parametrize(
    ("left", "pause"), [(None, LOOK_SECONDS), (3.0, LOOK_SECONDS), (0.1, 0.1), (-1.0, LOOK_SECONDS_MIN)]
)
def test_it_looks_again_at_the_moment_at_which_the_owners_time_is_over(
    left: float | None, pause: float
) -> None:
    assert pause_after(ShardSeen("a:1", 1, left, None)) == pause


def test_a_shard_without_a_row_is_looked_at_as_often_as_any() -> None:
    assert pause_after(None) == LOOK_SECONDS


def test_one_that_was_closed_while_it_waited_for_a_connection_says_nothing_more(
    owners_line: PostgresLine, owners_database: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "END_SECONDS_MAX", 0.0)
    take(owners_line, A)
    asked, answered, said = threading.Event(), threading.Event(), list[object]()

    def slow() -> PostgresLine:
        asked.set()
        assert answered.wait(30)
        return PostgresLine(owners_database, 10)

    watch = ShardWatch(7, slow, B, said.append, said.append)
    assert asked.wait(30)
    watch.close()
    answered.set()
    watch._thread.join(30)
    assert not watch._thread.is_alive()
    assert not said, "its loop may be closed"
    assert [row.host for row in listed(owners_line, 7)] == []
