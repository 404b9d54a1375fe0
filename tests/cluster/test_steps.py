"""Steps of tasks with real programs: a child that is killed between two of them, coroutines, threads in place of processes."""

from __future__ import annotations

from pathlib import Path

import tq

from .conftest import Cluster

WAIT_SECONDS = 30.0


def test_a_task_that_is_killed_between_two_steps_goes_on_with_the_second(
    cluster: Cluster, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    handle = cluster.app.submit("cluster_tasks:dies_between_steps", str(notes))
    assert handle.result(WAIT_SECONDS) == [1, 3, 3]
    assert notes.read_text("utf-8").split() == ["first", "second"]
    assert [attempt.outcome for attempt in handle.attempts] == ["crash", "snooze", "success"]


def test_steps_in_a_coroutine(cluster: Cluster, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    handle = cluster.app.submit("cluster_tasks:awaits_steps", str(notes))
    assert handle.result(WAIT_SECONDS) == [1, 2]
    assert notes.read_text("utf-8").split() == ["first", "second"]


def sums(ctx: tq.Context, numbers: list[int]) -> int:
    total = 0
    for number in numbers:
        total = ctx.step("add", int.__add__, total, number)
    return total


def test_steps_in_a_thread_of_the_program() -> None:
    with tq.local(workers="threads") as app:
        assert app.submit(sums, [1, 2, 3]).result(WAIT_SECONDS) == 6
