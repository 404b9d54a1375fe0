"""What `tq show` says of a task's handler: which it is, and the task that was made of its end."""

from __future__ import annotations

import pytest
from tq.common.domain.ids import parse_id

from ..conftest import Bench
from ..schedules.conftest import TASK, Scheduling
from .test_failure_handlers import HANDLER, fail, submit


@pytest.fixture
def scheduling(bench: Bench) -> Scheduling:
    return Scheduling(bench)


def test_the_handler_that_was_made_is_named_until_the_task_goes_on(scheduling: Scheduling) -> None:
    [id] = submit(scheduling.client).ids()
    show = {"task": HANDLER, "queue": "alarms", "id": None}
    assert scheduling.client.call("get_tasks", "show", id)["on_failure"] == show
    fail(scheduling.worker())
    shown = scheduling.client.call("get_tasks", "show", id)["on_failure"]
    handler = scheduling.client.call("get_tasks", "show", parse_id(shown["id"]))
    assert (handler["name"], handler["priority"], handler["on_failure"]) == (HANDLER, 7, None)
    scheduling.client.call("get_tasks", "retry", [id])
    assert scheduling.client.call("get_tasks", "show", id)["on_failure"] == show


def test_a_task_without_one_says_none(scheduling: Scheduling) -> None:
    id = b"t" * 16
    scheduling.client.call("get_task_queue", "submit", TASK, {}, [[id, b""]])
    assert scheduling.client.call("get_tasks", "show", id)["on_failure"] is None
