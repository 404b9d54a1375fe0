"""The log of attempts that failed: which task, how, and whether it runs again. A line each, few of a flood.

Written when the transaction is durable: an attempt whose end was not committed is reported, and logged, again. The error's
message is not logged, because it may contain what a task was given; `tq show ID` has it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Final, NamedTuple

from ...common.domain.ids import show_id
from ...common.domain.lifecycle import NextStep
from ...common.domain.model import OutcomeNumber, StateNumber
from ...common.runtime.limited_log import LINES_AT_ONCE, SECONDS_A_LINE, LimitedLog
from ...common.values.failure import Failure
from ..engine.clock import Now
from ..engine.core import Core
from ..engine.part import Part
from ..engine.session import Session
from ..tasks.leases import LeasedAttempt
from ..tasks.routes import Routes

TYPE_CHARS_MAX: Final = 200  # of an exception's type, which its task chose
FAILED: Final = frozenset(
    {
        OutcomeNumber.ERROR,
        OutcomeNumber.RETRY,
        OutcomeNumber.DISCARD,
        OutcomeNumber.TIMEOUT,
        OutcomeNumber.CRASH,
        OutcomeNumber.LOST,
    }
)
COUNT_REST: Final = "count the rest"  # the key of the agenda


def counts_as_failed(outcome: OutcomeNumber, state: StateNumber) -> bool:
    """What was cancelled meanwhile has not failed, whatever its end looked like."""
    return outcome in FAILED and state != StateNumber.CANCELLED


class FailedAttempt(NamedTuple):
    id: bytes
    held: LeasedAttempt
    outcome: OutcomeNumber
    body: bytes | None
    step: NextStep


class AttemptLog(Part):
    name = "log of failed attempts"

    def __init__(self, core: Core, routes: Routes) -> None:
        self._timeline, self._agenda, self._routes = core.timeline, core.agenda, routes
        self._log = LimitedLog(core.report, "attempt.failed")
        self._noted: list[FailedAttempt] = []  # in the transaction under way
        self._more = 0  # besides those

    def ended(
        self,
        ids: Sequence[bytes],
        held: LeasedAttempt,
        outcome: OutcomeNumber,
        body: bytes | None,
        steps: Sequence[NextStep],
    ) -> None:
        """Attempts ended alike without success, in the transaction under way."""
        if not counts_as_failed(outcome, steps[0].state):
            return
        room = LINES_AT_ONCE - len(self._noted)
        for id, step in zip(ids[:room], steps, strict=False):
            self._noted.append(FailedAttempt(id, held, outcome, body, step))
        self._more += max(0, len(ids) - room)

    def due(self, key: Hashable, now: Now) -> None:
        self._log.count_rest(now.mono / 1000)

    def committed(self) -> None:
        if not self._noted:
            return
        now = self._timeline.now
        for one in self._noted:
            self._write(one, now)
        self._log.left_out += self._more
        self._forget()
        if self._log.left_out and not self._agenda.has(self, COUNT_REST):
            self._agenda.set(self, COUNT_REST, now.mono + int(2 * SECONDS_A_LINE * 1000))

    def void(self) -> Iterable[Session]:
        self._forget()
        return ()

    def _forget(self) -> None:
        self._noted.clear()
        self._more = 0

    def _write(self, one: FailedAttempt, now: Now) -> None:
        route = self._routes.by_number[one.held.route]
        failure = Failure.heading(one.body)
        state = one.step.state
        then: dict[str, float | str] = {"state": str(state)}
        if state == StateNumber.SCHEDULED:
            then = {"again_in_seconds": one.step.delay_seconds}
        self._log.write(
            now.mono / 1000,
            task=show_id(one.id),
            name=route.task,
            queue=route.queue.name,
            attempt=one.held.number,
            outcome=str(one.outcome),
            type=failure.type[:TYPE_CHARS_MAX],
            will_retry=not state.is_terminal,
            **then,
        )
