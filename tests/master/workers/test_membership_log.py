"""What a master logs of its workers: that they join, come back, leave, or are lost."""

from __future__ import annotations

from typing import Any

from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role
from tq.master.workers.membership_log import BOUNDS, RETURNS_MS

from ..conftest import GRACE_MS, Bench, Peer


def actions(bench: Bench) -> list[str]:
    return [action for action, _ in bench.reports if action.startswith("worker.")]


def lease_one(bench: Bench, worker: Peer) -> None:
    bench.client().call("get_task_queue/q", "submit", "m:f", {}, [[new_ids(), b""]])
    worker.call("get_dispatcher", "lease", 1)


def test_a_worker_that_joins_is_a_line_that_says_where_it_is_and_what_it_has(bench: Bench) -> None:
    worker = bench.worker("m:f", "m:g")
    assert bench.reports == [
        (
            "worker.joined",
            {
                "level": "info", "node": worker.session.node.hex()[:8], "host": "host", "pid": 1, "address": "test",
                "key": "worker", "slots": 2, "tasks": 2, "version": "test",
            },
        )
    ]  # fmt: skip


def test_a_worker_that_comes_back_within_the_grace_has_returned(bench: Bench) -> None:
    worker = bench.worker("m:f")
    worker.close()
    bench.advance(GRACE_MS / 2_000)
    bench.worker("m:f", node=worker.session.node)
    assert actions(bench) == ["worker.joined", "worker.returned"]


def test_a_worker_that_ends_by_itself_has_left_and_is_not_lost(bench: Bench) -> None:
    worker = bench.worker("m:f")
    worker.call("get_dispatcher", "leave")
    worker.close()
    bench.advance(2 * GRACE_MS / 1_000)
    assert actions(bench) == ["worker.joined", "worker.left"]


def test_a_worker_that_stays_away_is_lost_and_the_line_says_what_it_held(bench: Bench) -> None:
    worker = bench.worker("m:f")
    lease_one(bench, worker)
    worker.close()
    bench.advance(2 * GRACE_MS / 1_000)
    assert actions(bench) == ["worker.joined", "worker.lost"]
    lost: dict[str, Any] = (
        bench.reports[-1][1] if bench.reports[-1][0] == "worker.lost" else bench.reports[-2][1]
    )
    assert (lost["level"], lost["host"], lost["held"]) == ("warning", "host", 1)


def test_an_announcement_that_is_repeated_on_its_connection_is_no_line(bench: Bench) -> None:
    worker = bench.worker("m:f")
    info: dict[str, Any] = {"host": "host", "pid": 1, "slots": 2, "labels": {}, "tasks": [], "queues": None}
    worker.call("get_dispatcher", "announce", {**info, "version": "test"}, [])
    assert actions(bench) == ["worker.joined"]


def test_workers_that_come_and_go_all_the_time_are_a_bounded_number_of_lines(bench: Bench) -> None:
    node = new_ids()
    for _ in range(3 * BOUNDS.at_once):
        bench.worker("m:f", node=node).close()
    assert actions(bench) == ["worker.joined", "worker.returned"]
    bench.advance(RETURNS_MS / 1000)
    bench.worker("m:f", node=node)
    assert actions(bench)[2:] == ["worker.lost", "worker.returned"]
    for _ in range(2 * BOUNDS.at_once):
        bench.worker("m:f").close()
    assert (
        actions(bench).count("worker.joined") == BOUNDS.at_once + 1
    )  # half a minute has passed since the first
    assert bench.client(role=Role.VIEWER).call("get_workers", "list")
