"""What can become of a task: delays, order, retries, limits, cancellation, and every way not to succeed."""

from __future__ import annotations

import signal
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
import tq

from .cluster_tasks import count
from .conftest import Cluster, WorkerFactory
from .programs import eventually


@pytest.fixture
def app(cluster: Cluster) -> tq.App:
    return cluster.app


def outcomes(handle: tq.Handle[Any]) -> list[str]:
    return [str(attempt.outcome) for attempt in handle.attempts]


# when it runs


def test_a_delayed_task_waits_its_time(app: tq.App) -> None:
    before = time.time()
    handle = app.named("cluster_tasks:add", delay=1.0).submit(1, 1)
    assert handle.state == tq.State.SCHEDULED
    assert handle.result(timeout=20) == 2
    assert handle.attempts[0].started - before >= 1.0


def test_tasks_of_higher_priority_start_first(
    admin: tq.App, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    path = tmp_path / "order"
    handles = [
        admin.named("cluster_tasks:noted", priority=priority).submit(str(path), priority)
        for priority in (0, -5, 7, 3, 7, 100)
    ]
    worker_factory(slots=1)
    assert all(handle.exception(timeout=20) is None for handle in handles)
    assert path.read_text().split() == ["100", "7", "7", "3", "0", "-5"]


def test_a_task_not_started_in_time_expires(app: tq.App) -> None:
    handle = app.named("cluster_tasks:add", delay=30, expires=0.5).submit(1, 1)
    with pytest.raises(tq.TaskExpired):
        handle.result(timeout=20)
    assert handle.state == tq.State.EXPIRED


def test_a_paused_queue_hands_nothing_out_until_it_is_resumed(
    admin: tq.App, worker_factory: WorkerFactory
) -> None:
    worker_factory()
    admin.call(["get_task_queue", "img"], "pause", "the disk is full")
    waiting = admin.named("cluster_tasks:add", queue="img").submit(1, 1)
    assert admin.submit("cluster_tasks:add", 2, 2).result(timeout=20) == 4
    shown = admin.call(["get_tasks"], "show", uuid.UUID(waiting.id).bytes)
    assert "paused" in shown["why"]
    assert "the disk is full" in shown["why"]
    admin.call(["get_task_queue", "img"], "resume")
    assert waiting.result(timeout=20) == 2


def test_a_task_that_no_worker_knows_waits_and_says_why(cluster: Cluster) -> None:
    handle = cluster.app.submit("elsewhere:job", 1)
    shown = cluster.app.call(["get_tasks"], "show", uuid.UUID(handle.id).bytes)
    assert "elsewhere:job" in shown["why"]
    assert "worker" in shown["why"]
    with pytest.raises(TimeoutError):
        handle.result(timeout=0.5)
    assert handle.state == tq.State.READY
    assert handle.cancel() == tq.State.CANCELLED


# tries


def test_a_failing_task_is_tried_again_until_it_succeeds(app: tq.App, tmp_path: Path) -> None:
    handle = app.named("cluster_tasks:succeed_after", retries=5, backoff=0.05).submit(str(tmp_path / "n"), 3)
    assert handle.result(timeout=20) == 4
    assert outcomes(handle) == ["error", "error", "error", "success"]


def test_after_the_last_try_it_has_failed(app: tq.App, tmp_path: Path) -> None:
    handle = app.named("cluster_tasks:succeed_after", retries=1, backoff=0.05).submit(str(tmp_path / "n"), 9)
    with pytest.raises(tq.TaskError, match="try 2 fails"):
        handle.result(timeout=20)
    assert handle.state == tq.State.FAILED
    assert count(str(tmp_path / "n")) == 2


def test_a_task_may_ask_for_another_try_at_a_time_of_its_own(app: tq.App, tmp_path: Path) -> None:
    handle = app.named("cluster_tasks:ask_again", retries=1).submit(str(tmp_path / "n"), 0.3)
    assert handle.result(timeout=20) == 2
    first, second = handle.attempts
    assert second.started - first.started >= 0.3


def test_a_snoozing_task_uses_up_no_retries(app: tq.App, tmp_path: Path) -> None:
    handle = app.named("cluster_tasks:doze", retries=0).submit(str(tmp_path / "n"), 0.1)
    assert handle.result(timeout=20) == 3
    assert outcomes(handle) == ["snooze", "snooze", "success"]


def test_a_task_that_gives_itself_up_is_not_tried_again(app: tq.App, tmp_path: Path) -> None:
    handle = app.named("cluster_tasks:give_up", retries=5, backoff=0.05).submit(str(tmp_path / "n"))
    with pytest.raises(tq.TaskError, match="there is no such thing"):
        handle.result(timeout=20)
    assert handle.state == tq.State.FAILED
    assert count(str(tmp_path / "n")) == 1


def test_a_failed_task_can_be_made_ready_again(app: tq.App, tmp_path: Path) -> None:
    handle = app.named("cluster_tasks:succeed_after").submit(str(tmp_path / "n"), 1)
    assert handle.exception(timeout=20) is not None
    again = app.get(handle.id)
    again.retry()
    assert again.result(timeout=20) == 2


# identity


def test_the_same_key_is_the_same_task(app: tq.App, tmp_path: Path) -> None:
    noted = app.named("cluster_tasks:noted").using(key=f"order-{tmp_path}")
    first, second = (noted.submit(str(tmp_path / "n"), 1) for _ in range(2))
    assert first.id == second.id
    assert (first.result(timeout=20), second.result(timeout=20)) == (1, 1)
    assert count(str(tmp_path / "n")) == 1


def test_the_same_key_with_other_arguments_is_a_conflict(app: tq.App, tmp_path: Path) -> None:
    add = app.named("cluster_tasks:add").using(key=f"sum-{tmp_path}")
    add.submit(1, 1).result(timeout=20)
    with pytest.raises(tq.TaskConflict):
        add.submit(1, 2)


# time limits


def test_a_task_over_its_limit_may_clean_up_and_has_failed(app: tq.App, tmp_path: Path) -> None:
    handle = app.named("cluster_tasks:tidy", timeout=0.5).submit(str(tmp_path / "a"), str(tmp_path / "b"))
    with pytest.raises(tq.TaskTimeout, match=r"longer than its limit of 0\.5 s"):
        handle.result(timeout=20)
    assert (tmp_path / "b").exists()
    assert outcomes(handle) == ["timeout"]


def test_a_limit_interrupts_a_sleep(app: tq.App) -> None:
    began = time.monotonic()
    with pytest.raises(tq.TaskTimeout):
        app.named("cluster_tasks:sleep", timeout=0.5).submit(1e9).result(timeout=20)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("task", ["spin", "deaf"])
def test_a_limit_holds_for_what_does_not_listen(
    admin: tq.App, worker_factory: WorkerFactory, tmp_path: Path, task: str
) -> None:
    worker_factory(slots=1, options=("--kill-grace-seconds", 0.5))
    handle = admin.named(f"cluster_tasks:{task}", timeout=0.5).submit(str(tmp_path / "pid"))
    with pytest.raises(tq.TaskTimeout):
        handle.result(timeout=20)
    assert admin.submit("cluster_tasks:add", 1, 1).result(timeout=10) == 2


# cancellation


def test_a_waiting_task_is_cancelled_at_once(app: tq.App) -> None:
    handle = app.named("cluster_tasks:add", delay=60).submit(1, 1)
    assert handle.cancel() == tq.State.CANCELLED
    with pytest.raises(tq.TaskCancelled):
        handle.result(timeout=20)


def test_a_running_task_is_notified_and_cleans_up(app: tq.App, tmp_path: Path) -> None:
    started, tidied = tmp_path / "a", tmp_path / "b"
    handle = app.submit("cluster_tasks:tidy", str(started), str(tidied))
    eventually(started.exists)
    handle.cancel()
    with pytest.raises(tq.TaskCancelled):
        handle.result(timeout=20)
    eventually(tidied.exists)


@pytest.mark.parametrize("task", ["spin", "deaf"])
def test_a_running_task_that_does_not_listen_is_killed(
    admin: tq.App, worker_factory: WorkerFactory, tmp_path: Path, task: str
) -> None:
    worker_factory(slots=1, options=("--kill-grace-seconds", 0.5))
    handle = admin.submit(f"cluster_tasks:{task}", str(tmp_path / "pid"))
    eventually((tmp_path / "pid").exists)
    handle.cancel()
    with pytest.raises(tq.TaskCancelled):
        handle.result(timeout=20)
    assert admin.submit("cluster_tasks:add", 1, 1).result(timeout=10) == 2


# deaths


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
def test_a_task_whose_child_dies_of_a_signal_runs_again(
    app: tq.App, tmp_path: Path, number: signal.Signals
) -> None:
    handle = app.submit("cluster_tasks:die_once", str(tmp_path / "n"), int(number))
    assert handle.result(timeout=20) == "alive"
    assert outcomes(handle) == ["crash", "success"]
    assert number.name in str(handle.attempts[0])


def test_a_task_that_always_kills_its_child_is_quarantined(app: tq.App) -> None:
    handle = app.named("cluster_tasks:die", max_crashes=2).submit(int(signal.SIGKILL))
    with pytest.raises(tq.TaskCrashed, match="SIGKILL"):
        handle.result(timeout=20)
    assert handle.state == tq.State.DEAD
    assert outcomes(handle) == ["crash", "crash"]


def test_a_child_that_leaves_says_its_exit_code(app: tq.App) -> None:
    with pytest.raises(tq.TaskCrashed, match="running it died: the process running it exited with status 41"):
        app.named("cluster_tasks:leave", max_crashes=1).submit(41).result(timeout=20)


def test_sys_exit_is_an_error_of_the_task_and_costs_no_child(app: tq.App) -> None:
    with pytest.raises(tq.TaskError, match="SystemExit: 3"):
        app.submit("cluster_tasks:say_exit", 3).result(timeout=20)


def test_neighbours_of_a_dying_task_are_unharmed(app: tq.App) -> None:
    dying = [app.named("cluster_tasks:die", max_crashes=1).submit(int(signal.SIGKILL)) for _ in range(3)]
    handles = app.named("cluster_tasks:add").starmap((number, 0) for number in range(300))
    assert list(handles.results(timeout=40)) == list(range(300))
    assert all(isinstance(handle.exception(timeout=20), tq.TaskCrashed) for handle in dying)


def test_an_at_most_once_task_is_lost_with_its_child(app: tq.App, tmp_path: Path) -> None:
    die_once = app.named("cluster_tasks:die_once", delivery="at_most_once")
    handle = die_once.submit(str(tmp_path / "n"), int(signal.SIGKILL))
    with pytest.raises(tq.TaskError):
        handle.result(timeout=20)
    assert handle.state in (tq.State.LOST, tq.State.DEAD, tq.State.FAILED)
    assert count(str(tmp_path / "n")) == 1


# what is kept of its end


def test_a_result_that_is_not_kept_is_none_and_an_error_stays(app: tq.App) -> None:
    echo = app.named("cluster_tasks:echo").using(result="errors", result_ttl=3_600)
    assert echo.submit("large").result(30) is None
    assert list(echo.map(range(50)).results(30)) == [None] * 50
    failing = [
        app.named("cluster_tasks:fail").using(result=policy).submit("gone") for policy in ("errors", "none")
    ]
    assert [str(handle.exception(30)) for handle in failing] == [
        "LookupError: gone",
        "NotKept: its error is not kept, for it was submitted with result='none'",
    ]
