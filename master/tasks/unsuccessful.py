"""What becomes of a task whose attempt did not succeed: it is tried again, or it ends. Pure but for the store.

``common/domain/lifecycle.py`` has the rules; here a rule's outcome becomes the row of the attempt, the counts and the lease in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from ...common.domain.id_runs import IdRun
from ...common.domain.lifecycle import SNOOZE_SECONDS_MIN, AttemptEnd, next_step
from ...common.domain.model import (
    DEFAULT_OPTIONS,
    Delivery,
    OutcomeNumber,
    ResultPolicy,
    StateNumber,
    TaskOptions,
)
from ...common.values.failure import Failure
from ...common.wire.frames import unpack
from ..engine.clock import Now
from ..engine.endings import Ended
from ..store.interface.queries import Facts
from ..store.interface.store import Store
from ..store.interface.tasks import EndedAttempt
from .consulted import Consulted
from .leases import LeasedAttempt, Leases
from .meter import TaskMeter
from .results import NOT_KEPT
from .routes import Routes
from .scheduled import ScheduledTasks

OPTIONS_KNOWN_MAX: Final = 256  # different ones, which are validated once
RUNNING = int(StateNumber.RUNNING)


class UnsuccessfulAttempts:
    """Ends attempts without success. Successes are handled in bulk by ``Completion.finish``."""

    def __init__(
        self,
        store: Store,
        routes: Routes,
        leases: Leases,
        scheduled: ScheduledTasks,
        consulted: Consulted,
        random: Callable[[], float],
    ) -> None:
        self._store, self._routes, self._scheduled, self._random = store, routes, scheduled, random
        self._running, self._cancelling = leases.running, leases.cancelling
        self.meters: TaskMeter | None = None
        self._consulted = consulted

    def end(
        self,
        id: bytes,
        held: LeasedAttempt,
        facts: Facts,
        outcome: OutcomeNumber,
        body: bytes | None,
        seconds: float | None,
        after: float | None,
        now: Now,
        ended: list[Ended],
    ) -> EndedAttempt:
        """The next state of a leased task whose attempt did not succeed; a task that becomes terminal is added to ``ended``."""
        end = AttemptEnd(
            outcome=outcome,
            failures=facts.failures,
            crashes=facts.crashes,
            cancel_requested=bool(facts.cancel),
            options=options_of(facts.options),
            after_seconds=after,
        )
        # Chance is handed in, so that the simulator can repeat a run.
        step = next_step(end, self._random())
        if self.meters is not None:
            self.meters.attempt_ended(held, outcome, step.state)
        # Of a failure the user has asked to keep nothing, too.
        if end.options.result == ResultPolicy.NONE:
            body = NOT_KEPT
        self._consulted.attempts.ended(id, held, outcome, body, step)
        due = None
        if step.state == StateNumber.SCHEDULED:
            delay = step.delay_seconds
            # The signal came while the attempt was ending: it would not be waited for again until the timeout.
            if outcome == OutcomeNumber.SNOOZE and self._consulted.signals.may_go_on(held.seq):
                delay = min(delay, SNOOZE_SECONDS_MIN)
            due = now.steady + int(delay * 1000)
            self._scheduled.expect(due=due)
        final = body if step.state.is_terminal else None
        # The last report alone ("its worker vanished") does not say why it is not tried again.
        if step.state == StateNumber.DEAD:
            final = _quarantined(step.crashes, body)
        # Before the end is reported to others: what listens finds the lease gone.
        del self._running[id]
        if step.state.is_terminal:
            ended.append((IdRun(id, 1), held.route, RUNNING, int(step.state), [final], held.origin))
        else:
            self._cancelling.discard(id)
            self._routes.move(held.route, RUNNING, step.state, held.seq)
        return EndedAttempt(
            seq=held.seq,
            attempt=held.attempt,
            number=held.number,
            lease=held.lease,
            worker=held.worker,
            outcome=int(outcome),
            # A worker's clock may be off: its duration counts, not its times.
            started=held.begun if seconds is None else now.steady - int(seconds * 1000),
            ended=now.steady,
            body=final if step.state == StateNumber.DEAD else body,
            state=int(step.state),
            due=due,
            failures=step.failures,
            crashes=step.crashes,
            finished=now.steady if step.state.is_terminal else None,
        )

    def facts(self, ids: Iterable[bytes]) -> dict[int, Facts]:
        """Of those that are leased, by number: asked for together, because each question costs as much as an end."""
        held = (self._running.get(id) for id in ids)
        seqs = [one.seq for one in held if one is not None]
        return self._store.facts(seqs) if seqs else {}


@lru_cache(OPTIONS_KNOWN_MAX)
def options_of(packed: bytes | None) -> TaskOptions:
    """As a task's row has them."""
    return TaskOptions.from_wire(unpack(packed)) if packed else DEFAULT_OPTIONS


def is_at_most_once(facts: Facts) -> bool:
    """Whether a lost attempt of this task must not be started again."""
    return options_of(facts.options).delivery == Delivery.AT_MOST_ONCE


def _quarantined(crashes: int, body: bytes | None) -> bytes:
    """The failure of a dead task: how often its process died, and the last failure."""
    deaths = f"died {crashes} times; the last time" if crashes != 1 else "died"
    return Failure.reworded(
        body or Failure(type="", message="its worker vanished").encode(),
        "TaskCrashed",
        lambda message: f"quarantined: the process running it {deaths}: {message}",
    )
