"""Calls on their way to the engine or to a user's object, and their refusals."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest
from tq.common.contract.exposed import exposed
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, from_wire
from tq.common.values.codec import encode_call
from tq.common.wire.frames import Kind
from tq.common.wire.protocol import Caller
from tq.master.parts import make_registry

from tests.master.net.harness import SECONDS_MAX, ServerHarness


class Slow:
    """A user's object whose method takes until the test says otherwise."""

    def __init__(self) -> None:
        self.release, self._ended = threading.Event(), threading.Semaphore(0)

    @exposed("client")
    def work(self) -> str:
        assert self.release.wait(SECONDS_MAX)
        self._ended.release()
        return "done"

    def wait_for(self, calls: int) -> None:
        for _ in range(calls):
            assert self._ended.acquire(timeout=SECONDS_MAX)


@pytest.fixture
def slow(harness: ServerHarness, bench: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    made = Slow()
    module = types.ModuleType("slow_of_tests")
    module.get_slow = lambda: made  # type: ignore[attr-defined]
    module.get_slow.__qualname__ = "get_slow"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    harness.server.port.registry = make_registry(bench.engine, {"get_slow": "slow_of_tests:get_slow"})
    yield made
    made.release.set()


def test_a_call_that_is_forbidden_is_answered_and_the_session_goes_on(harness: ServerHarness) -> None:
    peer = harness.connect().admitted()
    _, call = Caller().call(["get_keys"], "list", [], {})
    peer.say(call)
    peer.listen()
    kind, (call_id, *fields) = peer.frames[-1]
    assert (kind, call_id) == (Kind.ERROR, 1)
    assert isinstance(from_wire(fields), Forbidden)
    assert not peer.hung_up


def test_calls_of_a_users_own_object_count_like_others(harness: ServerHarness, slow: Slow) -> None:
    """They wait in the session until they are answered, so that no client piles up calls without end."""
    peer = harness.connect().admitted()
    payload = encode_call((), {})
    caller = Caller()
    _, first = caller.call(["get_slow"], "work", [payload], {})
    _, second = caller.call(["get_slow"], "work", [payload], {})
    peer.say(first + second)
    [session] = [one for one in harness.server.engine.sessions if one.role == Role.CLIENT]
    assert set(session.calls) == {1, 2}
    peer.say(caller.abandon(2))
    harness.settle()  # a transaction under way, such as the note that the key was used, comes before the abandonment
    slow.release.set()
    harness.loop.run_until_complete(harness.loop.run_in_executor(None, slow.wait_for, 2))
    while session.calls:  # the test's time limit ends it
        harness.turn()
    peer.listen()
    assert [body[0] for kind, body in peer.frames if kind == Kind.RETURN] == [1]
    slow.release.clear()
    peer.say(first + first)
    assert peer.hung_up
    assert peer.frames[-1] == (Kind.GOODBYE, "call id 1 is in use")
