"""The life of a task: which state may follow which, and what an attempt's end leads to. Pure.

::

              submit                     lease                       outcome
    (client) ───────► SCHEDULED ─due─► READY ─────────► RUNNING ───────────────► SUCCEEDED
                 │        ▲              ▲                 │  │                   FAILED  DEAD
                 └────────┼──────────────┘◄── released,    │  └─────────────────► CANCELLED LOST
                          │                   lost, crash ─┤
                          └── retry after a wait, snooze ──┘
    (client) ─► BLOCKED ─ what it needs has ended ─► READY, SCHEDULED    ─ what it needs did not succeed ─► FAILED
    RUNNING ─ returned the handle of another task ─► BLOCKED ─ that has ended ─► as that
    READY, SCHEDULED, BLOCKED ─cancel─► CANCELLED      ─expires─► EXPIRED
    FAILED, DEAD, CANCELLED, EXPIRED, LOST ─retry by hand─► READY, or BLOCKED when what it needs has not ended

The table is executed: a store makes each of its statements that moves a task from it (``sources``, ``targets``,
``may_begin``), so that a move which is not in it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from .model import Delivery, OutcomeNumber, StateNumber, TaskOptions
from .retry import retry_delay

SNOOZE_SECONDS_MIN: Final = 0.1  # Snooze(0) is no busy loop of lease, start, report and commit

WAITING: Final = frozenset({StateNumber.READY, StateNumber.SCHEDULED, StateNumber.BLOCKED})

AGAIN: Final = frozenset({StateNumber.READY, StateNumber.BLOCKED})  # by hand

TRANSITIONS: Final[dict[StateNumber, frozenset[StateNumber]]] = {
    StateNumber.READY: frozenset({StateNumber.RUNNING, StateNumber.CANCELLED, StateNumber.EXPIRED}),
    StateNumber.SCHEDULED: frozenset({StateNumber.READY, StateNumber.CANCELLED, StateNumber.EXPIRED}),
    StateNumber.BLOCKED: frozenset(
        {
            StateNumber.READY,
            StateNumber.SCHEDULED,
            StateNumber.SUCCEEDED,
            StateNumber.FAILED,
            StateNumber.DEAD,
            StateNumber.CANCELLED,
            StateNumber.EXPIRED,
            StateNumber.LOST,
        }
    ),
    StateNumber.RUNNING: frozenset(
        {
            StateNumber.READY,
            StateNumber.SCHEDULED,
            StateNumber.BLOCKED,
            StateNumber.SUCCEEDED,
            StateNumber.FAILED,
            StateNumber.DEAD,
            StateNumber.CANCELLED,
            StateNumber.LOST,
        }
    ),
    StateNumber.SUCCEEDED: frozenset(),
    StateNumber.FAILED: AGAIN,
    StateNumber.DEAD: AGAIN,
    StateNumber.CANCELLED: AGAIN,
    StateNumber.EXPIRED: AGAIN,
    StateNumber.LOST: AGAIN,
}


def targets(state: StateNumber) -> frozenset[StateNumber]:
    """Where a task in this state may go."""
    return TRANSITIONS[state]


def sources(state: StateNumber) -> frozenset[StateNumber]:
    """The states from which a task may go to this one."""
    return frozenset(before for before in StateNumber if state in targets(before))


def may_begin() -> frozenset[StateNumber]:
    """The states that a task may be submitted in. RUNNING: it is ready, and leased in the same step."""
    return WAITING | (targets(StateNumber.READY) & {StateNumber.RUNNING})


class AttemptEnd(NamedTuple):
    """An attempt that did not succeed, and what its task had behind it before."""

    outcome: OutcomeNumber
    failures: int
    crashes: int
    cancel_requested: bool
    options: TaskOptions
    after_seconds: float | None = None  # asked for by Retry(after=…) or Snooze(…)


class NextStep(NamedTuple):
    """Where a task goes: ``delay_seconds`` counts only for SCHEDULED."""

    state: StateNumber
    failures: int
    crashes: int
    delay_seconds: float = 0.0


def next_step(end: AttemptEnd, random: float) -> NextStep:
    """What follows an attempt that did not succeed. ``random`` in [0, 1) spreads retries apart."""
    failures = end.failures + (
        end.outcome in (OutcomeNumber.ERROR, OutcomeNumber.RETRY, OutcomeNumber.TIMEOUT)
    )
    crashes = end.crashes + (end.outcome in (OutcomeNumber.CRASH, OutcomeNumber.LOST))

    def step(state: StateNumber, delay_seconds: float = 0.0) -> NextStep:
        return NextStep(state=state, failures=failures, crashes=crashes, delay_seconds=delay_seconds)

    if end.outcome == OutcomeNumber.CANCELLED or end.cancel_requested:
        return step(StateNumber.CANCELLED)
    once = end.options.delivery == Delivery.AT_MOST_ONCE
    match end.outcome:
        case OutcomeNumber.RELEASED:  # its worker was stopped at once while it ran: no attempt is charged
            return step(StateNumber.READY)
        case OutcomeNumber.CRASH | OutcomeNumber.LOST if once:
            return step(StateNumber.LOST)
        case OutcomeNumber.CRASH | OutcomeNumber.LOST:
            return step(StateNumber.DEAD if crashes >= end.options.max_crashes else StateNumber.READY)
        case OutcomeNumber.BECAME:
            return step(StateNumber.BLOCKED)
        case OutcomeNumber.DISCARD:
            return step(StateNumber.FAILED)
        case OutcomeNumber.SNOOZE if not once:
            return step(StateNumber.SCHEDULED, max(end.after_seconds or 0.0, SNOOZE_SECONDS_MIN))
    if failures > end.options.retries or once:
        return step(StateNumber.FAILED)
    if end.after_seconds is not None:
        return step(StateNumber.SCHEDULED, end.after_seconds)
    return step(
        StateNumber.SCHEDULED, retry_delay(failures, end.options.backoff, end.options.backoff_max, random)
    )


def next_steps(end: AttemptEnd, randoms: Sequence[float]) -> list[NextStep]:
    """``next_step`` of several attempts that ended alike, one for each of ``randoms``: decided once, for they differ at most in how
    long they wait."""
    state, failures, crashes, _ = first = next_step(end, randoms[0])
    # What was asked for by Retry(after=…) or Snooze(…) is the same for all.
    if state != StateNumber.SCHEDULED or end.after_seconds is not None or end.outcome == OutcomeNumber.SNOOZE:
        return [first] * len(randoms)
    backoff, most = end.options.backoff, end.options.backoff_max
    return [
        NextStep(state, failures, crashes, retry_delay(failures, backoff, most, random)) for random in randoms
    ]
