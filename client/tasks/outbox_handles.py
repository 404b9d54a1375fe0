"""Handles of tasks that are rows of an outbox: the master does not know them yet, and a wait for their results begins before it does.

A task that the master does not know is looked for again, after a pause that grows to a second. So a wait has no end for what is rolled
back, but for its timeout: from here, a row that is not committed yet and one that never will be look the same.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from ...common.contract.tasks import OutcomeSlice
from ...common.domain.id_runs import IdRun
from .handle import Handle
from .handles import Handles
from .outcomes import UNKNOWN, OutcomeBox, TaskOutcome
from .readers import OutcomeReading

if TYPE_CHECKING:
    from ..core.session import ClientSession

PAUSE_SECONDS_MIN: Final = 0.02
PAUSE_SECONDS_MAX: Final = 1.0

T = TypeVar("T")


class PatientBox(OutcomeBox):
    """A box into which no task comes as unknown."""

    __slots__ = ("_pause", "_session")

    def __init__(self, session: ClientSession) -> None:
        super().__init__()
        self._session = session
        self._pause = PAUSE_SECONDS_MIN

    def put(self, slices: Sequence[OutcomeSlice]) -> None:
        """In the I/O thread, whose loop has the clock."""
        unknown = [one.run for one in slices if one.state == UNKNOWN]
        if unknown:
            self._pause = min(PAUSE_SECONDS_MAX, 2 * self._pause)
            # Weakly: who drops the handle waits for nothing.
            asyncio.get_running_loop().call_later(self._pause, _watch_again, weakref.ref(self), unknown)
            slices = [one for one in slices if one.state != UNKNOWN]
        if slices:
            super().put(slices)


def _watch_again(box: weakref.ref[PatientBox], runs: list[IdRun]) -> None:
    waiting = box()
    if waiting is not None:
        waiting._session.link.watch(waiting, runs)


class OutboxHandle(Handle[T]):
    """The future of a task that is handed over when its transaction is committed. ``result`` waits for that, too."""

    __slots__ = ()

    def _new_box(self) -> OutcomeBox:
        return PatientBox(self._session)


class OutboxHandles(Handles[T]):
    """See ``Handles``; reading the results waits until the transaction is committed, too."""

    def _one(self, id: bytes) -> Handle[T]:
        return OutboxHandle(self._session, id, received=self._received)

    def _handle(self, id: bytes, outcome: TaskOutcome) -> list[Handle[T]]:
        return [OutboxHandle(self._session, id, outcome, received=self._received)]

    def _reading(self) -> OutcomeReading:
        box = PatientBox(self._session)
        return OutcomeReading([self._session.link], box, self._ids.between, len(self), 0)
