"""What the master's answers about a task mean."""

from __future__ import annotations

import pytest
import tq
from tq.client.tasks.answers import Progress, attempts_of, progress_of, state_of
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.common.values.failure import Failure

ID = new_ids()


def test_a_state_is_its_name_and_a_task_that_is_not_known_an_error() -> None:
    assert state_of(ID, [[ID, int(StateNumber.FAILED)]]) is tq.State.FAILED
    for answer in ([], [[ID, -1]]):
        with pytest.raises(tq.UnknownTask):
            state_of(ID, answer)


def test_progress_may_be_missing() -> None:
    assert progress_of({"progress": None}) is None
    assert progress_of({"progress": [3, None, "halfway", 1.0]}) == Progress(
        done=3, total=None, note="halfway"
    )


def test_an_attempt_has_its_error_unless_it_succeeded() -> None:
    row = {"worker": "crow", "started": 1.0, "ended": 2.0, "log": None}
    failed = {
        **row,
        "attempt": 1,
        "outcome": int(OutcomeNumber.ERROR),
        "body": Failure("KeyError", "x").encode(),
    }
    succeeded = {**row, "attempt": 2, "outcome": int(OutcomeNumber.SUCCESS), "body": None}
    first, second = attempts_of({"attempts": [failed, succeeded]})
    assert (first.error, first.outcome, first.log) == ("KeyError: x", "error", "")
    assert (second.error, second.outcome) == ("", "success")
