"""Large flows with one failure, under each policy: nothing is lost, counts are those of the rows, each callback is made once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import tq

from ..sampling import sampled
from .conftest import AppFactory, WorkerFactory
from .programs import Master, eventually

MODULE = Path(__file__).with_name("flow_tasks.py")
SECONDS = 120.0
TASKS = ("get_tasks",)


def states_of(app: tq.App, flow: tq.Flow) -> Counter[str]:
    """Of its tasks, by their rows."""
    states: Counter[str] = Counter()
    for _, first, tasks in app.call(("get_flows",), "members", flow.flow_id, 0):
        states.update(
            str(tq.State.from_number(state)) for _, state in app.call(TASKS, "states", [[first, tasks]])
        )
    return states


@pytest.mark.timeout(400)
@pytest.mark.parametrize("size", sampled((500, 10_000), (500,)))
def test_a_large_flow_with_one_failure_ends_once_under_each_policy(
    master: Master, worker_factory: WorkerFactory, app_factory: AppFactory, size: int
) -> None:
    worker_factory(tasks=MODULE)
    app = app_factory(master.url, master.authkey)
    double, note, counted = (app.named(f"flow_tasks:{name}") for name in ("double", "note", "counted"))
    numbers = [-1 if number == size // 2 else number for number in range(size)]
    flows = {}
    for policy in ("fail_fast", "collect", "chord"):
        on_error = "fail_fast" if policy == "fail_fast" else "collect"
        with app.flow(policy, on_error=on_error) as flow:
            flow.catch(note).finally_(note).then(note)
            members = double.map(numbers)
            if policy == "chord":
                joined = counted.using(on_error=tq.at_least(size - 1)).submit(members)
        flows[policy] = flow
    for policy, flow in flows.items():
        assert flow.wait(SECONDS)
        progress, states = flow.progress, states_of(app, flow)
        assert (progress.state, progress.total) == ("failed", size + (policy == "chord"))
        assert states.total() == progress.total
        assert states["succeeded"] == progress.succeeded
        assert (
            (states["failed"], states["cancelled"])
            == (progress.failed, progress.cancelled)
            == (
                1,
                0 if policy != "fail_fast" else states["cancelled"],
            )
        )
    assert joined.result(SECONDS) == [size, 1]
    results = flows["collect"].result(SECONDS)
    assert [one for one in results if isinstance(one, int)] == [2 * one for one in numbers if one >= 0]
    assert sum(isinstance(one, Exception) for one in results) == 1

    def notes() -> list[str]:
        return sorted(f"{row['state']}" for row in app.call(TASKS, "list", {"name": "flow_tasks:note"}, 20))

    eventually(lambda: len(notes()) == 6 and set(notes()) == {str(int(tq.State.SUCCEEDED.number))}, SECONDS)
    assert len(notes()) == 6, "catch and finally of each flow"
