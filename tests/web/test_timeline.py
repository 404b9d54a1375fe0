"""Who ran what when, as bars."""

from __future__ import annotations

from typing import Any

import pytest
from tq.client.cli.ran import Ran
from tq.common.contract.workers import RanRow
from tq.common.domain.model import OutcomeNumber
from tq.web.timeline import COLOURS, TRACKS_MAX, WorkTimeline, WorkTrack, colours_of, timeline

SINCE = 1_000_000.0
CROW = {"node": "aa", "host": "crow", "slots": 2}


def row(number: int, start: float, end: float | None, **given: Any) -> RanRow:
    """``start``, ``end``: seconds since the beginning of the span."""
    outcome = None if end is None else int(OutcomeNumber.SUCCESS)
    ended = None if end is None else SINCE + end
    seconds = (100.0 if end is None else end) - start
    made = RanRow(
        "aa", "crow", bytes(15) + bytes([number]), "m:f", "q", 1, outcome, SINCE + start, ended, 1, seconds
    )
    return made._replace(**given)


def drawn(*rows: RanRow, workers: Any = (CROW,), is_whole: bool = True, only: str = "") -> WorkTimeline:
    return timeline(Ran(list(rows), SINCE, SINCE + 100, SINCE + 100, is_whole), workers, {}, only=only)


def lanes(track: WorkTrack) -> list[int]:
    return [bar.lane for bar in track.bars]


def test_a_bar_stands_where_its_attempt_ran() -> None:
    [track] = drawn(row(1, 10, 30)).tracks
    [bar] = track.bars
    assert (bar.x, bar.width, bar.lane, bar.took) == (100, 200, 0, "20.0 s")
    assert (track.host, track.lanes) == ("crow", 1)


def test_what_ran_at_once_is_in_several_lanes_and_what_ran_after_it_in_the_first_free_one() -> None:
    [track] = drawn(row(1, 0, 50), row(2, 10, 20), row(3, 20, 60)).tracks
    assert (lanes(track), track.lanes) == ([0, 1, 1], 2)


def test_there_are_no_more_lanes_than_slots() -> None:
    [track] = drawn(row(1, 0, 50), row(2, 0, 49), row(3, 48.9, 60)).tracks
    assert (lanes(track), track.lanes) == ([0, 1, 1], 2)


def test_what_runs_goes_up_to_now() -> None:
    [[bar]] = [track.bars for track in drawn(row(1, 40, None)).tracks]
    assert (bar.x, bar.width, bar.outcome, bar.is_bad) == (400, 600, "running", False)


def test_what_began_before_and_what_took_no_time_is_seen() -> None:
    [track] = drawn(row(1, -20, 10), row(2, 100, 100)).tracks
    assert [(bar.x, bar.width) for bar in track.bars] == [(0, 100), (pytest.approx(998.8), 1.2)]


def test_several_that_were_reported_together_are_as_long_as_they_ran() -> None:
    [track] = drawn(row(1, 0, 50, tasks=7, seconds=2.0), row(2, 80, 90, tasks=7, seconds=60.0)).tracks
    assert [(bar.x, bar.width, bar.tasks) for bar in track.bars] == [(480, 20, 7), (800, 100, 7)]


def test_failures_stand_out_and_a_snooze_is_none() -> None:
    outcomes = {1: OutcomeNumber.CRASH, 2: OutcomeNumber.SNOOZE, 3: OutcomeNumber.SUCCESS}
    [track] = drawn(*(row(one, one, one + 1, outcome=int(how)) for one, how in outcomes.items())).tracks
    assert [(bar.outcome, bar.is_bad) for bar in track.bars] == [
        ("crash", True),
        ("snooze", False),
        ("success", False),
    ]


def test_workers_stand_as_they_are_listed_and_those_that_are_gone_behind_them() -> None:
    rows = [row(one, 0, 1, node=node, host=node) for one, node in enumerate(("gone", "bb", "aa"))]
    tracks = drawn(*rows, workers=[CROW, {**CROW, "node": "bb"}]).tracks
    assert [track.node for track in tracks] == ["aa", "bb", "gone"]
    assert [track.node for track in drawn(*rows, only="bb").tracks] == ["bb"]


def test_of_very_many_workers_some_have_a_track() -> None:
    found = drawn(*(row(one % 250, 0, 1, node=f"{one:02}") for one in range(TRACKS_MAX + 3)))
    assert (len(found.tracks), found.tracks_left) == (TRACKS_MAX, 3)


def test_each_name_has_a_colour_of_its_own_that_stays() -> None:
    names = [f"jobs:task{number}" for number in range(COLOURS)]
    kept: dict[str, str] = {}
    few = colours_of(names[5:], kept)
    every = colours_of(names, kept)
    assert len(set(every.values())) == COLOURS
    assert few.items() <= every.items(), "also when more come"
    assert colours_of([*names, "zz:more"], kept)["zz:more"] == "other"
    assert colours_of(["zz:more"], kept)["zz:more"] != "other", "there is room again"


def test_names_are_counted_by_tasks() -> None:
    found = drawn(row(1, 0, 1, name="m:g"), row(2, 0, 5, tasks=9), is_whole=False)
    assert [(one.name, one.tasks) for one in found.names] == [("m:f", 9), ("m:g", 1)]
    assert not found.is_whole
    assert found.ticks == [SINCE, SINCE + 25, SINCE + 50, SINCE + 75, SINCE + 100]
