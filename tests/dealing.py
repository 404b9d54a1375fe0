"""The order of tests in a parallel run: what starts programs first, in equal shares, and what is short last.

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


class OfFile(Protocol):
    @property
    def path(self) -> Path: ...


T = TypeVar("T", bound=OfFile)


def starts_programs(path: Path) -> bool:
    return path.is_relative_to(TESTS) and path.relative_to(TESTS).parts[0] in WITH_PROGRAMS


def dealt(tests: Sequence[T], processes: int) -> list[T]:
    """The same tests. Those of a file stay together, for what its fixtures have started is for all of them."""
    files = [list(found) for _, found in groupby(tests, lambda test: test.path)]
    shares: list[list[T]] = [[] for _ in range(processes)]
    for file in (file for file in files if starts_programs(file[0].path)):
        min(shares, key=len).extend(file)
    rest = [test for file in files if not starts_programs(file[0].path) for test in file]
    order: list[T] = []
    for number, share in enumerate(shares):
        size = (len(tests) - len(order)) // (processes - number)  # as xdist divides them
        more = max(0, size - len(share))
        order += share + rest[:more]
        del rest[:more]
    return order + rest
