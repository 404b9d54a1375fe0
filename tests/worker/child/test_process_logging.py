"""Logging that a task has configured."""

from __future__ import annotations

from .leaving_tasks import loggings
from .test_process_state import check_that_it_is_put_back, with_child


def test_a_task_logs_whatever_the_one_before_it_has_configured() -> None:
    with_child(lambda one: check_that_it_is_put_back(one, loggings))
