"""States and outcomes: equal to their names outside, numbers in the store and on the wire."""

import json

import pytest
import tq
from tq.common.domain.model import Outcome, OutcomeNumber, State, StateNumber


def test_a_state_is_its_name() -> None:
    for state in State:
        assert state == state.name.lower() == str(state) == f"{state}"
        assert bool(state)
        assert json.loads(json.dumps({state: state})) == {str(state): str(state)}
    assert {State.READY: 1}["ready"] == 1
    assert tq.State is State


def test_an_outcome_is_its_name() -> None:
    for outcome in Outcome:
        assert outcome == outcome.name.lower() == str(outcome)
        assert bool(outcome)
        assert json.dumps(outcome) == f'"{outcome}"'


def test_each_state_and_outcome_has_one_number_and_each_number_one_name() -> None:
    assert [state.number for state in State] == list(StateNumber)
    assert [State.from_number(int(number)) for number in StateNumber] == list(State)
    assert [Outcome.from_number(int(number)) for number in OutcomeNumber] == list(Outcome)
    assert [str(number) for number in StateNumber] == list(State)
    assert [str(number) for number in OutcomeNumber] == list(Outcome)


def test_a_state_is_never_mistaken_for_a_number() -> None:
    assert State.READY != 0
    with pytest.raises(ValueError, match="4 is not a valid"):
        State.from_number(4)


def test_a_word_that_is_no_state_is_refused_with_those_that_are() -> None:
    assert State.parse("FAILED") is State.FAILED
    with pytest.raises(
        tq.InvalidArgument, match=r"unknown state 'faild'; one of: ready, scheduled, .*, lost"
    ):
        State.parse("faild")
