"""The thread that keeps a shard for its owner."""

from __future__ import annotations

import threading

import pytest
from tq.master.store.postgres import shard_renewal
from tq.master.store.postgres.address import DatabaseAddress
from tq.master.store.postgres.line import PostgresLine
from tq.master.store.postgres.shard_renewal import ShardRenewal
from tq.master.store.postgres.tenure import Tenure, clock

from .owners import A, take


def test_the_owners_thread_renews_and_says_when_another_has_taken_over(
    owners_line: PostgresLine, owners_database: DatabaseAddress
) -> None:
    held, lost, reasons = take(owners_line, A), threading.Event(), []

    def displaced(reason: str) -> None:
        reasons.append(reason)
        lost.set()

    owners_line.connection.execute("UPDATE tq.shards SET until = clock_timestamp() + interval '1 s'")
    renewal = ShardRenewal(held, lambda: PostgresLine(owners_database, 10), A, displaced, Tenure(clock()))
    try:
        owners_line.connection.execute("UPDATE tq.shards SET owner = 'b:1:x', epoch = epoch + 1")
        assert lost.wait(20)
    finally:
        renewal.close()
    assert len(reasons) == 1
    assert "b:1:x has taken over shard 7" in reasons[0]


def test_a_question_that_outlived_its_term_does_not_say_that_another_master_has_come(
    owners_line: PostgresLine, owners_database: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_renewal, "END_SECONDS_MAX", 0.0)
    held, goes_on, reasons = take(owners_line, A), threading.Event(), list[str]()

    def slow() -> PostgresLine:
        assert goes_on.wait(20)
        return PostgresLine(owners_database, 10)

    renewal = ShardRenewal(held, slow, A, reasons.append, Tenure(clock()))
    renewal.close()
    owners_line.connection.execute("UPDATE tq.shards SET epoch = epoch + 1")  # this master's own next term
    goes_on.set()
    renewal._thread.join(20)
    assert not renewal._thread.is_alive()
    assert not reasons
