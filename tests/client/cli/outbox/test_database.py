"""What both kinds of databases do alike: claiming, marking, deleting, and what people do to rows."""

from __future__ import annotations

import threading
import time

import pytest
from tq.client.cli.outbox.database import OutboxDatabase, OutboxMissing
from tq.client.outbox.outbox import DatabaseOutbox

from .conftest import Program, new_row

EVERY = 1_000


def positions(database: OutboxDatabase) -> list[int]:
    return [row.position for row in database.claim(EVERY, (), ())]


def test_what_is_rolled_back_or_not_committed_is_never_claimed(
    program: Program, database: OutboxDatabase
) -> None:
    connection = program.connect()
    DatabaseOutbox(connection, program.schema).write([new_row()])
    assert database.claim(EVERY, (), ()) == []
    connection.rollback()
    assert database.claim(EVERY, (), ()) == []
    DatabaseOutbox(connection, program.schema).write([new_row("late")])
    connection.commit()
    [row] = database.claim(EVERY, (), ())
    assert (row.queue, row.task) == ("late", "m:f")
    connection.close()


def test_a_claimed_row_is_of_one_relay_until_it_is_released_or_the_relay_is_gone(
    program: Program, database: OutboxDatabase
) -> None:
    [id] = program.insert(new_row())
    other = program.open()
    assert [row.id for row in database.claim(EVERY, (), ())] == [id]
    assert other.claim(EVERY, (), ()) == []
    database.release()
    assert [row.id for row in other.claim(EVERY, (), ())] == [id]
    other.close()
    while not (rows := database.claim(EVERY, (), ())):
        pass  # a server notices a moment later that a connection is gone
    assert [row.id for row in rows] == [id]


def test_rows_are_claimed_in_their_order_without_full_queues_and_those_put_off(
    program: Program, database: OutboxDatabase
) -> None:
    ids = program.insert(new_row("a"), new_row("full"), new_row("b"), new_row("a"))
    every = database.claim(EVERY, (), ())
    assert [row.id for row in every] == ids
    database.release()
    left = database.claim(EVERY, ["full"], [every[0].position])
    assert [row.id for row in left] == ids[2:]
    database.release()
    assert [row.id for row in database.claim(2, (), ())] == ids[:2]


def test_a_row_is_sent_then_deleted_and_in_between_it_is_handed_over_no_more(
    program: Program, database: OutboxDatabase
) -> None:
    ids = program.insert(new_row(), new_row())
    first, second = positions(database)
    database.settle([first], [(second, "no such queue\0 here")])
    assert database.claim(EVERY, (), ()) == []
    assert database.take_sent(60.0, EVERY) == [], "kept for a minute"
    [sent] = database.take_sent(0.0, EVERY)
    assert sent.id == ids[0]
    database.delete([sent.position])
    assert database.take_sent(0.0, EVERY) == []
    counts = database.counts()
    assert (counts.waiting, counts.oldest, counts.sent, counts.refused) == (0, None, 0, 1)
    [row] = database.refused(10)
    assert (row.id, row.queue, row.tasks) == (ids[1], "q", 1)
    assert row.reason.startswith("no such queue")
    assert abs(row.created - time.time()) < 60


def test_refused_rows_wait_again_or_are_deleted_by_id_or_all(
    program: Program, database: OutboxDatabase
) -> None:
    ids = program.insert(*[new_row() for _ in range(4)])
    database.settle([], [(position, "why") for position in positions(database)])
    assert [row.id for row in database.refused(2)] == ids[:1:-1], "the newest first"
    assert database.retry([ids[0], bytes(16)], sent=False) == 1
    assert database.discard([ids[1]]) == 1
    assert [row.id for row in database.claim(EVERY, (), ())] == ids[:1]
    database.release()
    assert database.retry(None, sent=False) == 2
    assert database.discard(None) == 0
    assert len(positions(database)) == 3


def test_sent_rows_that_are_kept_can_wait_again(program: Program, database: OutboxDatabase) -> None:
    [id] = program.insert(new_row())
    database.settle(positions(database), [])
    assert database.retry(None, sent=False) == 0
    assert database.retry(None, sent=True) == 1
    assert [row.id for row in database.claim(EVERY, (), ())] == [id]


def test_a_wait_ends_when_a_program_commits(program: Program, database: OutboxDatabase) -> None:
    assert database.claim(EVERY, (), ()) == []
    connection = program.connect()
    DatabaseOutbox(connection, program.schema).write([new_row()])
    connection.commit()
    begun = time.monotonic()
    database.wait(30.0)
    assert time.monotonic() - begun < 15
    connection.close()


def test_a_wait_has_an_end(database: OutboxDatabase) -> None:
    begun = time.monotonic()
    assert database.claim(EVERY, (), ()) == []
    database.wait(0.05)
    assert time.monotonic() - begun < 15


def test_the_table_is_made_once_however_often_it_is_asked_for(
    program: Program, database: OutboxDatabase
) -> None:
    [id] = program.insert(new_row())
    database.make(notifies=True)
    assert [row.id for row in database.claim(EVERY, (), ())] == [id]


def test_without_the_table_the_line_that_makes_it_is_said(program: Program, database: OutboxDatabase) -> None:
    connection = program.connect()
    table = f'"{program.schema}".tq_outbox' if program.schema else "tq_outbox"
    connection.execute(f"DROP TABLE {table}")
    connection.commit()
    connection.close()
    for look in (database.counts, lambda: database.claim(1, (), ()), lambda: database.refused(1)):
        with pytest.raises(
            OutboxMissing, match=r"has no table .*tq_outbox; make it: tq outbox init --database"
        ):
            look()


def test_two_connections_that_claim_at_once_never_have_the_same_row(program: Program) -> None:
    ids = program.insert(*[new_row() for _ in range(60)])
    found: list[bytes] = []

    def claim() -> None:
        own = program.open()
        while True:
            rows = own.claim(7, (), ())
            if rows:
                found.extend(row.id for row in rows)
                own.settle([row.position for row in rows], [])
            elif not own.counts().waiting:
                break
        own.close()

    threads = [threading.Thread(target=claim) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert sorted(found) == sorted(ids)
