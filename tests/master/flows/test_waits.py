"""Calls that wait for the end of a flow."""

from __future__ import annotations

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
