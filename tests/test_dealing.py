"""Each process of a parallel run begins with its share of what takes long."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .dealing import TESTS, dealt, takes_long


class OneTest(NamedTuple):
    path: Path
    number: int


def some_of(name: str, count: int) -> list[OneTest]:
    return [OneTest(TESTS / name, number) for number in range(count)]


def test_every_share_begins_with_files_that_start_programs_and_all_tests_are_there_once() -> None:
    long = [one for number in range(8) for one in some_of(f"cluster/test_{number}.py", 5)]
    given = [*some_of("client/test_a.py", 30), *long, *some_of("worker/test_b.py", 31)]
    order = dealt(given, 4)
    assert sorted(order) == sorted(given)
    size = len(given) // 4
    for number in range(4):
        share = order[number * size : number * size + size]
        assert [takes_long(one.path) for one in share[:11]] == [True] * 10 + [False]


def test_the_tests_of_a_file_stay_together_and_in_their_order() -> None:
    given = [*some_of("docs/test_a.py", 7), *some_of("faults/test_b.py", 3), *some_of("web/test_c.py", 2)]
    assert dealt(given, 2) == given


def test_tests_that_read_all_sources_are_one_share() -> None:
    given = [*some_of("house/test_a.py", 4), *some_of("house/test_b.py", 4), *some_of("web/test_c.py", 16)]
    order = dealt(given, 3)
    assert [one.path.parent.name for one in order] == ["house"] * 8 + ["web"] * 16


def test_more_processes_than_tests_get_what_there_is() -> None:
    given = some_of("cluster/test_a.py", 2)
    assert dealt(given, 5) == given
    assert dealt([], 3) == []
