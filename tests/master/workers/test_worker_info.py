"""What a worker says of its pools: each is given what it serves, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.errors import InvalidArgument, TqError
from tq.master.tasks.routes import Routes

LATER, PLAIN = "m:later", "m:plain"
BY_KIND = ([[PLAIN], [], [], []], [[LATER], [], [], []])
BY_QUEUE = ([[PLAIN, LATER], [], [], ["fetch"]], [[PLAIN, LATER], [], ["fetch"], []])


def granted(answer: Any) -> list[tuple[str, str, int]]:
    """Queue, task and how many."""
    _, groups = answer
    return [(queue, task, len(entries)) for queue, task, _, entries in groups]


def submit(bench: Any, queue: str, task: str) -> None:
    bench.client().call(f"get_task_queue/{queue}", "submit", task, {}, [[new_ids(), b""]])


def test_each_pool_is_given_what_it_serves(bench: Any) -> None:
    worker = bench.worker(PLAIN, LATER, pools=BY_KIND)
    plain, later = (worker.ask("get_dispatcher", "lease", 5, pool) for pool in (0, 1))
    bench.step()
    submit(bench, "q", LATER)
    assert granted(worker.answer(later)) == [("q", LATER, 1)]
    submit(bench, "q", PLAIN)
    assert granted(worker.answer(plain)) == [("q", PLAIN, 1)]


def test_a_queue_that_is_left_to_another_pool_gives_the_others_nothing(bench: Any) -> None:
    worker = bench.worker(PLAIN, LATER, pools=BY_QUEUE)
    rest, fetch = (worker.ask("get_dispatcher", "lease", 5, pool) for pool in (0, 1))
    bench.step()
    submit(bench, "fetch", PLAIN)
    assert rest not in worker.answers
    assert granted(worker.answer(fetch)) == [("fetch", PLAIN, 1)]
    submit(bench, "q", LATER)
    assert granted(worker.answer(rest)) == [("q", LATER, 1)]


def test_a_worker_that_leaves_leaves_none_of_its_pools_behind(bench: Any) -> None:
    served = bench.engine.part(Routes).served
    before = len(served.capabilities)
    worker = bench.worker(PLAIN, LATER, pools=BY_KIND)
    worker.ask("get_dispatcher", "lease", 5, 1)
    bench.step()
    assert len(served.capabilities) == before + 3
    worker.call("get_dispatcher", "leave")
    worker.close()
    bench.advance(4000)
    assert len(served.capabilities) == before


@pytest.mark.parametrize(
    "pools",
    [
        (["m:f"],),
        ([["m:other"], [], [], []],),
        ([[PLAIN], ["os.*"], [], []],),
        ([[PLAIN], [], [], ["x" * 300]],),
        ([[PLAIN, 5], [], [], []],),
        ([[PLAIN], [], [], []],) * 17,
    ],
)
def test_what_is_no_pool_of_the_worker_is_refused(bench: Any, pools: Any) -> None:
    with pytest.raises(InvalidArgument, match="announce"):
        bench.worker(PLAIN, pools=pools)


def test_a_pool_that_was_not_announced_is_given_nothing(bench: Any) -> None:
    worker = bench.worker(PLAIN, pools=())
    with pytest.raises(TqError, match="pool"):
        worker.call("get_dispatcher", "lease", 1, 1)
