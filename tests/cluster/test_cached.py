"""``cache=`` and ``on_failure=`` with the real programs: one run for equal calls, and one handler for each end."""

from __future__ import annotations

import tq

from .conftest import WorkerFactory


def test_equal_calls_run_once_and_their_result_is_returned_again(
    worker_factory: WorkerFactory, admin: tq.App
) -> None:
    worker_factory(slots=2)
    whoami = admin.named("cluster_tasks:whoami", cache=3600)
    first = whoami.submit(0.2)
    together = [whoami.submit(0.2) for _ in range(5)]
    assert {one.id for one in together} == {first.id}
    pid = first.result(timeout=30)
    again = whoami.map([0.2, 0.21, 0.2])
    assert [one.cached for one in again] == [True, False, True]
    assert list(again.results(timeout=30))[::2] == [pid, pid]
    assert whoami.using(cache=None).submit(0.2).id != first.id


def test_each_task_of_a_map_that_fails_has_its_handler(worker_factory: WorkerFactory, admin: tq.App) -> None:
    worker_factory(slots=2)
    alarm = admin.named("cluster_tasks:echo", queue="alarms")
    failing = admin.named("cluster_tasks:fail", on_failure=alarm)
    handles = failing.map(range(3))
    assert handles.wait(timeout=30)
    for handle in handles:
        shown = admin.call(("get_tasks",), "show", handle._id)["on_failure"]
        record = admin.get(shown["id"]).result(timeout=30)
        assert (record["id"], record["state"], record["attempts"]) == (handle.id, "failed", 1)
        assert record["error"]["type"]
