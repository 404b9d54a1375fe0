"""Children within limits, as real processes: so many tasks, so much memory, their output in files."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import psutil
import pytest
import tq
from tq.common.domain.model import Outcome

from .conftest import WorkerFactory
from .programs import eventually, let_pass, run_program

KILLS = 20


def test_children_are_replaced_after_so_many_tasks_and_nothing_is_lost(
    worker_factory: WorkerFactory, admin: tq.App
) -> None:
    worker_factory(slots=2, options=("--max-tasks-per-child", 5))
    handles = [admin.submit("cluster_tasks:whoami") for _ in range(24)]
    pids = [handle.result(timeout=40) for handle in handles]
    assert max(pids.count(pid) for pid in pids) == 5
    assert all(len(handle.attempts) == 1 for handle in handles)


def test_children_killed_at_any_time_while_they_are_replaced_lose_nothing(
    worker_factory: WorkerFactory, admin: tq.App
) -> None:
    """Whatever is killed is in the middle of a task, or of its retirement, or of its start."""
    worker = worker_factory(slots=2, options=("--max-tasks-per-child", 2))
    handles = [admin.named("cluster_tasks:whoami", max_crashes=50).submit(0.02) for _ in range(40)]
    for turn in range(KILLS):
        let_pass(0.12)  # a Python has to start in between, or nothing would ever be done
        for child in worker.children()[turn % 2 :: 2]:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    pids = [handle.result(timeout=40) for handle in handles]
    assert max(pids.count(pid) for pid in pids) <= 2
    ends = [attempt.outcome for handle in handles for attempt in handle.attempts]
    assert set(ends) <= {Outcome.SUCCESS, Outcome.CRASH}
    assert ends.count(Outcome.SUCCESS) == 40


def test_a_task_beyond_the_memory_limit_is_ended_with_that_reason(
    worker_factory: WorkerFactory, admin: tq.App
) -> None:
    worker_factory(slots=1, options=("--max-memory-per-child", "160MiB"))
    greedy = admin.submit("cluster_tasks:grow", 400)
    after = admin.submit("cluster_tasks:add", 1, 1)
    error = greedy.exception(timeout=40)
    assert error is not None
    assert error.type == "MemoryLimit"
    assert "the limit is 160 MiB (max_memory_per_child)" in error.message
    assert error.detail["last_lines"] == "growing"
    assert "in grow" in error.traceback
    assert greedy.state == tq.State.FAILED
    assert after.result(timeout=20) == 2


def test_a_child_that_has_grown_is_replaced_between_tasks(
    worker_factory: WorkerFactory, admin: tq.App
) -> None:
    worker_factory(slots=1, options=("--max-memory-per-child", "100MiB"))
    first = admin.submit("cluster_tasks:whoami").result(timeout=20)
    admin.submit("cluster_tasks:keep", 80).exception(timeout=20)
    eventually(lambda: admin.submit("cluster_tasks:whoami").result(timeout=20) != first)


def test_a_loop_in_c_is_killed_and_its_stack_is_reported(
    worker_factory: WorkerFactory, admin: tq.App, tmp_path: Path
) -> None:
    worker_factory(slots=1, options=("--kill-grace-seconds", 1))
    error = (
        admin.named("cluster_tasks:spin", timeout=0.3).submit(str(tmp_path / "started")).exception(timeout=30)
    )
    assert isinstance(error, tq.TaskTimeout)
    assert "did not stop when asked" in error.message
    assert "in spin" in error.traceback


def test_niceness_and_files_are_the_childrens(
    worker_factory: WorkerFactory, admin: tq.App, tmp_path: Path
) -> None:
    folder = tmp_path / "logs" / "of tasks"
    worker_factory(slots=1, options=("--nice", 3, "--task-log-dir", folder))
    pid = admin.submit("cluster_tasks:whoami").result(timeout=20)
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + 3
    handle = admin.submit("cluster_tasks:say", "x" * 1_000, 200)
    handle.result(timeout=20)
    file = folder / f"{handle.id}.1.log"
    eventually(
        lambda: file.exists() and file.stat().st_size == sum(len(f"{'x' * 1_000} {n}\n") for n in range(200))
    )
    assert [path.name for path in folder.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--max-memory-per-child", "lots"), "must be a size from 1MiB such as 512MiB"),
        (("--max-tasks-per-child", "-1"), "must be a whole number from 0"),
        (("--nice", "20"), "must be a whole number from -20 to 19"),
    ],
)
def test_a_wrong_limit_is_reported_before_anything_starts(
    home: Path, options: tuple[str, str], words: str
) -> None:
    done = run_program("tq-worker", *options, "tasks.py", home=home)
    assert done.returncode == 2
    assert words in done.stderr


def test_code_that_can_no_longer_be_imported_is_reported_once_and_tried_again(
    worker_factory: WorkerFactory, admin: tq.App, home: Path
) -> None:
    """Here a recycled child finds the module broken; the worker stays, and goes on when it is mended."""
    good = "import os\nimport tq\napp = tq.App()\n@app.task\ndef where() -> int:\n    return os.getpid()\n"
    file = home / "mutable.py"
    file.write_text(good)
    worker = worker_factory(slots=1, tasks=file, options=("--max-tasks-per-child", 1))
    first = admin.submit("mutable:where").result(timeout=20)
    file.write_text("def broken():\n    return not_there\nbroken()\n")
    again = [admin.submit("mutable:where") for _ in range(3)]
    # Below its line, and written after it.
    eventually(lambda: "in broken\n    return not_there" in worker.log)
    assert "child.import_failed" in worker.log
    assert "importlib" not in worker.log
    let_pass(1.5)  # it has tried again meanwhile
    assert worker.log.count("child.import_failed") == 1
    file.write_text(good)
    assert again[-1].result(timeout=30) != first
