"""What becomes of a task whose attempt did not succeed: it is tried again, or it ends. Pure but for the store.

``common/domain/lifecycle.py`` has the rules; here a rule's outcome becomes the row of the attempt, the counts and the lease in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby, repeat
from typing import Final, NamedTuple

from ...common.domain.id_runs import IdRun
from ...common.domain.lifecycle import SNOOZE_SECONDS_MIN, AttemptEnd, NextStep, next_steps
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


class TakenAttempt(NamedTuple):
    """An attempt that did not succeed, and whose lease has ended. ``seconds``: it ran; ``after``: asked for by Retry or Snooze."""

    id: bytes
    held: LeasedAttempt
    facts: Facts
    outcome: OutcomeNumber
    body: bytes | None
    seconds: float | None
    after: float | None


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

    def take(
        self,
        id: bytes,
        held: LeasedAttempt,
        facts: Facts,
        outcome: OutcomeNumber,
        body: bytes | None,
        seconds: float | None = None,
        after: float | None = None,
    ) -> TakenAttempt:
        """End the lease of an attempt, in memory: a report that says the same twice finds it ended, and so does what listens."""
        del self._running[id]
        return TakenAttempt(id, held, facts, outcome, body, seconds, after)

    def end(self, attempts: Sequence[TakenAttempt], now: Now, ended: list[Ended]) -> list[EndedAttempt]:
        """The next states of tasks whose attempts did not succeed, in their order; those that become terminal are added to ``ended``.

        Neighbours that ended alike are decided and counted together: tasks of a map that fail mostly do.
        """
        rows: list[EndedAttempt] = []
        for _, alike in groupby(attempts, _kind):
            rows += self._end_alike(list(alike), now, ended)
        return rows

    def _end_alike(self, attempts: list[TakenAttempt], now: Now, ended: list[Ended]) -> list[EndedAttempt]:
        _, held, facts, outcome, body, _, after = attempts[0]
        end = AttemptEnd(
            outcome=outcome,
            failures=facts.failures,
            crashes=facts.crashes,
            cancel_requested=bool(facts.cancel),
            options=options_of(facts.options),
            after_seconds=after,
        )
        # Chance is handed in, so that the simulator can repeat a run.
        steps = next_steps(end, [self._random() for _ in attempts])
        state, failures, crashes, _ = steps[0]
        if self.meters is not None:
            self.meters.attempts_ended(held, outcome, state, len(attempts))
        # Of a failure the user has asked to keep nothing, too.
        if end.options.result == ResultPolicy.NONE:
            body = NOT_KEPT
        self._consulted.attempts.ended([one.id for one in attempts], held, outcome, body, steps)
        dues: Iterable[int | None] = repeat(None)
        if state == StateNumber.SCHEDULED:
            dues = self._dues(attempts, steps, now)
        final = body if state.is_terminal else None
        # The last report alone ("its worker vanished") does not say why it is not tried again.
        if state == StateNumber.DEAD:
            body = final = _quarantined(crashes, body)
        if state.is_terminal:
            for one in attempts:
                of = one.held
                ended.append((IdRun(one.id, 1), of.route, RUNNING, int(state), [final], of.origin))
        else:
            self._cancelling.difference_update(one.id for one in attempts)
            for first, length in _neighbours(attempts):
                self._routes.move(held.route, RUNNING, state, first, length)
        finished = now.steady if state.is_terminal else None
        return [
            EndedAttempt(
                of.seq,
                of.attempt,
                of.number,
                of.lease,
                of.worker,
                int(outcome),
                # A worker's clock may be off: its duration counts, not its times.
                of.begun if seconds is None else now.steady - int(seconds * 1000),
                now.steady,
                body,
                int(state),
                due,
                failures,
                crashes,
                finished,
            )
            for (_, of, _, _, _, seconds, _), due in zip(attempts, dues, strict=False)
        ]

    def _dues(self, attempts: list[TakenAttempt], steps: list[NextStep], now: Now) -> list[int]:
        """When each of these is tried again."""
        delays = [step.delay_seconds for step in steps]
        if attempts[0].outcome == OutcomeNumber.SNOOZE:
            may_go_on = self._consulted.signals.may_go_on
            # The signal came while the attempt was ending: it would not be waited for again until the timeout.
            delays = [
                min(delay, SNOOZE_SECONDS_MIN) if may_go_on(one.held.seq) else delay
                for one, delay in zip(attempts, delays, strict=True)
            ]
        dues = [now.steady + int(delay * 1000) for delay in delays]
        self._scheduled.expect(due=min(dues))
        return dues

    def facts(self, ids: Iterable[bytes]) -> dict[int, Facts]:
        """Of those that are leased, by number: asked for together, because each question costs as much as an end."""
        held = (self._running.get(id) for id in ids)
        seqs = [one.seq for one in held if one is not None]
        return self._store.facts(seqs) if seqs else {}


def _kind(one: TakenAttempt) -> tuple[object, ...]:
    """What is the same of attempts that ended alike."""
    _, held, facts, outcome, body, _, after = one
    begun = held.begun is None  # then the start of a lost one is counted with its end
    return held.route, held.worker, held.number, begun, outcome, after, facts[1:], body


def _neighbours(attempts: Iterable[TakenAttempt]) -> Iterator[tuple[int, int]]:
    """Their numbers as runs: the first, and how many."""
    first = length = 0
    for one in attempts:
        if length and one.held.seq == first + length:
            length += 1
            continue
        if length:
            yield first, length
        first, length = one.held.seq, 1
    yield first, length


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
