"""A task's story in one sentence."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tq.client.tasks.explanation import explanation
from tq.common.domain.model import StateNumber
from tq.common.values.failure import Failure


def shown(state: StateNumber, **fields: Any) -> dict[str, Any]:
    failure = Failure("ValueError", "no\nmore").encode()
    return {
        "id": bytes(16), "state": int(state), "why": "", "finished": time.time() - 300, "attempt": 2, "crashes": 1,
        "on_error": "fail",
        "attempts": [{"worker": "crow"}], "result": failure, **fields,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (StateNumber.SUCCEEDED, "it succeeded 5 min ago on crow, at attempt 2"),
        (StateNumber.FAILED, "it failed 5 min ago, at attempt 2: ValueError: no; `tq show"),
        (StateNumber.DEAD, "it is quarantined since 5 min ago, after 1 death: ValueError: no;"),
        (StateNumber.CANCELLED, "it was cancelled 5 min ago; `tq retry 00000000-0000-"),
        (StateNumber.EXPIRED, "it expired 5 min ago"),
        (StateNumber.LOST, "its worker vanished 5 min ago"),
    ],
)
def test_a_task_that_has_ended_says_how(state: StateNumber, words: str) -> None:
    assert explanation(shown(state)).startswith(words)


def test_one_that_was_for_a_failure_says_that_there_was_none() -> None:
    dropped = shown(StateNumber.CANCELLED, on_error="catch", attempts=[], result=None)
    assert explanation(dropped).startswith(
        "it was not run, since 5 min ago: it is for a failure of the tasks that it needs"
    )


def test_a_task_that_waits_says_why() -> None:
    assert explanation(shown(StateNumber.READY, why="it is the next")) == "it is the next"
