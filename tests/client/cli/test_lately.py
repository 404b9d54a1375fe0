"""What became of a schedule lately."""

from __future__ import annotations

from datetime import UTC, datetime

from tq.client.cli.lately import lately_of
from tq.client.schedules.schedule import Occurrence

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def one(state: str, seconds: float | None = None, instants: int = 1) -> Occurrence:
    return Occurrence(
        instant=MOMENT,
        first=MOMENT,
        instants=instants,
        by="time",
        state=state,
        task_id=None,
        seconds=seconds,
        why="",
    )


def test_those_that_ended_are_counted_by_how_and_half_of_them_took_less() -> None:
    found = lately_of([one("succeeded", 1.0), one("failed", 9.0), one("succeeded", 2.0), one("running")])
    assert (str(found), found.went_wrong, found.seconds) == ("2/3 ok", 1, 2.0)


def test_what_was_skipped_together_counts_as_many() -> None:
    assert lately_of([one("skipped", instants=7), one("skipped")]).states == {"skipped": 8}


def test_of_nothing_nothing_is_said() -> None:
    found = lately_of([])
    assert (str(found), found.seconds, found.states) == ("", None, {})
