"""What a measurement means, and what is to be done about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tq.client.cli.doctor import judging
from tq.common.runtime.checkup import ERROR, OK, WARNING, Checkup
from tq.common.version import VERSION


def found(judge: Callable[..., None], *measured: Any) -> tuple[str, str]:
    checkup = Checkup()
    judge(checkup, *measured)
    [finding] = checkup.findings
    return finding.level, finding.text


@pytest.mark.parametrize(
    ("ahead", "round_trip", "level", "words"),
    [
        (0.3, 0.001, OK, "within a second"),
        (-0.9, 0.001, OK, "within a second"),
        (5.0, 0.001, WARNING, "5.0 s ahead of this one"),
        (-7200.0, 0.001, WARNING, "2 h behind this one"),
        (2.0, 2.5, OK, "within a second"),  # the round trip alone may be the difference
    ],
)
def test_clocks_that_differ_by_more_than_a_second(
    ahead: float, round_trip: float, level: str, words: str
) -> None:
    given, text = found(judging.judge_clock, ahead, round_trip)
    assert given == level
    assert words in text


def test_versions_that_differ_are_named() -> None:
    workers = [{"version": VERSION}, {"version": "0.0.9"}, {"version": "0.0.9"}]
    assert found(judging.judge_versions, VERSION, workers[:1])[0] == OK
    assert "2 workers are 0.0.9" in found(judging.judge_versions, VERSION, workers)[1]
    assert f"this tq is {VERSION}" in found(judging.judge_versions, "9.9.9", [])[1]


def test_shards_that_do_not_answer_are_named_and_a_cluster_of_one_gets_no_line() -> None:
    assert found(judging.judge_shards, 16, "") == (OK, "all 16 answer")
    level, text = found(judging.judge_shards, 16, "shard 2 of 16 does not answer: what is there is left out")
    assert level == ERROR
    assert text.startswith("shard 2 of 16 does not answer: tasks there wait; ")
    checkup = Checkup()
    judging.judge_shards(checkup, 1, "")
    assert checkup.findings == []


def test_a_slow_line_is_reported_with_the_way_round_it() -> None:
    assert found(judging.judge_round_trip, [0.0003, 0.0004, 0.02]) == (
        OK,
        "0.4 ms to the master and back (median of 3, slowest 20 ms)",
    )
    assert "app.batch()" in found(judging.judge_round_trip, [0.5, 0.6, 0.7])[1]


@pytest.mark.parametrize(
    ("free", "fsync", "level", "words"),
    [
        (90e9, 0.002, OK, "90.0 GB of 100.0 GB are free; fsync takes 2 ms"),
        (4e9, 0.002, WARNING, "make room"),
        (90e9, 0.3, WARNING, "local SSD"),
    ],
)
def test_a_disk_is_judged_by_room_and_fsync(free: float, fsync: float, level: str, words: str) -> None:
    given, text = found(
        judging.judge_disk, {"free_bytes": int(free), "total_bytes": int(100e9), "fsync_seconds": fsync}
    )
    assert given == level
    assert words in text


def test_a_disk_that_another_check_measures_is_a_warning() -> None:
    assert found(judging.judge_disk, {})[0] == WARNING


def test_workers_are_counted_and_missing_ones_started() -> None:
    here = {"connected": True, "slots": 2, "running": 1, "host": "a"}
    gone = {"connected": False, "slots": 2, "running": 0, "host": "b"}
    assert found(judging.judge_workers, [here, here]) == (OK, "2 connected on 1 host, 2 of 4 slots busy")
    assert "1 more went away" in found(judging.judge_workers, [here, gone])[1]
    assert "none is connected (1 were here)" in found(judging.judge_workers, [gone])[1]
    assert "tq-worker --connect" in found(judging.judge_workers, [])[1]


@pytest.mark.parametrize(
    ("info", "level", "words"),
    [
        ({"commit_seconds": 0.004, "durability": "fsync"}, OK, "of late took 4 ms, durability fsync"),
        ({"commit_seconds": 0.4, "durability": "fsync"}, WARNING, "faster disk"),
        ({"commit_seconds": 0.0, "durability": "memory"}, WARNING, "nothing survives"),
    ],
)
def test_commits_that_are_slow_or_not_to_disk_are_reported(
    info: dict[str, Any], level: str, words: str
) -> None:
    given, text = found(judging.judge_commit, info)
    assert given == level
    assert words in text


def schedule(**fields: Any) -> dict[str, Any]:
    return {"name": "s", "state": "active", "why": "", "workers": 2, "differing": 0, **fields}


@pytest.mark.parametrize(
    ("rows", "level", "words"),
    [
        ([schedule()], OK, "1 make their tasks"),
        ([schedule(differing=1)], WARNING, "1 of 2 workers have s in their code otherwise"),
        ([schedule(state="paused", why="its key was revoked")], WARNING, "s is paused: its key was revoked"),
        ([schedule(state="orphaned")], WARNING, "s is orphaned: it stops soon"),
        ([schedule(state="stopped", why="no worker has declared it")], WARNING, "s is stopped: no worker"),
        ([schedule(state="orphaned")] * 5, WARNING, "; and 2 more; `tq schedule ls` lists them"),
    ],
)
def test_schedules_that_make_no_tasks_or_differ_are_named(
    rows: list[dict[str, Any]], level: str, words: str
) -> None:
    found = Checkup()
    judging.judge_schedules(found, rows)
    [one] = found.findings
    assert one.level == level
    assert words in one.text


def test_a_cluster_without_schedules_gets_no_line_on_them() -> None:
    found = Checkup()
    judging.judge_schedules(found, [])
    assert found.findings == []
