from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.lifecycle import TRANSITIONS, AttemptEnd, next_step, next_steps
from tq.common.domain.model import Delivery, OutcomeNumber, StateNumber, TaskOptions

ENDS = [outcome for outcome in OutcomeNumber if outcome != OutcomeNumber.SUCCESS]


def end(outcome: OutcomeNumber, **fields: object) -> AttemptEnd:
    values: dict[str, object] = {
        "outcome": outcome,
        "failures": 0,
        "crashes": 0,
        "cancel_requested": False,
        "options": TaskOptions(),
    }
    return AttemptEnd(**{**values, **fields})  # type: ignore[arg-type]


@given(
    st.sampled_from(ENDS),
    st.integers(0, 5),
    st.integers(0, 5),
    st.booleans(),
    st.integers(0, 4),
    st.sampled_from(Delivery),
    st.none() | st.floats(0, 100),
)
def test_every_end_leads_to_a_legal_state_and_counts_only_grow(
    outcome: OutcomeNumber,
    failures: int,
    crashes: int,
    cancel: bool,
    retries: int,
    delivery: Delivery,
    after: float | None,
) -> None:
    options = TaskOptions(retries=0 if delivery == Delivery.AT_MOST_ONCE else retries, delivery=delivery)
    before = AttemptEnd(
        outcome=outcome,
        failures=failures,
        crashes=crashes,
        cancel_requested=cancel,
        options=options,
        after_seconds=after,
    )
    step = next_step(before, 0.5)
    assert next_steps(before, [0.5, 0.0, 0.25]) == [next_step(before, random) for random in (0.5, 0.0, 0.25)]
    assert step.state in TRANSITIONS[StateNumber.RUNNING]
    assert 0 <= step.failures - failures <= 1
    assert 0 <= step.crashes - crashes <= 1
    if cancel:
        assert step.state == StateNumber.CANCELLED
    if delivery == Delivery.AT_MOST_ONCE and outcome != OutcomeNumber.RELEASED:
        assert step.state.is_terminal, "never started twice"


def test_no_state_that_ended_well_is_ever_left() -> None:
    assert not TRANSITIONS[StateNumber.SUCCEEDED]
    assert set(TRANSITIONS) == set(StateNumber)


@pytest.mark.parametrize(
    ("crashes", "state"), [(0, StateNumber.READY), (1, StateNumber.READY), (2, StateNumber.DEAD)]
)
def test_a_task_is_quarantined_at_its_last_allowed_crash(crashes: int, state: StateNumber) -> None:
    for outcome in (OutcomeNumber.CRASH, OutcomeNumber.LOST):
        assert next_step(end(outcome, crashes=crashes), 0.0).state == state


def test_retries_are_counted_apart_from_crashes() -> None:
    options = TaskOptions(retries=1)
    step = next_step(end(OutcomeNumber.CRASH, options=options), 0.0)
    assert (step.failures, step.crashes) == (0, 1)
    assert (
        next_step(end(OutcomeNumber.ERROR, failures=0, options=options), 0.0).state == StateNumber.SCHEDULED
    )
    assert next_step(end(OutcomeNumber.ERROR, failures=1, options=options), 0.0).state == StateNumber.FAILED
