"""Variants of a task keep what was chosen before, and an outbox is a part of that."""

from __future__ import annotations

import sqlite3

import pytest
import tq
from tq.client.outbox.table import sqlite_ddl

app = tq.App("tq://127.0.0.1:1", "0" * 32)


@app.task
def plain(x: int) -> int:
    return x


def test_a_variant_of_an_outbox_writes_into_the_same_or_into_another_one() -> None:
    one, other = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    for db in (one, other):
        db.executescript(sqlite_ddl())
    into = plain.using(outbox=one).using(priority=3)
    into.submit(1)
    into.using(outbox=other).submit(2)
    into.submit(3)
    counts = [db.execute("SELECT count(*) FROM tq_outbox").fetchone() for db in (one, other)]
    assert counts == [(2,), (1,)]
    for db in (one, other):
        db.close()


def test_the_task_itself_is_submitted_to_the_master_as_before() -> None:
    db = sqlite3.connect(":memory:")
    plain.using(outbox=db)
    assert plain._outbox is None
    db.close()


def test_a_variant_cannot_have_its_function_called_otherwise() -> None:
    with pytest.raises(tq.InvalidArgument, match="coalesce= is of the function"):
        plain.using(coalesce=tq.Coalesce(3))
