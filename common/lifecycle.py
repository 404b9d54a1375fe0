"""The life of a task: which state may follow which, and what an attempt's end leads to. Pure.

::

              submit                     lease                       outcome
    (client) ───────► SCHEDULED ─due─► READY ─────────► RUNNING ───────────────► SUCCEEDED
                 │        ▲              ▲                 │  │                   FAILED  DEAD
                 └────────┼──────────────┘◄── released,    │  └─────────────────► CANCELLED LOST
                          │                   lost, crash ─┤
                          └── retry after a wait, snooze ──┘
    READY, SCHEDULED, BLOCKED ─cancel─► CANCELLED      ─expires─► EXPIRED
    FAILED, DEAD, CANCELLED, EXPIRED, LOST ─retry by hand─► READY

The table is the law: every store and every simulator checks its moves against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .model import Delivery, Outcome, State, TaskOptions
from .retry import retry_delay

_WAITING = frozenset({State.READY, State.SCHEDULED, State.BLOCKED})

TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.READY: frozenset({State.RUNNING, State.CANCELLED, State.EXPIRED}),
    State.SCHEDULED: frozenset({State.READY, State.CANCELLED, State.EXPIRED}),
    State.BLOCKED: frozenset({State.READY, State.SCHEDULED, State.CANCELLED, State.EXPIRED}),
    State.RUNNING: frozenset(
        {
            State.READY,
            State.SCHEDULED,
            State.SUCCEEDED,
            State.FAILED,
            State.DEAD,
            State.CANCELLED,
            State.LOST,
        }
    ),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset({State.READY}),
    State.DEAD: frozenset({State.READY}),
    State.CANCELLED: frozenset({State.READY}),
    State.EXPIRED: frozenset({State.READY}),
    State.LOST: frozenset({State.READY}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptEnd:
    """An attempt that did not succeed, and what its task had behind it before."""

    outcome: Outcome
    failures: int
    crashes: int
    cancel_requested: bool
    options: TaskOptions
    after_seconds: float | None = None  # asked for by Retry(after=…) or Snooze(…)


@dataclass(frozen=True, kw_only=True, slots=True)
class NextStep:
    """Where a task goes: ``delay_seconds`` counts only for SCHEDULED."""

    state: State
    failures: int
    crashes: int
    delay_seconds: float = 0.0


def next_step(end: AttemptEnd, random: float) -> NextStep:
    """What follows an attempt that did not succeed. ``random`` in [0, 1) spreads retries apart."""
    failures = end.failures + (end.outcome in (Outcome.ERROR, Outcome.RETRY, Outcome.TIMEOUT))
    crashes = end.crashes + (end.outcome in (Outcome.CRASH, Outcome.LOST))

    def step(state: State, delay_seconds: float = 0.0) -> NextStep:
        return NextStep(state=state, failures=failures, crashes=crashes, delay_seconds=delay_seconds)

    if end.outcome == Outcome.CANCELLED or end.cancel_requested:
        return step(State.CANCELLED)
    once = end.options.delivery == Delivery.AT_MOST_ONCE
    match end.outcome:
        case Outcome.RELEASED:  # certainly not started: even at_most_once may be handed out again
            return step(State.READY)
        case Outcome.CRASH | Outcome.LOST if once:
            return step(State.LOST)
        case Outcome.CRASH | Outcome.LOST:
            return step(State.DEAD if crashes >= end.options.max_crashes else State.READY)
        case Outcome.DISCARD:
            return step(State.FAILED)
        case Outcome.SNOOZE if not once:
            return step(State.SCHEDULED, end.after_seconds or 0.0)
    if failures > end.options.retries or once:
        return step(State.FAILED)
    if end.after_seconds is not None:
        return step(State.SCHEDULED, end.after_seconds)
    return step(State.SCHEDULED, retry_delay(failures, end.options.backoff, end.options.backoff_max, random))
