"""The tutorial's worker loop without writing it: ``tq-worker --queue jobs --apply f --results done``."""

from __future__ import annotations

import pytest
import tq
from tq.client.items.queue import ItemQueue
from xprocess import XProcess

from .programs import TASKS_FILE, Master, Program, Worker, eventually

SECONDS = 30


@pytest.fixture
def worker(master: Master, xprocess: XProcess, programs: list[Program]) -> Worker:
    """Applies a function of the file of tasks, whose directory is on the path because the file is served, too."""
    home = master.data.parent
    (home / "sums.py").write_text(
        "def square(x):\n    if x is None:\n        raise ValueError('nothing to square')\n    return x * x\n",
        "utf-8",
    )
    options = ("--slots", 2, "--queue", "jobs", "--apply", "sums:square", "--results", "done")
    worker = Worker(xprocess, home, master.address, master.authkey, *options, TASKS_FILE)
    programs.append(worker)
    worker.start()
    return worker


def test_items_are_squared_and_results_are_items(app: tq.App, worker: Worker) -> None:
    jobs, done = ItemQueue(app.session, "jobs"), ItemQueue(app.session, "done")
    for number in range(50):
        jobs.put(number)
    assert sorted(done.get(timeout=SECONDS) for _ in range(50)) == [number**2 for number in range(50)]
    jobs.join()


def test_an_item_that_fails_is_a_failed_task_that_can_be_looked_at(app: tq.App, worker: Worker) -> None:
    jobs = ItemQueue(app.session, "jobs")
    jobs.put(None)
    jobs.join()
    [task] = app.call(("get_tasks",), "list", {"queue": "jobs", "states": [11]})
    assert task["name"] == "sums:square"
    with pytest.raises(tq.TaskError, match="nothing to square"):
        app.get(str(__import__("uuid").UUID(bytes=task["id"]))).result(timeout=SECONDS)


def test_what_is_put_while_no_worker_is_there_waits_as_an_item(
    master: Master, app: tq.App, worker: Worker
) -> None:
    jobs, done = ItemQueue(app.session, "jobs"), ItemQueue(app.session, "done")
    assert worker.terminate() == 0
    eventually(lambda: not app.call(("get_workers",), "list"))
    jobs.put(3)
    assert jobs.qsize() == 1
    worker.start()
    assert done.get(timeout=SECONDS) == 9


def test_a_killed_worker_and_a_killed_master_lose_nothing(
    master: Master, app: tq.App, worker: Worker
) -> None:
    jobs, done = ItemQueue(app.session, "jobs"), ItemQueue(app.session, "done")
    for number in range(200):
        jobs.put(number)
    worker.kill()
    master.kill()
    master.start()
    worker.start()
    assert sorted(done.get(timeout=SECONDS) for _ in range(200)) == [number**2 for number in range(200)]
