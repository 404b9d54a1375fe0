"""What several shards know of a worker, as one row."""

from __future__ import annotations

from typing import Any

from tq.client.core.merged_workers import workers


def merged(answers: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return workers(answers, ())


def worker(node: str, **fields: Any) -> dict[str, Any]:
    row = {
        "node": node,
        "slots": 4,
        "connected": True,
        "running": 1,
        "leased": 2,
        "rate": 1.0,
        "since": 5.0,
        "last_seen": 9.0,
        "memory_bytes": None,
        "resources": {"gpu": [1000, 500]},
    }
    return {**row, **fields}


def test_a_worker_is_one_row_with_what_it_holds_of_all_shards() -> None:
    rows = merged([[worker("a")], [worker("a", leased=5, running=4, memory_bytes=7), worker("b")]])
    assert [row["node"] for row in rows] == ["a", "b"]
    assert (rows[0]["running"], rows[0]["leased"], rows[0]["rate"]) == (4, 7, 2.0)
    assert (rows[0]["memory_bytes"], rows[0]["resources"]) == (7, {"gpu": [1000, 0]})


def test_what_is_busy_of_each_pool_is_that_of_all_shards() -> None:
    pools = [{"pool": "thread:4", "queues": None, "slots": 4, "busy": 3}]
    more = [{**pools[0], "busy": 2}]
    [row] = merged([[worker("a", pools=pools)], [worker("a", pools=more)]])
    assert row["pools"] == [{**pools[0], "busy": 4}]
    [row] = merged([[worker("a", pools=pools)], [worker("a", connected=False, pools=[])]])
    assert row["pools"] == pools


def test_a_worker_that_is_connected_to_some_shards_is_connected() -> None:
    [row] = merged([[worker("a", connected=False, state="reconnecting")], [worker("a", state="here")]])
    assert row["connected"]
    assert row["state"] == "here"
