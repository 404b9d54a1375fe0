"""What ``app.schedules`` refuses before it asks the master."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import tq


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("report", "is not a task's name; write 'module:function'"),
        (print, "is not a task"),
        (5, "5 is not a task"),
    ],
)
def test_what_is_no_task_is_refused(task: Any, words: str) -> None:
    with pytest.raises(tq.InvalidArgument, match=words):
        tq.App("tq://127.0.0.1:1", "secret").schedules.add("s", task, every=5)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(tq.InvalidArgument, match="give a datetime with a time zone"):
        tq.App("tq://127.0.0.1:1", "secret").schedules.backfill("s", datetime(2026, 1, 1), datetime.now(UTC))


def test_a_task_with_a_key_is_refused() -> None:
    app = tq.App("tq://127.0.0.1:1", "secret")
    with pytest.raises(
        tq.InvalidArgument,
        match="key=… is of a submit, and a schedule is made by the master; leave it out for a schedule",
    ):
        app.schedules.add("s", app.named("m:f").using(key="k"), every=5)


def test_a_change_of_what_no_schedule_has_names_what_it_has() -> None:
    with pytest.raises(
        tq.InvalidArgument, match="a schedule has no 'evry' to change; it has cron, every, tz"
    ):
        tq.App("tq://127.0.0.1:1", "secret").schedules.edit("s", evry=5)
