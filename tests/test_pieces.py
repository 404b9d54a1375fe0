"""A parallel run takes files as they are, long ones first and in parts, and each test once."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .pieces import MANY, TESTS, pieces_of


class OneTest(NamedTuple):
    path: Path
    number: int


def some_of(name: str, count: int) -> list[OneTest]:
    return [OneTest(TESTS / name, number) for number in range(count)]


def names(given: list[OneTest]) -> list[tuple[str, int]]:
    """Of each piece: the one file of its tests, and how many there are."""
    pieces = pieces_of(given)
    assert sorted(number for piece in pieces for number in piece) == list(range(len(given)))
    assert all(len({given[number].path for number in piece}) == 1 for piece in pieces)
    return [(given[piece[0]].path.name, len(piece)) for piece in pieces]


def test_files_that_start_programs_come_first_and_all_others_in_their_order() -> None:
    given = [
        *some_of("client/test_a.py", 30),
        *some_of("cluster/test_b.py", 5),
        *some_of("web/test_c.py", 2),
        *some_of("faults/test_d.py", 3),
    ]
    assert names(given) == [("test_b.py", 5), ("test_d.py", 3), ("test_a.py", 30), ("test_c.py", 2)]


def test_a_file_with_many_long_tests_is_several_pieces() -> None:
    given = [*some_of("docs/test_a.py", 2 * MANY + 1), *some_of("docs/test_b.py", 1)]
    assert names(given) == [("test_a.py", MANY), ("test_a.py", MANY), ("test_a.py", 1), ("test_b.py", 1)]


def test_tests_that_read_all_sources_are_one_piece() -> None:
    given = [
        *some_of("common/test_c.py", 1),
        *some_of("house/test_a.py", 4),
        *some_of("house/test_b.py", 4),
        *some_of("web/test_c.py", 16),
    ]
    assert pieces_of(given) == [range(1, 9), range(1), range(9, 25)]


def test_no_tests_are_no_pieces() -> None:
    assert pieces_of([]) == []
