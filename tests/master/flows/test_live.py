"""When a flow ends, and in which state: decided without a store."""

from __future__ import annotations

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import StateNumber
from tq.master.engine.clock import Now
from tq.master.flows.live import CANCELS, FAILS, IS_CANCELLED, NOTHING, RETRIES, LiveFlow
from tq.master.store.interface.flows import FlowRow

NOW = Now(1_000, 500)
ROW = FlowRow(1, b"f" * 16, "", "k", b"node", 0, "open", 0, "", 0, 0, 1, 0, 0, 0, 0, None, 0, None)
SUCCEEDED, FAILED, DEAD, LOST, CANCELLED, EXPIRED = (
    int(StateNumber[name]) for name in ("SUCCEEDED", "FAILED", "DEAD", "LOST", "CANCELLED", "EXPIRED")
)


def run(tasks: int = 1) -> IdRun:
    return IdRun(b"\x01" * 16, tasks)


def flow_of(total: int, **fields: int) -> LiveFlow:
    flow = LiveFlow(ROW._replace(**fields), set())
    assert flow.accepted(total) == 0
    return flow


def test_it_ends_once_when_it_is_sealed_and_each_task_has_ended() -> None:
    flow = flow_of(3)
    flow.ended(run(3), SUCCEEDED)
    assert not flow.end(NOW)
    flow.seal()
    assert flow.end(NOW)
    assert (flow.row.state, flow.row.finished) == ("succeeded", NOW.steady)
    assert not flow.end(NOW)


@pytest.mark.parametrize("state", [FAILED, DEAD, LOST, CANCELLED, EXPIRED])
def test_one_that_does_not_succeed_ends_the_others(state: int) -> None:
    flow = flow_of(3)
    flow.seal()
    flow.ended(run(), state)
    assert (flow.row.ending, flow.row.work, flow.row.place) == (FAILS, CANCELS, 0)
    assert flow.row.culprit == run().first
    assert not flow.end(NOW)
    flow.moved(3)
    flow.ended(run(2), CANCELLED)
    assert flow.end(NOW)
    assert flow.row.state == "failed"


def test_one_that_collects_lets_the_others_go_on() -> None:
    flow = flow_of(2, collects=1)
    flow.seal()
    flow.ended(run(), FAILED)
    assert (flow.row.ending, flow.row.work) == (0, NOTHING)
    flow.ended(run(), SUCCEEDED)
    assert flow.end(NOW)
    assert flow.row.state == "failed"


def test_a_cancelled_one_is_cancelled_even_if_all_of_its_tasks_succeed_meanwhile() -> None:
    flow = flow_of(2)
    flow.cancel("why")
    flow.cancel("another reason")
    assert (flow.row.ending, flow.row.work, flow.row.reason) == (IS_CANCELLED, CANCELS, "why")
    flow.ended(run(2), SUCCEEDED)
    assert flow.end(NOW)
    assert (flow.row.state, flow.row.culprit, flow.row.work) == ("cancelled", None, NOTHING)


def test_it_does_not_end_while_its_tasks_are_being_retried() -> None:
    flow = flow_of(2)
    flow.seal()
    flow.ended(run(2), FAILED)
    assert flow.end(NOW)
    flow.next_run(RETRIES)
    assert (flow.row.state, flow.row.run, flow.row.culprit, flow.row.finished) == ("running", 2, None, None)
    assert not flow.end(NOW)  # though each has ended
    flow.revived(FAILED, 2)
    flow.moved(1)
    assert flow.row.work == RETRIES
    flow.moved(2)
    assert flow.row.work == NOTHING
    assert flow.row.run == 2
    flow.ended(run(2), SUCCEEDED)
    assert flow.end(NOW)
    assert flow.row.state == "succeeded"


def test_a_task_that_goes_on_after_the_end_begins_the_next_run() -> None:
    flow = flow_of(1)
    flow.seal()
    flow.ended(run(), CANCELLED)
    assert flow.end(NOW)
    flow.revived(CANCELLED)
    assert (flow.row.state, flow.row.run, flow.row.cancelled) == ("running", 2, 0)
