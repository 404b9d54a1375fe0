"""States of flows and the ids that are computed for them."""

from __future__ import annotations

from tq.common.domain.flow import FlowState, callback_id, keyed_flow_id, member_key
from tq.common.domain.ids import COMPUTED

FLOWS = (bytes(16), bytes(15) + b"g")


def test_the_key_of_a_flow_means_one_flow_for_each_maker() -> None:
    assert keyed_flow_id("maker", b"order 7") == keyed_flow_id("maker", b"order 7")
    others = {
        keyed_flow_id("maker", b"order 8"),
        keyed_flow_id("other", b"order 7"),
        keyed_flow_id("make", b"rorder 7"),
    }
    assert len(others | {keyed_flow_id("maker", b"order 7")}) == 4


def test_a_callback_has_another_task_in_each_run() -> None:
    ids = {callback_id(flow, run, token) for flow in FLOWS for run in (1, 2) for token in (b"t", b"u")}
    assert len(ids) == 8
    assert all(id.startswith(COMPUTED) for id in ids)


def test_each_place_of_a_flow_has_a_key() -> None:
    assert member_key("f", 1) != member_key("f", 11) != member_key("f1", 1)


def test_open_and_running_flows_have_not_ended() -> None:
    assert [state for state in FlowState if not state.has_ended] == ["open", "running"]
