"""The store's verbs for the recorded steps of tasks, and for signals to tasks. Part of ``interface.Store``; the same rules.

Both go with their task: ``RetentionStore.delete`` deletes them.
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
    until: int | None  # of a sleep or wait: when it is over, steady
    size: int  # of the body, also when that is dropped
    body: bytes | None
    role: str | None = None  # of a wait: what the sender of its signal has to have; only ``waits`` reads it
    key: str | None = None  # of a call: by which it was recorded; it is only written


class SignalRow(NamedTuple):
    """A signal. ``step``: the number of the step that took it; None: none has."""

    seq: int  # of its task
    token: bytes  # names the call that sent it
    name: str
    key: str  # the id of the key that sent it
    role: str  # of that key
    arrived: int  # steady
    step: int | None
    size: int  # of the body, also when that is dropped
    body: bytes | None


class StepTotals(NamedTuple):
    steps: int
    bytes: int


class BytesOfKeys(NamedTuple):
    key: int  # of one
    all: int


class StepStore(Protocol):
    def add(self, row: StepRow) -> None: ...
    def get(self, seq: int, number: int) -> StepRow | None:
        """Without its body."""

    def totals(self, seq: int) -> StepTotals:
        """How many steps a task has, and their bytes."""

    def bytes_of(self, key: str) -> BytesOfKeys:
        """Of bodies of calls and signals that have not been dropped: what was recorded and sent by this key, and by all."""

    def after(self, seq: int, number: int, size: int) -> list[StepRow]:
        """The steps of a task with a number above this, in order, until their bodies have so many bytes; at least one if there
        is one."""

    def shown(self, seq: int) -> list[StepRow]:
        """All of a task, in order, without their bodies."""

    # waits and signals

    def waits(self, seq: int) -> list[StepRow]:
        """Steps of a task that wait for a signal, in order."""

    def decide(self, row: StepRow) -> None:
        """A step that waits does so no longer: the row replaces its own."""

    def signals(self, seq: int) -> list[SignalRow]:
        """Those of a task, in the order in which they came, without their bodies."""

    def signal(self, seq: int, token: bytes) -> SignalRow | None: ...
    def send(self, row: SignalRow) -> None: ...
    def take(self, seq: int, token: bytes, step: int) -> None:
        """A step has taken a signal that none had."""

    def drop_bodies(self, seq: int) -> int:
        """The task has succeeded: nothing replays its steps any more. How many bytes they had."""
