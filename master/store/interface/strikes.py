"""The store's verbs for strikes: which tasks are held by an operator, and until when; and for the lanes of single tasks, which those move that
look at arguments. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class StrikeRow(NamedTuple):
    number: int  # never used again
    condition: str
    reason: str
    key: str  # the id of the key that made it
    since: int  # steady, as the next one
    until: int | None  # None: until it is removed
    comparing: bool = False  # tasks that were ready before it are not all compared with it yet


class ReadySpan(NamedTuple):
    """Ready neighbours of an array, or one ready task that has a row of its own."""

    priority: int
    seq: int
    stop: int  # behind the last one
    route: int
    options: bytes | None
    in_array: bool


class NewLane(NamedTuple):
    """From which task to which: into this lane."""

    seq: int
    stop: int
    route: int


LaneChange = tuple[ReadySpan, Sequence[NewLane]]
"""Parts of a span, in order. What is in none of them stays where it is."""


class StrikeStore(Protocol):
    def strike_rows(self) -> list[StrikeRow]:
        """In the order of their numbers."""

    def add_strike(
        self, condition: str, reason: str, key: str, since: int, until: int | None, *, comparing: bool = False
    ) -> int:
        """Its number. There is none with this condition."""

    def change_strike(self, row: StrikeRow) -> None:
        """Replaces that of this number."""

    def drop_strike(self, number: int) -> None: ...

    def ready_after(
        self, route: int, after: tuple[int, int] | None, limit: int, *, in_arrays: bool
    ) -> list[ReadySpan]:
        """Up to ``limit`` spans of a lane, highest priority first, then oldest: those behind one with this priority and number. None: from
        the first one on. ``in_arrays``: slices; otherwise tasks that have rows of their own."""

    def ready_over(self, runs: Sequence[tuple[int, int]]) -> list[ReadySpan]:
        """All spans that have some of these tasks, from a number to another, the oldest first."""

    def change_lanes(self, changes: Sequence[LaneChange]) -> None:
        """Ready tasks stand in another lane from now on. Raises Inconsistent for spans that are not as they are said to be."""
