"""``coalesce=`` with the real programs: calls run as one, and each has an end of its own."""

from __future__ import annotations

import tq
from tq.common.domain.model import Outcome

from .cluster_tasks import together as task
from .conftest import WorkerFactory


def submitter(admin: tq.App) -> tq.Task:  # type: ignore[type-arg]
    return admin.task(
        name="cluster_tasks:together",
        coalesce=tq.Coalesce(10, seconds=0.3),
        retries=1,
        backoff=0.05,
        max_crashes=2,
    )(task.function)


def test_calls_run_as_one_and_each_has_its_result(worker_factory: WorkerFactory, admin: tq.App) -> None:
    worker_factory(slots=2)
    together = submitter(admin)
    results = list(together.map(range(14, 39)).results(timeout=40))
    assert [item for item, _ in results] == list(range(14, 39))
    assert sorted(count for _, count in results) == [5] * 5 + [10] * 20
    one_by_one = [together.submit(name) for name in "abc"]
    assert [handle.result(timeout=40) for handle in one_by_one] == [["a", 3], ["b", 3], ["c", 3]]


def test_what_fails_fails_for_itself_and_is_tried_again_alone(
    worker_factory: WorkerFactory, admin: tq.App
) -> None:
    worker_factory(slots=2)
    together = submitter(admin)
    mixed = together.map(["a", "error", "b"])
    first, error, second = mixed.results(timeout=40, return_exceptions=True)
    assert (first, second) == (["a", 3], ["b", 3])
    assert "no such" in str(error)
    spoiled = together.map(["a", "bad", "b"])
    assert list(spoiled.results(timeout=40)) == [["a", 1], ["bad", 1], ["b", 1]]
    deadly = together.map([1, 13, 2])
    one, poison, two = deadly.results(timeout=40, return_exceptions=True)
    assert (one, two) == ([1, 1], [2, 1])
    assert "quarantined" in str(poison)
    assert [one.outcome for one in deadly[0].attempts] == [Outcome.CRASH, Outcome.SUCCESS]
