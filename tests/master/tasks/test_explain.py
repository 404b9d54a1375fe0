"""One sentence for every way in which a task can wait, from the shipped engine."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tq.common.domain.ids import IdSource, consecutive_ids, new_ids
from tq.common.domain.model import Role
from tq.master.tasks.position import ROWS_MAX

from tests.master.leased import each

from ..conftest import GRACE_MS, Bench, Peer


def submit(
    client: Peer, *, task: str = "m:f", queue: str = "q", count: int = 1, **options: Any
) -> list[bytes]:
    ids = [new_ids() for _ in range(count)]
    client.call(f"get_task_queue/{queue}", "submit", task, options, [[id, b""] for id in ids])
    return ids


def why(peer: Peer, id: bytes) -> str:
    sentence: str = peer.call("get_tasks", "show", id)["why"]
    return sentence


def lease(worker: Peer, want: int) -> list[list[Any]]:
    """As ``finish`` and ``release`` want them."""
    lease, groups = worker.call("get_dispatcher", "lease", want)
    return [[id, attempt, lease] for id, attempt, *_ in each(groups)]


def finish(worker: Peer, held: list[list[Any]]) -> None:
    worker.call("get_dispatcher", "finish", [[*one, 0, b"", 0.0, 0.1, None] for one in held])


def test_a_delayed_task_says_how_long(bench: Bench) -> None:
    client = bench.client()
    [id] = submit(client, delay=3_600)
    assert why(client, id) == "it waits 60 min more, as its submit requested"


def test_a_paused_queue_says_since_when_and_why(bench: Bench) -> None:
    admin = bench.client(role=Role.ADMIN)
    [id] = submit(admin)
    admin.call("get_task_queue/q", "pause", "the server moves")
    bench.advance(300)
    said = "queue q is paused (the server moves), by key admin, for 5 min now; `tq resume q` lets it run"
    assert why(admin, id) == said
    admin.call("get_task_queue/q", "pause", "it still moves")
    [row] = admin.call("get_queues", "list")
    assert row["since"] == bench.now.wall / 1000 - 300, "paused since the first time"
    admin.call("get_task_queue/q", "resume")
    assert admin.call("get_queues", "list")[0]["since"] is None


def test_a_delayed_task_in_a_paused_queue_is_explained_with_both(bench: Bench) -> None:
    admin = bench.client(role=Role.ADMIN)
    [id] = submit(admin, delay=600)
    admin.call("get_task_queue/q", "pause", "")
    assert "as its submit requested; besides, queue q is paused" in why(admin, id)


def test_a_task_that_no_worker_has_ever_served(bench: Bench) -> None:
    client = bench.client()
    bench.worker("m:f")
    [id] = submit(client, task="other:task")
    assert why(client, id) == (
        "the only connected worker does not serve other:task in queue q; "
        "start one with `tq-worker --connect … other`"
    )


def test_a_task_whose_worker_has_gone_names_it_with_its_version(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    worker.call("get_dispatcher", "leave")
    worker.close()
    [id] = submit(client)
    assert "known to host (version test), not connected now: start it again, or" in why(client, id)


def test_a_task_kept_out_by_the_queues_its_workers_asked_for(bench: Bench) -> None:
    client, worker = bench.client(), Peer(bench, Role.WORKER, new_ids())
    info = {"host": "crow", "pid": 1, "slots": 1, "labels": {}, "tasks": ["m:f"], "allow": []}
    worker.call("get_dispatcher", "announce", {**info, "queues": ["img.*"], "version": "2.0"}, [])
    [id] = submit(client)
    assert "known to crow (version 2.0), but only in the queues img.*: start one with `--queue q`" in why(
        client, id
    )


def test_a_task_kept_out_by_the_key_of_its_workers(bench: Bench) -> None:
    client, worker = bench.client(), Peer(bench, Role.WORKER, new_ids(), queues=("img",))
    info = {"host": "crow", "pid": 1, "slots": 1, "labels": {}, "tasks": ["m:f"], "allow": []}
    worker.call("get_dispatcher", "announce", {**info, "queues": None, "version": "2.0"}, [])
    [id] = submit(client)
    assert "with keys for the queues img only" in why(client, id)


def test_a_task_served_only_by_a_worker_that_drains(bench: Bench) -> None:
    client, worker = bench.client(role=Role.ADMIN), bench.worker("m:f")
    [id] = submit(client)
    client.call("get_workers", "drain", worker.session.node.hex()[:6])
    assert why(client, id).startswith("the workers that serve it are draining: host (version test)")
    assert client.call("get_workers", "list")[0]["state"] == "draining"


def test_a_worker_says_itself_that_it_drains_and_one_that_comes_back_does_not(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    worker.call("get_dispatcher", "beat", [], {"draining": True})
    assert client.call("get_workers", "list")[0]["state"] == "draining"
    bench.worker("m:f", node=worker.session.node)
    assert client.call("get_workers", "list")[0]["state"] == "here"


def test_a_waiting_task_has_a_place_and_the_rate_gives_an_estimate_of_its_start(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f", slots=2)
    ids = submit(client, count=100)
    first, last = ids[2], ids[-1]
    held = lease(worker, 2)
    assert "all 2 slots that serve it are busy; it is the next" in why(client, first)
    assert "97 are before it; there is no estimate yet of when it starts" in why(client, last)
    for _ in range(20):  # two tasks in five seconds
        bench.advance(5)
        finish(worker, held)
        held = lease(worker, 2)
    assert "57 are before it, and it starts in about 2 min" in why(client, last)
    [urgent] = submit(client, priority=3)
    assert "it is the next, and it starts in about 2 s" in why(client, urgent)
    assert "58 are before it" in why(client, last), "what has a higher priority goes first"


def test_a_long_line_is_not_counted_to_its_end(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f", slots=1)
    for _ in range(2):
        ids = submit(client, count=10_000)
    lease(worker, 1)
    assert f"busy; at least {ROWS_MAX:,} are before it;" in why(client, ids[-1])


def test_the_last_task_of_a_map_knows_its_place_and_when_it_starts(bench: Bench) -> None:
    """150,000 tasks are some hundred rows, and what waits at the worker goes before it, too."""
    client, worker, ids = bench.client(), bench.worker("m:f"), IdSource()
    for _ in range(15):
        call = consecutive_ids(ids.take(10_000), 10_000)
        client.call("get_task_queue/q", "submit", "m:f", {}, [[id, b""] for id in call])
    last = call[-1]
    finish(worker, lease(worker, 100))
    held = lease(worker, 100)
    assert re.search(r"busy; 149,89\d are before it; there is no estimate yet", why(client, last))
    bench.advance(1)
    finish(worker, held)
    lease(worker, 100)
    assert re.search(r"149,7\d\d are before it, and it starts in about \d+ min;", why(client, last))


def test_tasks_of_other_names_that_the_same_workers_serve_stand_in_the_same_line(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f", "m:g")
    held, *_ = [submit(client), submit(client, task="m:g", count=5), submit(client, task="alien:h")]
    lease(worker, 1)
    [id] = submit(client)
    assert "5 are before it" in why(client, id), held


def test_a_leased_task_names_its_worker_and_attempt(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client)
    [held] = lease(worker, 1)
    bench.advance(150)
    assert why(client, id) == "it waits for a slot of host (pid 1), which was given it 2 min ago"
    worker.call("get_dispatcher", "beat", [[*held, 5.0]])
    assert why(client, id) == "host (pid 1) has run attempt 1 for 5.0 s"
    client.call("get_tasks", "cancel", [id])
    assert why(client, id) == "host (pid 1) has run attempt 1 for 5.0 s, and is ordered to cancel it"


def test_a_task_of_a_worker_that_is_away_says_how_long_it_is_waited_for(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client)
    lease(worker, 1)
    worker.close()
    assert why(client, id).endswith(
        f"it is not connected: unless it reconnects within {GRACE_MS / 1000} s, the task goes to another worker"
    )
    assert client.call("get_workers", "list")[0]["state"] == "reconnecting"
    bench.advance(4)
    assert client.call("get_workers", "list")[0]["state"] == "absent"


def test_an_ended_task_waits_for_nothing(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client)
    finish(worker, lease(worker, 1))
    assert why(client, id) == ""


def test_a_listing_looks_for_the_reason_of_its_ready_tasks_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, asked = bench.client(), []

    def counted(engine: Any, task: Any, **options: Any) -> str:
        asked.append(task.task)
        return f"because of {task.task}"

    monkeypatch.setattr("tq.master.tasks.queries.why", counted)
    submit(client, count=50)
    submit(client, task="m:g", count=50)
    for rows in (
        client.call("get_tasks", "select", {}, 1_000)["rows"],
        client.call("get_tasks", "list", {}, 1_000),
    ):
        assert [row["why"] for row in rows] == ["because of m:g"] * 50 + ["because of m:f"] * 50
    assert asked == ["m:g", "m:f"] * 2


# what the rows of queues and workers say besides


def test_queues_and_workers_tell_their_rate(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client, count=200)
    for _ in range(20):
        bench.advance(1)
        finish(worker, lease(worker, 10))
    [queue], [row] = client.call("get_queues", "list"), client.call("get_workers", "list")
    assert queue["rate"] == pytest.approx(10, rel=0.1)
    assert row["rate"] == pytest.approx(10, rel=0.1)
    bench.advance(300)
    assert client.call("get_queues", "list")[0]["rate"] < 0.01


def test_a_queue_shows_the_age_of_its_oldest_ready_task_of_any_priority(bench: Bench) -> None:
    client = bench.client()
    assert client.call("get_queues", "list") == []
    submit(client, priority=-5)
    bench.advance(100)
    submit(client, priority=7)
    submit(client, task="m:g")
    [row] = client.call("get_queues", "list")
    assert row["oldest_ready_seconds"] == pytest.approx(100)
    worker = bench.worker("m:f", "m:g")
    finish(worker, lease(worker, 5))
    assert client.call("get_queues", "list")[0]["oldest_ready_seconds"] is None


# drain by host or node


def named_worker(bench: Bench, host: str) -> Peer:
    worker = Peer(bench, Role.WORKER, new_ids())
    info = {"host": host, "pid": 1, "slots": 1, "labels": {}, "tasks": ["m:f"], "allow": []}
    worker.call("get_dispatcher", "announce", {**info, "queues": None, "version": "2.0"}, [])
    return worker


def test_a_worker_is_drained_by_its_host(bench: Bench) -> None:
    admin, crow, _ = bench.client(role=Role.ADMIN), named_worker(bench, "crow"), named_worker(bench, "owl")
    orders = crow.ask("get_dispatcher", "orders")
    assert admin.call("get_workers", "drain", "crow") == {"node": crow.session.node.hex(), "host": "crow"}
    assert crow.answer(orders) == [["drain"]]


def test_a_name_that_fits_several_workers_names_them(bench: Bench) -> None:
    admin, two = bench.client(role=Role.ADMIN), [named_worker(bench, "crow") for _ in range(2)]
    with pytest.raises(Exception, match="2 workers match 'crow'") as caught:
        admin.call("get_workers", "drain", "crow")
    for one in two:
        assert re.search(f"{one.session.node.hex()[:8]} on crow", str(caught.value))


def test_a_mistyped_function_is_answered_with_the_one_that_was_probably_meant(bench: Bench) -> None:
    bench.worker("jobs:square", "jobs:cube")
    [id] = submit(bench.client(), task="jobs:squre")
    assert why(bench.client(), id) == (
        "the only connected worker does not serve jobs:squre in queue q; did you mean jobs:square? "
        "Else start one with `tq-worker --connect … jobs`"
    )


def test_a_function_of_workers_that_serve_other_queues_is_not_named(bench: Bench) -> None:
    """A key that is bound to queues learns no function of workers that serve others."""
    worker = bench.client(role=Role.WORKER)
    info = {"host": "h", "pid": 1, "slots": 1, "labels": {}, "tasks": ["jobs:square"], "version": "test"}
    worker.call("get_dispatcher", "announce", {**info, "queues": ["secret"]}, [])
    [id] = submit(bench.client(), task="jobs:squre")
    assert "jobs:square" not in why(bench.client(), id)


def test_a_program_that_waits_asks_for_the_reason_alone(bench: Bench) -> None:
    [id] = submit(bench.client())
    answer = bench.client().call("get_tasks", "why", id)
    reasons, position, eta = (answer.pop(name) for name in ("reasons", "position", "eta"))
    assert ([one["kind"] for one in reasons], position, eta) == (["no_worker"], None, None)
    assert answer == {
        "id": id, "state": 0, "queue": "q", "name": "m:f", "stuck": True,
        "why": "no worker is connected that serves m:f in queue q; start one with `tq-worker --connect … m`",
    }  # fmt: skip
    bench.worker("m:f")
    assert bench.client().call("get_tasks", "why", id)["stuck"] is False
