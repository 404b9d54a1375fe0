"""Rows for other shards: how they are numbered, portioned, kept in memory, and what it means how far another shard is."""

from __future__ import annotations

import pytest
from tq.common.domain.ids import id_behind
from tq.master.edges import lines
from tq.master.edges.bodies import EdgeKind, EndedSpan, follows, pack_number, unpack_row
from tq.master.edges.lines import EdgeLines, OutgoingLine
from tq.master.engine.clock import Now
from tq.master.store.interface.edges import before_epoch
from tq.master.store.interface.store import Picture
from tq.master.store.sqlite.store import SqliteStore

from ..new_store import NewStore

ID = bytes(15) + b"\x05"
NOW = Now(0, 0)
E1, E2, E3 = map(before_epoch, (1, 2, 3))  # the numbers before those of the first three starts


def say(edges: EdgeLines, *numbers: int, to_shard: int = 1) -> None:
    """One transaction, with as many rows."""
    for _ in numbers:
        edges.say(to_shard, EdgeKind.ALL, pack_number(1))
    end(edges)


def end(edges: EdgeLines) -> None:
    store = edges._store
    store.begin()
    edges.give_out(NOW)
    edges.settle(NOW)
    store.commit()
    edges.committed()


@pytest.fixture
def store() -> SqliteStore:
    return NewStore()


@pytest.fixture
def edges(store: SqliteStore) -> EdgeLines:
    return loaded(store)


def loaded(store: SqliteStore) -> EdgeLines:
    edges = EdgeLines(store, lambda: 0)
    edges.load(Picture(), NOW)
    return edges


def numbers(edges: EdgeLines, after: int = 0, most: int = 1_000) -> list[int]:
    return [row.number for row in edges.pending(1, after, most)]


def to(first: int, last: int, epoch: int = E1) -> list[int]:
    return list(range(epoch + first, epoch + last + 1))


def test_rows_are_given_out_when_they_are_durable_and_not_before(edges: EdgeLines) -> None:
    edges.say(1, EdgeKind.ALL, pack_number(1))
    edges._store.begin()
    edges.settle(NOW)
    assert numbers(edges) == []
    edges._store.commit()
    edges.committed()
    assert (numbers(edges), edges.open_shards()) == (to(1, 2), {1})
    assert [row.kind for row in edges.pending(1, 0, 9)] == [EdgeKind.BEGIN, EdgeKind.ALL]


def test_rows_of_a_transaction_that_failed_were_never_said(edges: EdgeLines) -> None:
    say(edges, 1)
    edges.say(1, EdgeKind.ALL, pack_number(1))
    edges.say_ended(1, b"", EndedSpan(ID, 10, "m:f", [None]))
    edges._store.begin()
    edges.settle(NOW)
    edges._store.rollback()
    edges.void()
    edges.load(Picture(), NOW)
    edges.committed()
    assert numbers(edges) == to(1, 2)
    say(edges, 2)
    assert numbers(edges) == [*to(1, 2), *to(1, 2, E2)]


def test_who_listens_learns_of_each_shard_once_in_a_transaction(edges: EdgeLines) -> None:
    noticed: list[set[int]] = []
    edges.listener = noticed.append
    say(edges, 1, 2)
    edges.touch(3)
    say(edges, 3, to_shard=2)
    end(edges)
    assert noticed == [{1}, {2, 3}]


def test_what_was_applied_is_deleted_together_or_with_the_next_row(edges: EdgeLines) -> None:
    together = lines.DELETED_TOGETHER
    say(edges, *range(together + 4))
    edges.acknowledged(1, E1 + together - 1)
    assert not edges.has_more()
    end(edges)
    assert edges._store.edges.spans_outgoing() == [(1, E1 + 1, E1 + together + 5)]
    edges.acknowledged(1, E1 + together)
    assert edges.has_more()
    end(edges)
    assert edges._store.edges.spans_outgoing() == [(1, E1 + together + 1, E1 + together + 5)]
    edges.acknowledged(1, E1 + together + 5)
    assert (edges.open_shards(), edges.has_more()) == (set(), False)
    say(edges, 1)
    assert numbers(edges) == [E1 + together + 6]


