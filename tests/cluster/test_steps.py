"""Steps of tasks with real programs: a child that is killed between two of them, coroutines, threads in place of processes."""

from __future__ import annotations

from pathlib import Path

import pytest
import tq

from .conftest import Cluster
from .programs import eventually

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


def test_a_task_waits_for_a_signal_without_a_slot_or_for_its_timeout(cluster: Cluster) -> None:
    app = cluster.app
    waiting = [
        app.submit("cluster_tasks:awaits_approval", 600) for _ in range(3)
    ]  # more than there are slots
    late = app.submit("cluster_tasks:awaits_approval", 0.1)
    assert late.result(WAIT_SECONDS) == []
    for handle in waiting:
        eventually(lambda handle=handle: "for the signal 'approved'" in handle.why(), WAIT_SECONDS)  # type: ignore[misc]
        handle.signal("approved", {"by": handle.id})
        assert handle.result(WAIT_SECONDS) == [{"by": handle.id}, "admin", 2]
    with pytest.raises(
        tq.InvalidArgument, match="the task has succeeded; only one that has not ended takes signals"
    ):
        late.signal("approved")


def sums(ctx: tq.Context, numbers: list[int]) -> int:
    total = 0
    for number in numbers:
        total = ctx.step("add", int.__add__, total, number)
    return total


def test_steps_in_a_thread_of_the_program() -> None:
    with tq.local(workers="threads") as app:
        assert app.submit(sums, [1, 2, 3]).result(WAIT_SECONDS) == 6
