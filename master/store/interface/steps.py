"""The store's verbs for the recorded steps of tasks. Part of ``interface.Store``; the same rules.

Steps go with their task: ``RetentionStore.delete`` deletes them.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class StepRow(NamedTuple):
    seq: int  # of its task
    number: int  # its place among the steps of its task, from 1
    kind: int
    name: str
    attempt: int  # of the task, as people count, in which it was recorded
    recorded: int  # steady
    seconds: float | None  # how long it took
    until: int | None  # of a sleep: when it is over, steady
    size: int  # of the body, also when that is dropped
    body: bytes | None


class StepTotals(NamedTuple):
    steps: int
    bytes: int


class StepStore(Protocol):
    def add(self, row: StepRow) -> None: ...
    def get(self, seq: int, number: int) -> StepRow | None:
        """Without its body."""

    def totals(self, seq: int) -> StepTotals:
        """How many steps a task has, and their bytes."""

    def after(self, seq: int, number: int, size: int) -> list[StepRow]:
        """The steps of a task with a number above this, in order, until their bodies have so many bytes; at least one if there
        is one."""

    def shown(self, seq: int) -> list[StepRow]:
        """All of a task, in order, without their bodies."""

    def drop_bodies(self, seq: int) -> None:
        """The task has succeeded: nothing replays its steps any more."""
