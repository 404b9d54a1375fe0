"""One look at a master: what runs longest, what failed last, and only what a key may see."""

from __future__ import annotations

from typing import Any

from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber, Role, StateNumber
from tq.common.values.failure import Failure

from ..conftest import Bench, Peer
from ..tasks.test_explain import lease, submit


def fail(bench: Bench, worker: Peer, error: str) -> None:
    """The next task of the line fails a second later."""
    bench.advance(1)
    body = Failure("ValueError", error).encode()
    rows = [[*one, int(OutcomeNumber.ERROR), body, 0.0, 0.1, None] for one in lease(worker, 1)]
    worker.call("get_dispatcher", "finish", rows)


def test_a_snapshot_has_everything_and_nothing_long(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [first, second, _] = submit(client, count=3)
    held = lease(worker, 1)
    bench.advance(90)
    lease(worker, 1)
    worker.call("get_dispatcher", "beat", [[*held[0], 89.5]])
    taken: dict[str, Any] = client.call("get_master", "snapshot")
    [longest] = taken["running"]
    assert second != longest["id"], "it is only read ahead"
    assert (longest["id"], taken["now"] - longest["started"]) == (first, 89.5)
    [queue] = taken["queues"]
    assert (queue["name"], queue["running"], queue["ready"], queue["assigned"]) == ("q", 2, 1, 0)
    [row] = taken["workers"]
    assert (row["host"], row["slots"], row["leased"], "tasks" in row) == ("host", 2, 2, False)
    assert taken["failing"] == []
    assert taken["rate"] == 0


def test_what_failed_last_stands_by_name_with_a_count(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f", "m:g")
    for name in ("m:f", "m:f", "m:g"):
        submit(client, task=name)
        fail(bench, worker, f"no luck with {name}")
    failing = client.call("get_master", "snapshot")["failing"]
    assert [(one["name"], one["tasks"], one["state"]) for one in failing] == [
        ("m:g", 1, StateNumber.FAILED),
        ("m:f", 2, StateNumber.FAILED),
    ]
    assert failing[0]["error"] == "ValueError: no luck with m:g"


def test_a_failure_that_is_tried_again_is_no_failure_yet(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client, retries=1)
    fail(bench, worker, "not yet")
    assert client.call("get_master", "snapshot")["failing"] == []


def test_a_key_sees_its_own_queues_only(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client)
    fail(bench, worker, "no")
    submit(client)
    lease(worker, 1)
    theirs = bench.client(queues=("img",), role=Role.VIEWER)
    taken = theirs.call("get_master", "snapshot")
    assert (taken["queues"], taken["running"], taken["failing"]) == ([], [], [])
    assert theirs.call("get_workers", "running", worker.session.node.hex()) == []


def test_a_key_sees_the_workers_of_its_own_queues_only(bench: Bench) -> None:
    """What others serve, where they run and what they are called is theirs."""
    for queue in ("img", "mail"):
        bench.client().call(f"get_task_queue/{queue}", "submit", "m:f", {}, [[new_ids(), b""]])
        peer = bench.client(role=Role.WORKER)
        info = {"host": queue, "pid": 1, "slots": 1, "labels": {}, "tasks": ["m:f"], "version": "test"}
        peer.call("get_dispatcher", "announce", {**info, "queues": [queue]}, [])
    theirs, all_of_them = bench.client(queues=("im*",), role=Role.VIEWER), bench.client(role=Role.VIEWER)
    for peer, hosts in ((theirs, ["img"]), (all_of_them, ["img", "mail"])):
        assert [row["host"] for row in peer.call("get_workers", "list")] == hosts
        assert [row["host"] for row in peer.call("get_master", "snapshot")["workers"]] == hosts


def test_what_a_worker_holds_is_listed_what_runs_first(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    ids = submit(client, count=2)
    lease(worker, 1)
    bench.advance(5)
    held = lease(worker, 1)
    worker.call("get_dispatcher", "beat", [[*held[0], 0.0]])
    rows = client.call("get_workers", "running", worker.session.node.hex())
    assert [(row[0], row[1], row[3], row[5]) for row in rows] == [
        (ids[1], "m:f", 1, True),
        (ids[0], "m:f", 0, False),
    ]
    assert rows[0][4] - rows[1][4] == 5
