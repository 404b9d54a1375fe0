"""Calls of queues by stock clients: what is put, got and answered. Real sockets."""

from __future__ import annotations

import pytest
from tq.master.gateway import queue_calls

from .peers import GatewayHarness


def test_what_is_put_is_got_and_counted(harness: GatewayHarness) -> None:
    client = harness.admitted()
    assert client.call("put", [1, {"a": (2,)}], timeout=3) == ("#RETURN", None)
    assert client.call("qsize") == ("#RETURN", 1)
    assert client.call("get") == ("#RETURN", [1, {"a": (2,)}])


def test_of_puts_that_cannot_come_again_nothing_is_remembered(harness: GatewayHarness) -> None:
    for number in range(3):
        harness.admitted().call("put", number)
    picture = harness.bench.engine.store.items.load()
    assert (picture.putters, picture.queues[0].waiting) == ([], 3)


def test_an_item_for_which_there_is_no_memory_stays_and_everybody_else_is_answered(
    harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(_: bytes) -> bytes:
        raise MemoryError

    client, other = harness.admitted(), harness.admitted()
    client.call("put", 7)
    with monkeypatch.context() as patch:
        patch.setattr(queue_calls, "returning", exhausted)
        kind, words = client.call("get")
    assert (kind, "the master could not write it" in words) == ("#TRACEBACK", True)
    assert other.call("get") == ("#RETURN", 7)
