"""kill -9 of a child, a worker, the master, and of everything at once: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
import tq

from .conftest import WorkerFactory
from .programs import Master, Worker, eventually

TASKS = 1_500
TASK_SECONDS = 0.002  # so that the kill strikes in the middle of the load, not after it
# A lease and a grace after the fault, and time for a loaded machine to start Pythons.
SECONDS = 45.0


class Load:
    """Many small tasks that leave a line for every start, submitted by one app."""

    def __init__(self, app: tq.App, path: Path) -> None:
        self.app, self.path = app, path
        numbers = ((str(path), number, TASK_SECONDS) for number in range(TASKS))
        self.handles = app.named("cluster_tasks:noted", max_crashes=20).starmap(numbers)

    def reach(self, part: float) -> None:
        """Wait until that part of the tasks has started; the rest has not."""
        eventually(lambda: len(self.starts()) >= TASKS * part, SECONDS)
        assert len(self.starts()) < TASKS

    def starts(self) -> Counter[int]:
        return Counter(map(int, self.path.read_text().split())) if self.path.exists() else Counter()

    def check(self) -> None:
        """Every task has its one result, none was left out or invented."""
        assert list(self.handles.results(timeout=SECONDS)) == list(range(TASKS))
        assert self.handles.states() == Counter({tq.State.SUCCEEDED: TASKS})
        starts = self.starts()
        assert set(starts) == set(range(TASKS))
        queues = self.app.call(["get_queues"], "list")
        counts = Counter[str]()
        for queue in queues:
            counts.update({name: n for name, n in queue.items() if isinstance(n, int)})
        assert counts["succeeded"] == TASKS
        assert sum(counts.values()) - counts["paused"] == TASKS


@pytest.fixture
def load(app: tq.App, tmp_path: Path) -> Load:
    return Load(app, tmp_path / "starts")


def child_running(path: Path) -> psutil.Process:
    """The child that said in the file that it runs."""
    eventually(lambda: path.exists() and path.read_text().strip())
    return psutil.Process(int(path.read_text().split()[-1]))


# one task


def test_a_killed_child_costs_one_attempt_and_says_how(
    app: tq.App, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker_factory()
    started, release = tmp_path / "started", tmp_path / "release"
    handle = app.submit("cluster_tasks:hold", str(started), str(release))
    child_running(started).kill()
    release.touch()
    handle.result(timeout=SECONDS)
    first, second = handle.attempts
    assert (str(first.outcome), str(second.outcome)) == ("crash", "success")
    assert "SIGKILL" in first.error


def test_the_tasks_of_a_killed_worker_run_elsewhere_within_seconds(
    app: tq.App, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    first = worker_factory()
    started, release = tmp_path / "started", tmp_path / "release"
    handle = app.submit("cluster_tasks:hold", str(started), str(release))
    child_running(started)
    worker_factory()
    release.touch()
    os.truncate(started, 0)
    release.unlink()
    first.kill()
    killed_at = time.monotonic()
    child_running(started)
    assert time.monotonic() - killed_at < 10  # the grace is one second; the lease four
    release.touch()
    handle.result(timeout=SECONDS)
    assert [str(attempt.outcome) for attempt in handle.attempts] == ["lost", "success"]


def test_children_die_with_their_supervisor(
    app: tq.App, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker = worker_factory()
    app.submit("cluster_tasks:spin", str(tmp_path / "started"))
    child_running(tmp_path / "started")
    family = worker.children()
    assert len(family) >= 2
    worker.kill()
    _, alive = psutil.wait_procs(family, timeout=SECONDS)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


def test_a_killed_master_costs_a_running_task_nothing(
    app: tq.App, master: Master, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker_factory()
    started, release = tmp_path / "started", tmp_path / "release"
    handle = app.submit("cluster_tasks:hold", str(started), str(release))
    pid = child_running(started).pid
    master.kill()
    release.touch()  # it ends while there is no master
    master.start()
    assert handle.result(timeout=SECONDS) == pid
    assert len(handle.attempts) == 1


def test_a_task_that_kills_its_worker_each_time_is_quarantined_amid_good_ones(
    app: tq.App, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker = worker_factory()
    started = tmp_path / "started"
    poison = app.named("cluster_tasks:hold", max_crashes=2).submit(str(started), str(tmp_path / "never"))
    for _ in range(2):
        child_running(started)
        os.truncate(started, 0)
        worker.kill()
        worker.start()
    assert isinstance(poison.exception(timeout=SECONDS), tq.TaskCrashed)
    assert app.submit("cluster_tasks:add", 1, 1).result(timeout=SECONDS) == 2


# under load


def test_killed_children_under_load_lose_and_double_nothing(
    load: Load, worker_factory: WorkerFactory
) -> None:
    worker = worker_factory()
    for part in (0.1, 0.4, 0.7):
        load.reach(part)
        workers_child(worker).kill()
    load.check()


def workers_child(worker: Worker) -> psutil.Process:
    return eventually(worker.children)[-1]


def test_a_killed_worker_under_load_loses_and_doubles_nothing(
    load: Load, worker_factory: WorkerFactory
) -> None:
    first, _ = worker_factory(), worker_factory()
    load.reach(0.3)
    first.kill()
    load.check()


def test_a_killed_master_under_load_loses_and_doubles_nothing(
    load: Load, master: Master, worker_factory: WorkerFactory
) -> None:
    worker_factory()
    for part in (0.2, 0.6):
        load.reach(part)
        master.restart()
    load.check()
    assert sum(load.starts().values()) == TASKS  # the worker lived: it started nothing twice


def test_a_master_killed_while_tasks_are_submitted_has_each_exactly_once(
    app: tq.App, master: Master, worker_factory: WorkerFactory
) -> None:
    worker_factory()
    handles: list[tq.Handle[Any]] = []
    for number in range(300):
        if number in (100, 200):
            master.kill()
            master.start()
        handles.append(app.submit("cluster_tasks:add", number, 0))
    assert [handle.result(timeout=SECONDS) for handle in handles] == list(range(300))
    [queue] = app.call(["get_queues"], "list")
    assert queue["succeeded"] == 300


def test_everything_killed_at_once_under_load_loses_and_doubles_nothing(
    load: Load, master: Master, worker_factory: WorkerFactory
) -> None:
    workers = [worker_factory(), worker_factory()]
    load.reach(0.3)
    for program in (*workers, master):
        program.signal(signal.SIGKILL)
    for program in (*workers, master):
        program.wait()
    master.start()
    for worker in workers:
        worker.start()
    load.check()


# standing still


def test_the_result_of_a_worker_that_stood_still_too_long_is_refused_as_stale(
    app: tq.App, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    first = worker_factory(slots=1)
    started, release = tmp_path / "started", tmp_path / "release"
    handle = app.submit("cluster_tasks:hold", str(started), str(release))
    old = child_running(started).pid
    os.truncate(started, 0)
    with first.stalled():
        worker_factory(slots=1)
        new = child_running(started).pid  # after the lease it was given to the second worker
        release.touch()
        assert handle.result(timeout=SECONDS) == new != old
    eventually(lambda: "task.stale" in first.log or "task.dropped" in first.log)
    assert app.get(handle.id).result(timeout=SECONDS) == new