def test_nothing_is_tidied_while_the_store_is_in_trouble(edges: EdgeLines) -> None:
    say(edges, *range(lines.DELETED_TOGETHER))
    edges.acknowledged(1, E1 + lines.DELETED_TOGETHER)
    edges.begin()
    edges._store.begin()
    edges.settle(NOW)  # without ``give_out``
    assert not edges._store.changed
    edges._store.rollback()
    end(edges)
    assert edges._store.edges.spans_outgoing() == [
        (1, E1 + lines.DELETED_TOGETHER + 1, E1 + lines.DELETED_TOGETHER + 1)
    ]


def test_each_start_begins_another_epoch_that_follows_what_was_said_before(store: SqliteStore) -> None:
    first = loaded(store)
    say(first, 1, 2)
    first.acknowledged(1, E1 + 3)
    say(first, 4)
    second = loaded(store)
    assert numbers(second) == [E1 + 4]
    say(second, 5)
    assert numbers(second) == [E1 + 4, E2 + 1, E2 + 2]
    second.acknowledged(1, E1 + 4)
    say(second, 6)
    assert numbers(second) == to(1, 3, E2)
    third = loaded(store)
    for applied in (E1 + 4, E2 + 1, E2 + 3):
        third.acknowledged(1, applied)
        assert third.resets == {}
    say(third, 7)
    begin, _ = third.pending(1, 0, 9)
    assert (begin.number, unpack_row(begin)) == (E3 + 1, [E2 + 3])
    assert [follows(begin, applied) for applied in (E2 + 2, E2 + 3, E2 + 4)] == [False, True, False]
    assert store.edges.made() == {1: E3 + 2}


def test_a_start_begins_at_the_time_of_the_clock_if_that_is_later(store: SqliteStore) -> None:
    edges = EdgeLines(store, lambda: 1_800_000_000)
    say(edges, 1)
    assert numbers(edges) == to(1, 2, before_epoch(1_800_000_000))


def test_pending_begins_behind_a_number_wherever_that_is(edges: EdgeLines) -> None:
    say(edges, *range(9))
    assert numbers(edges, E1 + 3, 2) == to(4, 5)
    assert numbers(edges, E1 + 10) == numbers(edges, E3) == []
    edges.reset(1)
    edges.say(1, EdgeKind.RESET, pack_number(1))
    end(edges)
    assert numbers(edges, E1 + 10) == [E2 + 1]


@pytest.mark.parametrize(
    ("spans", "deleted", "applied", "is_expected"),
    [
        ([(1, 5)], 0, 0, True),
        ([(3, 5)], 2, 2, True),
        ([(3, 5)], 2, 5, True),
        ([], 5, 5, True),
        ([(3, 5)], 2, 1, False),  # the other one has lost what it had applied
        ([(3, 5)], 2, 6, False),  # this one has lost what it had said
        ([], 0, 7, False),
        ([(4, 5), (E2 + 1, E2 + 3)], 3, E2 + 2, True),
        ([(4, 5), (E2 + 1, E2 + 3)], 3, 6, False),  # and has said something else since
        ([(4, 5), (E2 + 1, E2 + 3)], 3, E1 + 1, False),
        ([(4, 5), (E2 + 1, E2 + 3)], 3, E2 + 4, False),
    ],
)
def test_how_far_another_shard_is_shows_whether_a_store_is_an_older_copy(
    spans: list[tuple[int, int]], deleted: int, applied: int, is_expected: bool
) -> None:
    made = spans[-1][1] if spans else deleted
    assert OutgoingLine(made, deleted, spans).is_expected(applied) is is_expected


