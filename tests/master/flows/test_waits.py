"""Calls that wait for the end of a flow."""

from __future__ import annotations

import pytest
from tq.master.flows.waits import FlowWaits
from tq.master.store.interface.flows import FlowRow

from .conftest import FLOW, FLOWS, Flowing


def test_who_waits_is_answered_at_the_end(flowing: Flowing) -> None:
    flowing.open()
    flowing.submit()
    flowing.client.call(FLOWS, "seal", FLOW)
    waits = flowing.client.ask(FLOWS, "wait", FLOW)
    leaver = flowing.peer()
    leaver.ask(FLOWS, "wait", FLOW)
    flowing.bench.step()
    leaver.close()
    assert waits not in flowing.client.answers
    flowing.finish(flowing.worker())
    flowing.settle()
    assert flowing.client.answer(waits) is None
    assert flowing.client.call(FLOWS, "wait", FLOW) is None


def test_the_end_of_one_flow_costs_no_look_at_the_others_that_are_waited_for(
    flowing: Flowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows = [number.to_bytes(16, "big") for number in range(50)]
    for flow in flows:
        flowing.open(flow)
        flowing.client.ask(FLOWS, "wait", flow)
        flowing.bench.step()
    looked_at: list[bytes] = []
    store = flowing.bench.engine.part(FlowWaits)._store
    find = store.find

    def noted(id: bytes) -> FlowRow | None:
        looked_at.append(id)
        return find(id)

    monkeypatch.setattr(store, "find", noted)
    flowing.client.call(FLOWS, "seal", flows[7])  # it is empty, and ends
    flowing.settle()
    assert looked_at == [flows[7]]
