"""The latest failures, for people to see. They are not stored and are lost when the master restarts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ...common.domain.model import StateNumber
from ...common.values.failure import Failure
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.part import Part

FAILURES_MAX: Final = 500
FAILURES: Final = frozenset(map(int, (StateNumber.FAILED, StateNumber.DEAD, StateNumber.LOST)))
ERROR_CHARS_MAX: Final = 200  # of one


class FailedKind(NamedTuple):
    """A task that ended without success."""

    at: int  # steady ms
    id: bytes
    route: int
    state: int
    error: str


class LastFailures(Part):
    """The latest tasks that ended without success."""

    def __init__(self) -> None:
        self._rows: deque[FailedKind] = deque(maxlen=FAILURES_MAX)

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        for run, route, _, state, bodies, _ in tasks:
            if state not in FAILURES:
                continue
            for id, body in zip(run.ids(), bodies, strict=True):
                failure = Failure.heading(body)
                error = f"{failure.type}: {failure.message}"[:ERROR_CHARS_MAX]
                self._rows.append(FailedKind(now.steady, id, route, state, error))

    def newest_first(self) -> Iterator[FailedKind]:
        return reversed(self._rows)
