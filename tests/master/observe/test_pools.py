"""The pools of a worker as people see them: what it says of them, and how many of the slots of each are busy."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.errors import InvalidArgument

from ..conftest import Bench

PLAIN, LATER = "m:plain", "m:later"
BY_QUEUE: Any = ([[PLAIN, LATER], [], ["fetch"], []], [[PLAIN, LATER], [], [], ["fetch"]])


def pools(bench: Bench) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = bench.client().call("get_workers", "list")
    return [pool for row in rows for pool in row["pools"]]


def test_each_pool_has_the_tasks_that_it_serves(bench: Bench) -> None:
    worker = bench.worker(PLAIN, LATER, slots=503, pools=BY_QUEUE)
    assert pools(bench) == [], "it has not said what they are"
    said = [["async:500", 500], ["process:3", 3]]
    worker.call("get_dispatcher", "beat", [], {"pools": said})
    for queue, tasks in (("fetch", 4), ("other", 5)):
        bench.client().call(
            f"get_task_queue/{queue}", "submit", PLAIN, {}, [[new_ids(), b""] for _ in range(tasks)]
        )
    for pool in (0, 1):
        worker.call("get_dispatcher", "lease", 10, pool)
    assert pools(bench) == [
        {"pool": "async:500", "queues": ["fetch"], "slots": 500, "busy": 4},
        {"pool": "process:3", "queues": None, "slots": 3, "busy": 3},
    ], "what it was given ahead is busy in no slot"
    worker.close()
    assert pools(bench) == [], "what it said before it went away is not true now"


def test_the_only_pool_of_a_worker_has_all_of_its_tasks_and_an_older_worker_says_nothing(
    bench: Bench,
) -> None:
    worker = bench.worker(PLAIN)
    bench.client().call("get_task_queue/q", "submit", PLAIN, {}, [[new_ids(), b""]])
    worker.call("get_dispatcher", "lease", 1)
    worker.call("get_dispatcher", "beat", [], {"memory_bytes": 5})
    assert pools(bench) == []
    worker.call("get_dispatcher", "beat", [], {"pools": [["process:1-4", 2]]})
    assert pools(bench) == [{"pool": "process:1-4", "queues": None, "slots": 2, "busy": 1}]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("process:2", "pools are a list of at most 16"),
        ([["process:2", 2]] * 17, "pools are a list of at most 16"),
        ([["process:2"]], "a pool is its kind and size, and a number"),
        ([["p" * 65, 2]], "a pool is its kind and size, and a number"),
        ([["process:2", -1]], "a pool is its kind and size, and a number"),
        ([[b"process:2", 2]], "a pool is its kind and size, and a number"),
    ],
)
def test_what_is_no_pool_is_refused(bench: Bench, said: Any, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        bench.worker(PLAIN).call("get_dispatcher", "beat", [], {"pools": said})
