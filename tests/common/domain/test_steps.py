"""Names of steps, and where there are none."""

from __future__ import annotations

from operator import methodcaller

import pytest
from tq.common.domain.context import Context
from tq.common.domain.steps import StepKind, check_step_name
from tq.common.errors import InvalidArgument


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb", b"x", None])
def test_a_name_is_a_hundred_printable_characters_at_most(name: object) -> None:
    with pytest.raises(InvalidArgument, match="the name of a step is 1 to 100 printable characters"):
        check_step_name("step", name)
    assert check_step_name("step", "send mail") == "send mail"


def test_a_kind_is_shown_by_its_name() -> None:
    assert str(StepKind.SLEEP) == "sleep"


@pytest.mark.parametrize("use", [methodcaller("step", "one", int), methodcaller("sleep", 5)])
def test_a_step_where_no_task_runs_is_refused(use: methodcaller[object]) -> None:
    ctx = Context(id="x", attempt=1, queue="q", name="m:f", token="", deadline=None)
    with pytest.raises(InvalidArgument, match="a step belongs to a task that a worker runs; here none runs"):
        use(ctx)
