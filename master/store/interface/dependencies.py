"""The store's verbs for tasks that need other tasks, or were submitted by them. Part of ``interface.Store``; the same rules.

A *dependent* is a task that needs others, or neighbours of an array of which the i-th needs the i-th task of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from ....common.domain.id_runs import IdRun


class DependentRow(NamedTuple):
    seq: int
    stop: int
    id: bytes
    each: int
    needed: int
    minimum: int
    left: int
    missed: int
    culprit: bytes | None
    delay: int
    at: int | None
    open: int
    ripe: int
    # By whose rights it needs tasks of other shards, see ``edges.ElsewhereRow``; None: it needs none
    queues: bytes | None = None
    needs: Sequence[IdRun] = ()


class DependentProgress(NamedTuple):
    """What has become of a dependent's needs, and of itself."""

    left: int
    missed: int
    culprit: bytes | None
    open: int
    ripe: int
    seq: int


class StateSpan(NamedTuple):
    """Tasks with consecutive ids in one state."""

    first: bytes
    length: int
    route: int
    state: int


class RunTimes(NamedTuple):
    """Of those tasks of a run that have ended: when the first of them started, and when the last one ended."""

    started: int | None
    finished: int | None


class Unblocked(NamedTuple):
    """Tasks with consecutive numbers that are blocked no longer."""

    seq: int
    stop: int
    route: int


class Fallen(NamedTuple):
    """Tasks with consecutive numbers that ended because of another."""

    seq: int
    stop: int
    id: bytes
    route: int
    origin: int | None


class ParentRow(NamedTuple):
    """Tasks with consecutive numbers and ids, ``id`` that of the first one, and the task that submitted them."""

    seq: int
    stop: int
    id: bytes
    parent: bytes


class BecomingRow(NamedTuple):
    """A task that waits for the end of another, whose result is its own."""

    seq: int
    id: bytes
    other: bytes  # the id of that one


class BlockedStore(Protocol):
    """Part of ``TaskStore``: what moves tasks that are blocked. Those of a range that are not stay as they are; with ``unblock`` and
    ``fall``, those that became another one, too."""

    def unblock(self, seq: int, stop: int, state: int, due: int | None) -> list[Unblocked]:
        """READY, or SCHEDULED until ``due``, a moment of the steady clock, or below zero an instant of the wall's."""

    def fall(self, seq: int, stop: int, body: bytes, now: int) -> list[Fallen]:
        """FAILED."""

    def end_as_other(self, seq: int, state: int, body: bytes | None, now: int) -> list[Fallen]:
        """A task that became another ends in the state in which that has ended. Empty: it waits no longer."""

    def keep(self, is_needed: Callable[[IdRun], bool]) -> None:
        """Have ``purge`` and ``purge_surplus`` spare runs with a task of which this is true."""


class DependencyStore(Protocol):
    @property
    def are_there(self) -> bool:
        """Whether there may be any dependent."""

    def add(self, rows: Sequence[DependentRow]) -> None: ...
    def open(self) -> list[DependentRow]:
        """Those of which a task has not ended."""

    def of(self, seq: int) -> DependentRow | None:
        """The one that a task is of."""

    def advance(self, rows: Sequence[DependentProgress]) -> None: ...

    # which task has submitted which others

    def add_parents(self, rows: Sequence[ParentRow]) -> None: ...
    def children(self, parents: IdRun) -> list[IdRun]:
        """What these tasks have submitted, as it was submitted: some of it may be deleted by now."""

    def parent_of(self, seq: int) -> bytes | None:
        """The task that submitted this one; None: it was not submitted by a task."""

    # tasks that became others

    def add_becoming(self, row: BecomingRow) -> None: ...
    def open_becomings(self) -> list[BecomingRow]:
        """Those that wait."""

    def became(self, seq: int) -> bytes | None:
        """The id of the task that this one became, also when both have ended."""

    def forget_becoming(self, seq: int) -> None:
        """It runs again."""

    # of any tasks

    def states(self, run: IdRun) -> list[StateSpan]:
        """What tasks of a run there are, in order. It sees only what is written."""

    def times(self, run: IdRun) -> RunTimes:
        """The same."""
