"""The lines of tenants that take turns in one choice (see lanes.py), over all base lanes that a worker serves. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Final

from .route import Tenant
from .tenant_lines import BaseLines, Line

# That are leased from together, but for those of mixed arrays: of more the store is asked again
LANES_MAX: Final = 32


class LinesInTurn:
    """The first lines of several base lanes, by priority and turn: those of one tenant are neighbours."""

    def __init__(self, first: Callable[[BaseLines], Line | None], served: Iterable[BaseLines]) -> None:
        """``first``: the first line of a base lane, with a known place."""
        self._first = first
        self._heap: list[tuple[tuple[int, int], int, Tenant, BaseLines | None]] = []
        self._taken: list[tuple[BaseLines, Line]] = []
        self._count = 0
        for one in served:
            self._add(one)

    def _add(self, lines: BaseLines) -> None:
        line = self._first(lines)
        if line is not None:
            self._push(line.turn, line.tenant, lines)

    def add(self, rank: int, tenant: Tenant) -> None:
        """A tenant that has something besides what is in line."""
        self._push((rank, tenant.last), tenant, None)

    def _push(self, turn: tuple[int, int], tenant: Tenant, lines: BaseLines | None) -> None:
        self._count += 1
        heapq.heappush(self._heap, (turn, self._count, tenant, lines))

    @property
    def rank(self) -> int | None:
        """The priority that goes first."""
        return self._heap[0][0][0] if self._heap else None

    def of_rank(self, rank: int, most: int) -> dict[Tenant, list[Line]]:
        """So many tenants, or as many as the store can be asked for, in their turns with what they have of this priority; they are out of turn
        until ``put_back``."""
        found: dict[Tenant, list[Line]] = {}
        stored = 0
        while self._heap and self._heap[0][0][0] == rank:
            _, _, tenant, lines = self._heap[0]
            if tenant not in found:
                if len(found) == most or stored == LANES_MAX:
                    break
                stored += _is_in_store(lines)
            heapq.heappop(self._heap)
            mine = found.setdefault(tenant, [])
            if lines is not None and (line := lines.first()) is not None:
                lines.take(line)
                mine.append(line)
                self._taken.append((lines, line))
                self._add(lines)
        return found

    def put_back(self) -> None:
        for lines, line in self._taken:
            lines.put_back(line)


def _is_in_store(lines: BaseLines | None) -> bool:
    """Whether it takes a look at the store to lease what is first in line; None: what is in no line."""
    line = None if lines is None else lines.first()
    return line is None or line.heap[0][2].is_in_store
