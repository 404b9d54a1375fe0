"""What a master reads of the shards that other masters have: what the database has committed of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tq.master.store.interface.edges import EdgeRow
from tq.master.store.neighbours import ROWS_BYTES_MAX, ROWS_MAX, EdgesSeen, EdgesWanted, NeighboursSeen
from tq.master.store.postgres.arrays import PREFIX
from tq.master.store.postgres.cluster_seen import look_at_cluster
from tq.master.store.postgres.line import DatabaseAway, PostgresLine
from tq.master.store.postgres.neighbours import NeighbourRows

from .conftest import OpenPostgres
from .owners import A

HERE = 4_000  # no store of a test is of this shard


def rows(*numbers: int, body: bytes = b"x") -> list[EdgeRow]:
    return [EdgeRow(number, 1, body) for number in numbers]


def write(store: Any, *some: EdgeRow, to: int = HERE) -> None:
    store.begin()
    store.edges.add_outgoing(to, some)
    store.commit()


@pytest.fixture
def store(open_store: OpenPostgres) -> Any:
    return open_store()


@pytest.fixture
def neighbours(store: Any) -> Iterator[NeighbourRows]:
    reader = NeighbourRows(store._connect_line)
    yield reader
    reader.rest()


def read(neighbours: NeighbourRows, of: Any, after: int = 0) -> EdgesSeen:
    looked = neighbours.read([EdgesWanted(HERE, of._shard, after)])
    assert looked.away == {}
    [seen] = looked.seen
    return seen


def test_rows_are_seen_when_they_are_committed_and_what_is_applied_with_them(
    store: Any, neighbours: NeighbourRows
) -> None:
    shard = store._shard
    assert read(neighbours, store) == EdgesSeen(HERE, shard, [], 0)
    store.begin()
    store.edges.add_outgoing(HERE, rows(1, 2))
    store.edges.add_outgoing(HERE + 1, rows(1))
    store.edges.set_applied(HERE, 7)
    assert read(neighbours, store) == EdgesSeen(HERE, shard, [], 0)
    store.commit()
    assert read(neighbours, store) == EdgesSeen(HERE, shard, rows(1, 2), 7)
    assert read(neighbours, store, after=1) == EdgesSeen(HERE, shard, rows(2), 7)


def test_a_look_at_the_cluster_shows_which_shards_have_rows_that_the_other_one_has_not_applied(
    owners_line: PostgresLine,
) -> None:
    owners_line.connection.execute(
        "INSERT INTO tq.edges_out (shard, to_shard, number, kind, body) VALUES (0, 1, 7, 1, ''), (1, 0, 3, 1, ''), (1, 2, 1, 1, '')"
    )
    owners_line.connection.execute(
        "INSERT INTO tq.edges_in (shard, of_shard, number) VALUES (1, 0, 6), (0, 1, 3), (3, 1, 9)"
    )
    assert sorted(look_at_cluster(owners_line, A, None).edges) == [(0, 1), (1, 2)]


def test_several_shards_are_read_in_one_go(store: Any, neighbours: NeighbourRows) -> None:
    write(store, *rows(1), to=HERE)
    write(store, *rows(1, 2), to=HERE + 1)
    looked = neighbours.read(
        [
            EdgesWanted(HERE, store._shard, 0),
            EdgesWanted(HERE + 1, store._shard, 1),
            EdgesWanted(HERE, 3_999, 0),
        ]
    )
    assert [list(seen.rows) for seen in looked.seen] == [rows(1), rows(2), []]


def test_a_read_brings_a_bounded_number_of_rows_and_bytes(store: Any, neighbours: NeighbourRows) -> None:
    write(store, *rows(*range(1, ROWS_MAX + 2)))
    assert len(read(neighbours, store).rows) == ROWS_MAX
    large = rows(*range(1_000, 1_003), body=b"x" * (ROWS_BYTES_MAX // 2 + 1))
    write(store, *large)
    assert list(read(neighbours, store, after=999).rows) == large[:2]


def test_a_body_comes_as_it_was_whatever_its_bytes_are(store: Any, neighbours: NeighbourRows) -> None:
    body = PREFIX + bytes(range(256))
    write(store, EdgeRow(1, 2, body))
    assert list(read(neighbours, store).rows) == [EdgeRow(1, 2, body)]


def test_a_database_that_does_not_answer_is_asked_again_over_another_connection(
    store: Any, neighbours: NeighbourRows
) -> None:
    write(store, *rows(1))
    read(neighbours, store)
    assert neighbours._line is not None
    neighbours._line.close()
    assert list(neighbours.read([EdgesWanted(HERE, store._shard, 0)]).away) == [store._shard]
    assert read(neighbours, store).rows == rows(1)


def test_a_database_that_is_not_there_is_away_with_its_reason() -> None:
    def connect() -> PostgresLine:
        raise DatabaseAway("the database does not answer")

    assert NeighbourRows(connect).read([EdgesWanted(0, 1, 0)]) == NeighboursSeen(
        [], {1: "the database does not answer"}
    )
