"""Why a task that asks for something of its worker waits: what is missing, and which worker comes nearest."""

from __future__ import annotations

from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role

from ..conftest import Bench, Peer
from .test_explain import lease, submit, why


def gpu_worker(bench: Bench, host: str, gpus: int = 0, **labels: str) -> Peer:
    worker = Peer(bench, Role.WORKER, new_ids())
    info = {"host": host, "pid": 1, "slots": 1, "tasks": ["m:f"], "queues": None, "version": "test"}
    info |= {"labels": labels, "resources": {"gpu": gpus * 1_000} if gpus else {}}
    worker.call("get_dispatcher", "announce", info, [])
    return worker


def test_a_task_that_no_worker_can_ever_run_names_the_nearest_and_what_is_missing(bench: Bench) -> None:
    client = bench.client()
    gpu_worker(bench, "far", zone="us")
    gpu_worker(bench, "near", 2, zone="eu")
    [id] = submit(client, needs={"gpu": 4_000}, where="zone=eu")
    assert why(client, id) == (
        "it asks for 4 gpu and a worker where zone=eu, and no connected worker that serves it can ever run it; near comes nearest: "
        "it has 2 gpu in all (needs 4); start one with `tq-worker --resource gpu=4 …`"
    )
    shown = client.call("get_tasks", "why", id)
    assert shown["stuck"]
    assert shown["placing"]["needs"] == {"gpu": 4}
    assert shown["placing"]["where"] == "zone=eu"
    assert shown["placing"]["nearest"]["host"] == "near"
    assert shown["placing"]["nearest"]["missing"] == [
        {"reason": "small", "name": "gpu", "needed": 4, "there": 2}
    ]
    gpu_worker(bench, "big", 4, zone="eu")
    assert "it is among the next" in why(client, id) or "about to be handed out" in why(client, id)
    assert not client.call("get_tasks", "why", id)["stuck"]


def test_a_task_for_another_zone_says_which_label_would_do(bench: Bench) -> None:
    client = bench.client()
    gpu_worker(bench, "crow", zone="us")
    [id] = submit(client, where="zone=eu and has gpu")
    assert "crow comes nearest: its zone is us (zone=eu), it has no gpu (has gpu)" in why(client, id)
    assert "start one with `tq-worker --label zone=eu --label gpu=… …`" in why(client, id)


def test_a_task_that_waits_for_others_to_end_says_what_is_free(bench: Bench) -> None:
    client, worker = bench.client(), gpu_worker(bench, "crow", 2)
    [first] = submit(client, needs={"gpu": 1_500})
    lease(worker, 1)
    [id] = submit(client, needs={"gpu": 1_000})
    assert why(client, id) == (
        "it asks for 1 gpu, and waits until that is free; crow comes nearest: 0.5 gpu free (needs 1), "
        "and tasks that it was given hold the rest"
    )
    assert not client.call("get_tasks", "why", id)["stuck"]
    assert "crow" in why(client, first) or "slot" in why(client, first)


def test_a_task_behind_a_bigger_one_says_that_what_is_free_is_kept(bench: Bench) -> None:
    client, worker = bench.client(), gpu_worker(bench, "crow", 2)
    submit(client, needs={"gpu": 1_000})
    lease(worker, 1)
    submit(client, needs={"gpu": 2_000})
    [id] = submit(client, needs={"gpu": 500})
    call = worker.ask("get_dispatcher", "lease", 1)
    bench.step()
    assert call not in worker.answers
    assert "what crow has free is kept for a task before it that needs more" in why(client, id)


def test_one_listing_gives_each_task_the_reason_of_its_own_lane(bench: Bench) -> None:
    client = bench.client()
    gpu_worker(bench, "crow", 1)
    for options in ({}, {"needs": {"gpu": 2_000}}, {"where": "zone=eu"}):
        submit(client, **options)
    reasons = [row["why"] for row in client.call("get_tasks", "list", {}, 10)]
    assert [("zone" in one, "2 gpu" in one) for one in reasons] == [
        (True, False),
        (False, True),
        (False, False),
    ]
