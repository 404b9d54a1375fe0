"""Tasks that wait for other tasks inside themselves, on a worker with one slot."""

from __future__ import annotations

from pathlib import Path

import pytest
import tq

from .conftest import AppFactory, WorkerFactory
from .programs import Master, eventually

MODULE = Path(__file__).with_name("waiting_tasks.py")
WAIT_SECONDS = 90.0


@pytest.mark.timeout(180)  # twenty steps, one after the other, on a busy machine
def test_a_worker_with_one_slot_runs_what_its_task_waits_for(
    master: Master, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    app = app_factory(master.url, master.key("client"))
    worker_factory(tasks=MODULE, authkey=master.key("worker"), slots=1)
    names = "total", "depth", "tree", "awaited", "by_pool_executor_and_flow"
    total, depth, tree, awaited, others = (app.named(f"waiting_tasks:{name}") for name in names)
    assert total.submit(100).result(WAIT_SECONDS) == 4950
    assert depth.submit(4).result(WAIT_SECONDS) == 4
    assert tree.submit(3).result(WAIT_SECONDS) == 15
    assert awaited.submit(5).result(WAIT_SECONDS) == 10
    assert others.submit(5).result(WAIT_SECONDS) == [10, 5, 10]
    deep = depth.submit(50)
    with pytest.raises(
        tq.WouldDeadlock, match=r"^task .* waits for .*, which waits for a slot that this task holds"
    ):
        deep.result(WAIT_SECONDS)
    assert len(deep.attempts) == 1
    assert total.submit(3).result(WAIT_SECONDS) == 3, "the slot is free again"
    narrow = app.named("waiting_tasks:narrow", limits=[tq.Limit("narrow", max_running=1)])
    with pytest.raises(tq.WouldDeadlock, match="held back by limit 'narrow', of which at most 1 may run"):
        narrow.submit(1).result(WAIT_SECONDS)
    assert narrow.submit(0).result(WAIT_SECONDS) == 0, "the permit is free again"
    countdown, gathered = app.named("waiting_tasks:countdown"), app.named("waiting_tasks:gathered")
    first = countdown.submit(50)
    assert first.result(WAIT_SECONDS) == 42, "no depth needs a second slot: the task has become the next one"
    assert [attempt.outcome for attempt in first.attempts] == ["became"]
    assert app.named("waiting_tasks:awaited_countdown").submit(5).result(WAIT_SECONDS) == 43
    assert app.named("waiting_tasks:mixed").submit(7).result(WAIT_SECONDS) == 3
    assert gathered.submit(100).result(WAIT_SECONDS) == 4950
    with pytest.raises(tq.TaskError, match=r"return collect\.submit\(handles\)"):
        app.named("waiting_tasks:ungathered").submit(3).result(WAIT_SECONDS)
    parent = app.named("waiting_tasks:brood").submit(2)
    eventually(lambda: parent.progress is not None, WAIT_SECONDS)
    assert parent.cancel(tree=True) == tq.State.RUNNING
    with pytest.raises(tq.TaskCancelled):
        parent.result(WAIT_SECONDS)
    assert total.submit(3).result(WAIT_SECONDS) == 3, "what it waited for was cancelled, too"
