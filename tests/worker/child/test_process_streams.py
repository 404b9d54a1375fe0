"""Standard streams that a task has closed, taken apart or replaced."""

from __future__ import annotations

from .leaving_tasks import streams
from .test_process_state import check_that_it_is_put_back, with_child


def test_a_task_prints_whatever_the_one_before_it_did_to_the_standard_streams() -> None:
    with_child(lambda one: check_that_it_is_put_back(one, streams))
