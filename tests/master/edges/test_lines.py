"""Rows for other shards: how they are numbered, portioned, kept in memory, and what it means how far another shard is."""

from __future__ import annotations

import pytest
from tq.common.domain.ids import id_behind
from tq.master.edges import lines
from tq.master.edges.bodies import EdgeKind, EndedSpan, pack_flag, unpack_row
from tq.master.edges.lines import EdgeLines, OutgoingLine
from tq.master.engine.clock import Now
from tq.master.store.interface.edges import before_epoch
from tq.master.store.interface.store import Picture
from tq.master.store.sqlite.store import SqliteStore

from ..new_store import NewStore

ID = bytes(15) + b"\x05"
NOW = Now(0, 0)
FIRST_OF_SECOND = before_epoch(1) + 1


def say(edges: EdgeLines, *numbers: int, to_shard: int = 1) -> None:
    """One transaction, with as many rows."""
    for _ in numbers:
        edges.say(to_shard, EdgeKind.ALL, pack_flag(True))
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
    edges = EdgeLines(store)
    edges.load(Picture(), NOW)
    return edges


def numbers(edges: EdgeLines, after: int = 0, most: int = 1_000) -> list[int]:
    return [row.number for row in edges.pending(1, after, most)]


def test_rows_are_given_out_when_they_are_durable_and_not_before(edges: EdgeLines) -> None:
    edges.say(1, EdgeKind.ALL, pack_flag(True))
    edges._store.begin()
    edges.settle(NOW)
    assert numbers(edges) == []
    edges._store.commit()
    edges.committed()
    assert (numbers(edges), edges.open_shards()) == ([1], {1})


def test_rows_of_a_transaction_that_failed_were_never_said(edges: EdgeLines) -> None:
    say(edges, 1)
    edges.say(1, EdgeKind.ALL, pack_flag(True))
    edges.say_ended(1, b"", EndedSpan(ID, 10, "m:f", [None]))
    edges._store.begin()
    edges.settle(NOW)
    edges._store.rollback()
    edges.void()
    edges.load(Picture(), NOW)
    edges.committed()
    assert numbers(edges) == [1]
    say(edges, 2)
    assert numbers(edges) == [1, 2]


def test_who_listens_learns_of_each_shard_once_in_a_transaction(edges: EdgeLines) -> None:
    noticed: list[set[int]] = []
    edges.listener = noticed.append
    say(edges, 1, 2)
    edges.touch(3)
    say(edges, 3, to_shard=2)
    end(edges)
    assert noticed == [{1}, {2, 3}]


def test_what_was_applied_is_deleted_together_or_with_the_next_row(edges: EdgeLines) -> None:
    say(edges, *range(lines.DELETED_TOGETHER + 5))
    edges.acknowledged(1, lines.DELETED_TOGETHER - 1)
    assert not edges.has_more()
    end(edges)
    assert edges._store.edges.first_outgoing() == {1: 1}
    edges.acknowledged(1, lines.DELETED_TOGETHER)
    assert edges.has_more()
    end(edges)
    assert edges._store.edges.first_outgoing() == {1: lines.DELETED_TOGETHER + 1}
    edges.acknowledged(1, lines.DELETED_TOGETHER + 5)
    assert (edges.open_shards(), edges.has_more()) == (set(), False)
    say(edges, 1)
    assert numbers(edges) == [lines.DELETED_TOGETHER + 6]


def test_a_start_goes_on_with_the_numbers_of_before(store: SqliteStore) -> None:
    first = loaded(store)
    say(first, 1, 2, 3)
    first.acknowledged(1, 3)
    say(first, 4)
    second = loaded(store)
    assert numbers(second) == [4]
    second.acknowledged(1, 4)
    say(second, 5)
    third = loaded(store)
    third.acknowledged(1, 5)
    end(third)
    say(third, 6)
    assert numbers(third) == [6]
    assert store.edges.made() == {1: 6}


def test_pending_begins_behind_a_number_wherever_that_is(edges: EdgeLines) -> None:
    say(edges, *range(10))
    assert numbers(edges, 3, 2) == [4, 5]
    assert numbers(edges, 10) == []
    assert numbers(edges, 99) == []
    edges.reset(1, 1)
    say(edges, 1)
    assert numbers(edges, 10) == [FIRST_OF_SECOND]


@pytest.mark.parametrize(
    ("made", "deleted", "applied", "epoch"),
    [
        (5, 0, 0, None),
        (5, 2, 2, None),
        (5, 2, 5, None),
        (5, 5, 5, None),
        (5, 2, 1, 1),  # that one has lost what it had applied
        (5, 2, 6, 1),  # this one has lost what it had said
        (0, 0, 7, 1),
        (before_epoch(3) + 4, before_epoch(3), 5, None),  # of this epoch all is there
        (before_epoch(3) + 4, before_epoch(3), before_epoch(2) + 900, None),
        (before_epoch(3) + 4, before_epoch(3) + 1, 5, 4),
        (before_epoch(3) + 4, before_epoch(3), before_epoch(7) + 1, 8),
    ],
)
def test_how_far_another_shard_is_shows_whether_a_store_is_an_older_copy(
    made: int, deleted: int, applied: int, epoch: int | None
) -> None:
    assert OutgoingLine(made, deleted).expected(applied) == epoch


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
        for row in edges.pending(1, 0, 99)
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
    monkeypatch.setattr(lines, "MEMORY_BYTES", 20 * len(pack_flag(True)))
    for _ in range(5):
        say(edges, *range(30))
    assert numbers(edges) == list(range(1, 21))
    assert numbers(loaded(edges._store)) == list(range(1, 2 * lines.READ_ROWS + 1))
    applied = 0
    while applied < 150:
        edges.acknowledged(1, applied := max(numbers(edges)))
        say(edges, 1)  # which deletes
        end(edges)  # which reads
        assert numbers(edges)[0] == applied + 1
    assert numbers(edges)[-1] <= applied + 20


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
    assert carried == list(range(1, 101))
