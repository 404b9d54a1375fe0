"""Flows with real programs: filled, ended, retried, killed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import tq
from tq.common.domain.ids import parse_id

from .conftest import AppFactory, WorkerFactory
from .flow_tasks import double, note, spread, spread_async
from .programs import Master, eventually, run_program

MODULE = Path(__file__).with_name("flow_tasks.py")
SECONDS = 30.0


def run_tq(master: Master, home: Path, *arguments: str) -> tuple[int, str]:
    settings = {"TQ_URL": master.url, "TQ_AUTHKEY": master.authkey}
    done = run_program("tq", *arguments, home=home, environment=settings)
    return done.returncode, done.stdout


def task_of(app: tq.App, function: tq.Task) -> tq.Task:
    return app.named(f"flow_tasks:{function.function.__name__}")


def test_a_flow_from_its_block_to_its_callback_over_a_kill_of_the_master_and_in_the_shell(
    master: Master, worker_factory: WorkerFactory, app_factory: AppFactory, home: Path
) -> None:
    worker_factory(tasks=MODULE)
    app = app_factory(master.url, master.authkey)
    doubles, spreads, notes = (task_of(app, function) for function in (double, spread, note))
    spreads_async = task_of(app, spread_async)
    with app.flow("first") as flow:
        doubles.map(range(50))
        doubles.submit(100)
        spread_task = spreads.submit(3)
        spreads_async.submit(1)
        flow.then(notes)
    master.restart()
    result = flow.result(SECONDS)
    assert result[:51] == [*range(0, 100, 2), 200]
    # What a task of the flow submits may stand before what the block submits after that task.
    assert sorted(map(str, result[51:])) == ["0", "0", "2", "4", "spread", "spread"]
    assert (flow.progress.state, flow.progress.total) == ("succeeded", 57)
    assert app.get_flow(flow.id[:13]).id == flow.id
    assert (
        f"part of the flow first {flow.id}, which has succeeded"
        in run_tq(master, home, "show", spread_task.id)[1]
    )
    assert (
        f"no task, but the flow first: tq flow cancel {flow.id}" in run_tq(master, home, "cancel", flow.id)[1]
    )
    drawn = run_tq(master, home, "flow", "graph", flow.id[:13])[1]
    assert "flow_tasks:double ×50  50 succeeded" in drawn
    assert run_tq(master, home, "flow", "graph", flow.id[:13], "--format", "svg")[1].startswith("<svg ")
    assert (
        f"part of the flow first {flow.id}" in run_tq(master, home, "show", f"{flow.handles[0].id}+0..49")[1]
    )
    listed = run_tq(master, home, "ls", "--where", f"flow={flow.id[:13]}", "--count", "--json")
    assert json.loads(listed[1])["states"] == {"succeeded": 57}

    def said() -> list[str]:
        rows = app.call(("get_tasks",), "list", {"name": "flow_tasks:note"}, 9)
        return [app.get(tq.Handle(app.session, row["id"]).id).result(SECONDS) for row in rows]

    assert eventually(said, SECONDS) == ["first succeeded 57/57"]

    with app.flow("second") as failing:
        bad = doubles.submit(-1)
    with pytest.raises(tq.FlowFailed, match="1 of 1 tasks did not succeed") as caught:
        failing.result(SECONDS)
    assert "-1 is negative" in str(caught.value.__cause__)
    with pytest.raises(tq.InvalidArgument, match="takes no more tasks"), failing:
        doubles.submit(1)
    with app.flow("third", on_error="collect") as collecting:
        doubles.map([1, -1, 2])
    values = collecting.result(SECONDS)
    assert (values[0], type(values[1]), values[2]) == (2, tq.TaskError, 4)

    _, listed = run_tq(master, home, "flow", "ls", "--json")
    assert [(one["name"], one["state"]) for one in json.loads(listed)] == [
        ("third", "failed"), ("second", "failed"), ("first", "succeeded"),
    ]  # fmt: skip
    assert f"failed     first {bad.id}" in run_tq(master, home, "flow", "show", failing.id)[1]
    run_tq(master, home, "flow", "retry", failing.id)
    watched = run_tq(master, home, "flow", "watch", failing.id)
    assert watched == (1, "second has failed: 1 of 1 tasks have ended\n")
    assert app.get_flow(failing.id).progress.run == 2
    assert parse_id(failing.id) == failing.flow_id


def test_a_block_that_raises_cancels_its_flow_and_one_with_a_key_is_the_same_however_often_it_runs(
    master: Master, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    worker_factory(tasks=MODULE)
    app = app_factory(master.url, master.authkey)
    doubles = task_of(app, double)
    flow = app.flow("broken")

    def fill(flow: tq.Flow) -> None:
        with flow:
            doubles.using(delay=60).map(range(3))
            1 / 0  # noqa: B018

    with pytest.raises(ZeroDivisionError):
        fill(flow)
    assert flow.wait(SECONDS)
    assert (flow.progress.state, flow.progress.cancelled) == ("cancelled", 3)
    with pytest.raises(tq.FlowFailed, match="was cancelled: its block ended with ZeroDivisionError"):
        flow.result(SECONDS)

    totals = []
    for _ in range(2):
        with app.flow(key="order 8") as flow:
            doubles.map(range(3))
            doubles.submit(9)
        assert flow.result(SECONDS) == [0, 2, 4, 18]
        totals.append(flow.progress.total)
    assert totals == [4, 4]

    async def in_an_event_loop() -> list[int]:
        async with app.flow() as flow:
            await doubles.amap(range(3))
            await doubles.asubmit(7)
            await flow.afinally_(task_of(app, note))
        found = await app.aget_flow(flow.id[:20])
        assert len(await found.ahandles()) == 4
        assert (await found.aprogress()).total == 4
        return await found

    assert asyncio.run(in_an_event_loop()) == [0, 2, 4, 14]
