"""What a process of a parallel run takes at a time, and in which order: what takes long first, so that no process has it left alone at the end."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, Protocol

TESTS: Final = Path(__file__).parent
# Folders of tests that start programs, or compute for seconds.
LONG: Final = ("benchmarks", "cluster", "docs", "faults", "fuzz", "simulation", "worker")
MANY: Final = 16  # of those are a minute or two: more of a file are several pieces
TOGETHER: Final = "house"  # its tests all read all sources, which one process does once


class OfFile(Protocol):
    @property
    def path(self) -> Path: ...


def folder_of(path: Path) -> str:
    return path.relative_to(TESTS).parts[0] if path.is_relative_to(TESTS) else ""


def takes_long(path: Path) -> bool:
    return folder_of(path) in (*LONG, TOGETHER)


def place(test: OfFile) -> Path:
    """What stands together: a file, for what its fixtures have started is for all of its tests; or a folder."""
    return TESTS / TOGETHER if folder_of(test.path) == TOGETHER else test.path


def pieces_of(tests: Sequence[OfFile]) -> list[range]:
    """The places of each piece's tests in the list."""
    pieces: list[range] = []
    begin = 0
    for where, found in groupby(tests, place):
        end = begin + len(list(found))
        size = MANY if folder_of(where) in LONG else end - begin
        pieces += [range(first, min(first + size, end)) for first in range(begin, end, size)]
        begin = end
    return sorted(pieces, key=lambda piece: not takes_long(tests[piece[0]].path))
