from __future__ import annotations

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import StateNumber
from tq.common.errors import DependencyFailed, TaskCancelled, TaskCrashed, TaskError
from tq.common.values.failed import failed
from tq.common.values.failure import DEPENDENCY, Failure, to_error


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (StateNumber.FAILED, TaskError),
        (StateNumber.CANCELLED, TaskCancelled),
        (StateNumber.DEAD, TaskCrashed),
    ],
)
def test_its_error_is_the_one_that_its_handle_raises(state: StateNumber, kind: type[TaskError]) -> None:
    one = failed(new_ids(), state, Failure("ValueError", "no", "Traceback").encode())
    assert type(one.error()) is kind
    assert one.traceback == "Traceback"
    assert one.state == str(state)


def test_a_task_that_fell_with_another_raises_an_error_of_its_own() -> None:
    failure = Failure("DependencyFailed", "fetch failed", detail={"outcome": DEPENDENCY, "culprit": "x"})
    error = to_error(StateNumber.FAILED, failure)
    assert type(error) is DependencyFailed
    assert str(error) == "fetch failed"
    assert error.detail["culprit"] == "x"
