"""The order of tests in a parallel run: what takes long first, in equal shares, and what is short last.

pytest-xdist gives each process the same number of tests from one list, and to one that has none left the last half of another's. Without
an order of ours the tests of ``tests/cluster``, which wait up to half a minute each, are all given to one process, and the last minute of a run is
theirs: the processors have nothing to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, Protocol, TypeVar

TESTS: Final = Path(__file__).parent
WITH_PROGRAMS: Final = ("cluster", "docs", "faults", "simulation")  # folders
TOGETHER: Final = "house"  # its tests all read all sources, which one process does once


class OfFile(Protocol):
    @property
    def path(self) -> Path: ...


T = TypeVar("T", bound=OfFile)


def folder_of(path: Path) -> str:
    return path.relative_to(TESTS).parts[0] if path.is_relative_to(TESTS) else ""


def takes_long(path: Path) -> bool:
    return folder_of(path) in (*WITH_PROGRAMS, TOGETHER)


def place(test: OfFile) -> Path:
    """What stands together: a file, for what its fixtures have started is for all of its tests; or a folder."""
    return TESTS / TOGETHER if folder_of(test.path) == TOGETHER else test.path


def dealt(tests: Sequence[T], processes: int) -> list[T]:
    """The same tests."""
    groups = [list(found) for _, found in groupby(tests, place)]
    shares: list[list[T]] = [[] for _ in range(processes)]
    for group in (group for group in groups if takes_long(group[0].path)):
        min(shares, key=len).extend(group)
    rest = [test for group in groups if not takes_long(group[0].path) for test in group]
    order: list[T] = []
    for number, share in enumerate(shares):
        size = (len(tests) - len(order)) // (processes - number)  # as xdist divides them
        more = max(0, size - len(share))
        order += share + rest[:more]
        del rest[:more]
    return order + rest