def test_a_row_that_was_applied_before_its_own_master_knows_that_it_is_committed_is_no_older_copy(
    edges: EdgeLines,
) -> None:
    say(edges, 1)
    edges.say(1, EdgeKind.ALL, pack_number(1))
    edges._store.begin()
    edges.give_out(NOW)
    edges.settle(NOW)
    edges._store.commit()
    [*_, written] = edges._store.edges.outgoing(1, 0, 99)
    edges.acknowledged(1, written.number)
    edges.committed()
    assert (edges.resets, edges.open_shards()) == ({}, {1})
    edges.acknowledged(1, written.number)
    assert edges.open_shards() == set()


def test_a_line_that_starts_over_takes_whatever_the_other_one_has_applied_before(edges: EdgeLines) -> None:
    say(edges, *range(3))
    edges.acknowledged(1, E2 + 9)
    assert edges.resets == {1: 2}
    edges.reset(1)
    edges.acknowledged(1, E2 + 9)
    assert edges.resets == {}
    edges.say(1, EdgeKind.RESET, pack_number(1))
    edges.say(1, EdgeKind.ALL, pack_number(0))
    end(edges)
    for applied in (0, E1 + 2, E2 + 9, E3 + 1):
        edges.acknowledged(1, applied)
        assert edges.resets == {}
    again = loaded(edges._store)
    again.acknowledged(1, E2 + 9)
    assert again.resets == {}
    again.acknowledged(1, E3 + 2)
    say(again, 1)
    again.acknowledged(1, E2 + 9)
    assert again.resets == {1: 2}, "what it said first is deleted"


def test_ends_of_a_transaction_go_into_few_rows_and_many_into_several(
    edges: EdgeLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "ROW_TASKS", 4)
    monkeypatch.setattr(lines, "ROW_BYTES", 10)
    edges.say_ended(1, b"", EndedSpan(ID, 10, "m:f", [b"a", b"b"]))
    edges.say_ended(1, b"", EndedSpan(id_behind(ID, 2), 11, "m:f", [b"c", None, None]))
    edges.say_ended(1, b"q", EndedSpan(ID, -1, "", 9))
    edges.say_ended(1, b"q", EndedSpan(ID, 10, "m:f", [b"12345678901", b"x"]))
    edges.say(1, EdgeKind.AGAIN, b"\x90")
    edges.say_ended(1, b"q", EndedSpan(ID, 10, "m:f", [None]))
    end(edges)
    said = [
        [(queues, span.run.length) for queues, span in unpack_row(row)]
        if row.kind == EdgeKind.ENDED
        else row.kind
        for row in edges.pending(1, E1 + 1, 99)
    ]
    assert said == [
        [(b"", 2)],
        [(b"", 3)],
        [(b"q", 4)],
        [(b"q", 4)],
        [(b"q", 1)],
        [(b"q", 1)],
        [(b"q", 1)],
        EdgeKind.AGAIN,
        [(b"q", 1)],
    ]


def test_memory_has_the_first_rows_and_reads_the_others_when_these_were_applied(
    edges: EdgeLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MEMORY_BYTES", 20 * len(pack_number(1)))
    for _ in range(5):
        say(edges, *range(30))
    there = len(numbers(edges))
    assert 10 < there < 30
    assert 0 < len(numbers(loaded(edges._store))) < 30
    applied = E1
    while applied < E1 + 150:
        assert numbers(edges)[0] == applied + 1
        edges.acknowledged(1, applied := max(numbers(edges)))
        say(edges, 1)  # which deletes
        end(edges)  # which reads
    assert len(numbers(edges)) <= there


def test_rows_that_come_into_memory_when_there_is_room_are_new_to_who_listens(
    edges: EdgeLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MEMORY_BYTES", 20)
    monkeypatch.setattr(lines, "DELETED_TOGETHER", 5)
    called: list[set[int]] = []
    edges.listener = called.append
    say(edges, *range(1, 101))
    carried: list[int] = []
    while called:
        assert called.pop() == {1}
        carried += numbers(edges, after=carried[-1] if carried else 0)
        edges.acknowledged(1, carried[-1])
        end(edges)
        while edges.has_more():
            end(edges)
    assert carried == to(1, 101)
