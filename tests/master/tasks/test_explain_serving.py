"""Who serves a lane: connected workers that do not drain, and that have what it asks for; and which of their pools."""

from __future__ import annotations

from typing import Any

import pytest
import tq
from tq.common.domain.ids import new_ids
from tq.master.tasks.explain_serving import serving, slots_of
from tq.master.tasks.routes import Routes

from ..conftest import Bench, Peer


def test_workers_that_drain_or_do_not_serve_it_are_left_out(bench: Bench) -> None:
    client = bench.client()
    client.call("get_task_queue/q", "submit", "m:f", {}, [[bytes(15) + b"\1", b"p"]])
    bench.worker("m:f", slots=3)
    bench.worker("m:g", slots=5)
    leaving = bench.worker("m:f", slots=7)
    route = bench.engine.part(Routes).route("q", "m:f")
    assert slots_of(serving(bench.engine, route), route) == 10
    leaving.call("get_dispatcher", "beat", [], {"memory_bytes": 1, "draining": True})
    assert slots_of(serving(bench.engine, route), route) == 3


def of_two_pools(bench: Bench, *, small: str, coroutines: tuple[str, ...] = ()) -> Peer:
    """A worker whose pool ``small`` has one slot for queue q, and whose other one has 500 for queue a."""
    pools: list[list[list[str]]] = [[["m:f"], [], [], ["a"]], [["m:f"], [], ["a"], []]]
    worker = bench.worker("m:f", slots=501, pools=tuple(pools))
    sizes = [[small, 1], ["async:500", 500]]
    facts = {"memory_bytes": 1, "pools": sizes, "coroutines": [*coroutines, "m:not-announced"]}
    worker.call("get_dispatcher", "beat", [], facts)
    return worker


def submit(bench: Bench, queue: str, count: int = 1) -> list[bytes]:
    ids = [new_ids() for _ in range(count)]
    bench.client().call(f"get_task_queue/{queue}", "submit", "m:f", {}, [[id, b""] for id in ids])
    return ids


def why(bench: Bench, id: bytes) -> Any:
    return bench.client().call("get_tasks", "why", id)


def test_slots_of_a_worker_s_other_pools_are_not_a_task_s_and_what_waits_for_these_is_not_before_it(
    bench: Bench,
) -> None:
    worker = of_two_pools(bench, small="process:1")
    submit(bench, "q")
    worker.call("get_dispatcher", "lease", 1, 0)
    worker.ask("get_dispatcher", "lease", 500, 1)  # the other pool waits for tasks
    [first, second] = submit(bench, "q", 2)
    assert why(bench, second)["why"].startswith("the one slot that serves it is busy; ")
    submit(bench, "a", 3_000)
    said = why(bench, second)
    assert said["why"].startswith("the one slot that serves it is busy; one is before it; ")
    assert said["position"] == {"ahead": 1, "exact": True}
    assert why(bench, first)["position"] == {"ahead": 0, "exact": True}
    route = bench.engine.part(Routes).route("q", "m:f")
    assert slots_of(serving(bench.engine, route), route) == 1
    other = bench.engine.part(Routes).route("a", "m:f")
    assert slots_of(serving(bench.engine, route), route, other) == 501


def test_of_a_coroutine_that_waits_for_a_process_the_pool_is_named_that_runs_hundreds(
    bench: Bench,
) -> None:
    worker = of_two_pools(bench, small="process:1", coroutines=("m:f",))
    submit(bench, "q")
    worker.call("get_dispatcher", "lease", 1, 0)
    [id] = submit(bench, "q")
    line = "tq-worker --pool async:500 m"
    said = why(bench, id)
    assert said["why"].endswith(f"a process for itself there: `{line}` runs hundreds at once")
    assert [reason["remedy"] for reason in said["reasons"]] == [line]
    # What a later beat leaves out is as before.
    worker.call(
        "get_dispatcher", "beat", [], {"memory_bytes": 1, "pools": [["process:1", 1], ["async:500", 500]]}
    )
    assert why(bench, id)["why"] == said["why"]
    worker.call("get_dispatcher", "beat", [], {"pools": [["thread:1", 1], ["async:500", 500]]})
    assert "hundreds" not in why(bench, id)["why"]
    with pytest.raises(tq.InvalidArgument, match="coroutines are a list of at most 10,000 names, not 'm:f'"):
        worker.call("get_dispatcher", "beat", [], {"coroutines": "m:f"})
