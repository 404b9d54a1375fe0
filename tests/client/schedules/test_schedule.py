"""What the master's answers about schedules mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tq.client.schedules.schedule import Occurrence, schedule_of
from tq.common.errors import ProtocolError

ANSWER: dict[str, Any] = {
    "name": "s", "state": "active", "why": "", "task": "m:f", "queue": "q", "cron": None, "every": 5.0, "tz": "UTC",
    "misfire": "latest", "overlap": "allow", "jitter": 0.0, "declared": True, "edited": ["every"], "workers": 2,
    "differing": 1, "last": None, "next": 1.7e9, "fired": 3, "key": "k", "of a newer master": 5,
}  # fmt: skip
ROW = [1.7e9, 1.6e9, 1, "time", "succeeded", bytes(16), 1.7e9, 1.7e9, 1.7e9 + 2, ""]


def test_an_answer_is_a_record_with_moments() -> None:
    found = schedule_of({**ANSWER, "history": [ROW]})
    assert (found.name, found.last, found.next) == ("s", None, datetime.fromtimestamp(1.7e9, UTC))
    assert found.history == [
        Occurrence(
            instant=datetime.fromtimestamp(1.7e9, UTC),
            first=datetime.fromtimestamp(1.6e9, UTC),
            instants=1,
            by="time",
            state="succeeded",
            task_id="00000000-0000-0000-0000-000000000000",
            seconds=2.0,
            why="",
        )
    ]


def test_a_row_of_another_form_is_an_error_of_the_protocol() -> None:
    with pytest.raises(ProtocolError):
        schedule_of({**ANSWER, "history": [ROW[:-1]]})
