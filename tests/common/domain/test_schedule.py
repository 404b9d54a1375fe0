"""What a schedule says, as it travels and as it is changed."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.recurrence import Cron, Interval
from tq.common.domain.schedule import DeclaredSchedule, ScheduleDefinition
from tq.common.errors import InvalidArgument

FULL: dict[str, Any] = {
    "task": "m:f",
    "queue": "q",
    "cron": "0 3 * * *",
    "tz": "Europe/Prague",
    "misfire": "all",
    "overlap": "skip",
    "jitter": 3.0,
    "options": {"retries": 1},
    "payload": b"p",
}


def test_what_differs_from_the_defaults_travels() -> None:
    assert ScheduleDefinition(task="m:f", every=60).to_wire() == {"task": "m:f", "every": 60.0}
    assert ScheduleDefinition.from_wire(FULL).to_wire() == FULL


def test_equal_definitions_are_written_alike_whatever_numbers_they_were_given() -> None:
    one, other = (
        ScheduleDefinition(task="m:f", every=60, jitter=0),
        ScheduleDefinition(task="m:f", every=60.0),
    )
    assert list(one.to_wire().items()) == list(other.to_wire().items())


def test_what_was_stored_is_what_was_given() -> None:
    given = ScheduleDefinition.from_wire(FULL)
    stored = ScheduleDefinition.stored(given.to_wire())
    assert stored == given
    assert stored.recurrence == Cron("0 3 * * *", "Europe/Prague")
    assert ScheduleDefinition.stored({"task": "m:f", "every": 1.5}).recurrence == Interval(1_500)


def test_a_new_rule_takes_the_place_of_the_old_one() -> None:
    changed = ScheduleDefinition.from_wire(FULL).changed({"every": 5})
    assert (changed.cron, changed.every, changed.misfire) == (None, 5.0, "all")
    assert changed.changed({"cron": "* * * * *"}).every is None


@pytest.mark.parametrize("name", ["", "a b", 5, "x" * 300])
def test_a_schedule_has_a_name(name: Any) -> None:
    with pytest.raises(InvalidArgument, match="schedule name"):
        DeclaredSchedule(name, ScheduleDefinition(task="m:f", every=60))
