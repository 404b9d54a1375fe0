"""Signals to tasks, and tasks that wait for one without a slot.

::

    ctx.wait_for ─► wait ──┬─ a signal is there ─► the step is a SIGNAL ─► the task goes on
                           ├─ its time is over ──► the step is a TIMEOUT ─► TimeoutError in the task
                           └─ else it is a WAIT, and the attempt ends as a snooze until its time is over
    h.signal ─► a row ─► a task that is SCHEDULED for a wait that takes it is READY, in the same transaction

A signal is kept until a step takes it. What came first counts, by the master's clock: a signal that arrived before the wait's time
was over is taken however late the task runs again, one that arrived later is left to the next wait. A signal that arrives between a
wait and the report of its attempt's end is found when that is reported (``may_go_on``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...common.contract.exposed import ALLOWED
from ...common.contract.rows import to_wire
from ...common.contract.steps import SentSignal
from ...common.domain.durations import DELAY_SECONDS_MAX
from ...common.domain.model import OutcomeNumber, Role, StateNumber
from ...common.domain.steps import SIGNALS_MAX, WAITS, StepKind
from ...common.errors import InvalidArgument, QuotaExceeded
from ...common.wire.frames import pack
from ..engine.clock import Now
from ..engine.part import Part
from ..store.interface.queries import Found
from ..store.interface.steps import SignalRow, StepRow
from ..store.interface.store import Store
from ..tasks.leases import LeasedAttempt
from .steps import Steps, check_room, recorded_step

READY, SCHEDULED = int(StateNumber.READY), int(StateNumber.SCHEDULED)


class Signals(Part):
    """``moved``: counts a task that went from one state to another."""

    def __init__(self, store: Store, steps: Steps, moved: Callable[[int, int, int, int], None]) -> None:
        self._store, self._steps, self._moved = store, steps, moved

    def wait(
        self,
        id: bytes,
        held: LeasedAttempt,
        number: int,
        name: str,
        timeout: float | None,
        role: str | None,
        now: Now,
    ) -> list[Any]:
        """Begin to wait for a signal, or go on with it; a RecordedStep."""
        row = self._steps.known(held, number, WAITS, name)
        if row is None:
            self._steps.check_repeatable(held, "ctx.wait_for")
            # Always a moment: a task that waits is a scheduled one, and those have one.
            until = now.steady + int((DELAY_SECONDS_MAX if timeout is None else timeout) * 1000)
            self._steps.add(id, held, StepKind.WAIT, number, name, now, until=until, role=role)
        for waiting in self._store.steps.waits(held.seq):
            if waiting.number == number:
                self._decide(waiting, now)
        return recorded_step(self._store.steps.after(held.seq, number - 1, 0)[0], now)

    def send(self, task: Found, signal: SignalRow) -> None:
        """A signal for a task; one that is repeated is there already."""
        steps = self._store.steps
        if steps.signal(task.seq, signal.token) is not None:
            return
        if StateNumber(task.state).is_terminal:
            raise InvalidArgument(
                f"the task has {_ENDED.get(StateNumber(task.state), str(StateNumber(task.state)))}; only one that has not ended takes signals"
            )
        if len(steps.signals(task.seq)) >= SIGNALS_MAX:
            raise QuotaExceeded(f"a task is sent at most {SIGNALS_MAX} signals; put many values into a queue")
        check_room(self._store, signal.key, signal.size)
        steps.send(signal)
        if (
            task.state == SCHEDULED
            and any(takes(wait, signal) for wait in steps.waits(task.seq))
            and task.lease is not None
            and self._store.outcome_of_lease(task.seq, task.lease) == OutcomeNumber.SNOOZE
        ):  # else it is the pause before a retry, which is not cut short
            self._store.wake(task.seq)
            self._moved(task.route, SCHEDULED, READY, task.seq)

    def may_go_on(self, seq: int) -> bool:
        """Whether a task that is about to wait has got meanwhile what it waits for."""
        waits = self._store.steps.waits(seq)
        return bool(waits) and any(first(wait, self._store.steps.signals(seq)) for wait in waits)

    def _decide(self, wait: StepRow, now: Now) -> None:
        found = first(wait, self._store.steps.signals(wait.seq))
        ended = wait._replace(recorded=now.steady, seconds=(now.steady - wait.recorded) / 1000)
        if found is not None:
            whole = self._store.steps.signal(wait.seq, found.token)
            value = whole.body if whole is not None and whole.body is not None else b""
            body = pack(to_wire(SentSignal(value, found.key, found.role, now.shown(found.arrived))))
            self._store.steps.take(wait.seq, found.token, wait.number)
            self._store.steps.decide(ended._replace(kind=int(StepKind.SIGNAL), size=len(body), body=body))
        elif wait.until is not None and now.steady >= wait.until:
            self._store.steps.decide(ended._replace(kind=int(StepKind.TIMEOUT)))


_ENDED = {
    StateNumber.CANCELLED: "been cancelled",
    StateNumber.DEAD: "been quarantined",
    StateNumber.LOST: "been lost",
}


def takes(wait: StepRow, signal: SignalRow) -> bool:
    """Whether a wait is over by this signal."""
    return (
        signal.step is None
        and signal.name == wait.name
        and (wait.until is None or signal.arrived <= wait.until)
        and (wait.role is None or Role(signal.role) in ALLOWED[Role(wait.role)])
    )


def first(wait: StepRow, signals: Iterable[SignalRow]) -> SignalRow | None:
    """The first signal that a wait takes."""
    return next((signal for signal in signals if takes(wait, signal)), None)
