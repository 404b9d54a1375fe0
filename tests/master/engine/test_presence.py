"""Who is here, who is away, who is lost: one rule for whatever is held for a node."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.master.engine.agenda import Agenda
from tq.master.engine.clock import Now
from tq.master.engine.limits import EngineLimits
from tq.master.engine.part import Part
from tq.master.engine.presence import Presence
from tq.master.engine.session import Session

LIMITS = EngineLimits(lease_ms=20_000, grace_ms=3_000, tick_ms=5_000)


class Keeping(Part):
    """A part that holds something for some nodes, and notes who was lost."""

    def __init__(self, *nodes: bytes) -> None:
        self.nodes, self.lost = set(nodes), list[bytes]()
        self.portions = 1

    def holds(self, node: bytes) -> bool:
        return node in self.nodes

    def node_lost(self, node: bytes, now: Now) -> bool:
        self.lost.append(node)
        self.portions -= 1
        if self.portions <= 0:
            self.nodes.discard(node)
        return self.portions > 0


class Scene:
    def __init__(self) -> None:
        self.now = Now(1_000_000, 50_000)
        self.agenda, self.closed = Agenda(), list[Session]()
        self.presence = Presence(self.agenda, LIMITS, lambda session, reason: self.closed.append(session))
        self.part = Keeping(b"n")
        self.presence.tell([self.part])

    def session(self, node: bytes = b"n") -> Session:
        wire: Any = None
        verifier: Any = None
        session = Session(wire, verifier=verifier, role=Role.CLIENT, node=node, address="test")
        self.presence.opened(session)
        return session

    def close(self, session: Session) -> None:
        self.presence.closed(session, self.now)

    def advance(self, ms: int, *, fails: bool = False) -> None:
        """One transaction, so much later."""
        self.now = self.now._replace(wall=self.now.wall + ms, mono=self.now.mono + ms)
        for part, key in self.agenda.take(self.now):
            part.due(key, self.now)
        if fails:
            self.agenda.void()
            self.presence.void()
        else:
            self.agenda.committed()
            self.presence.committed()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_node_is_lost_once_its_last_connection_has_been_gone_for_the_grace(scene: Scene) -> None:
    first, second = scene.session(), scene.session()
    scene.close(first)
    scene.advance(60_000)
    assert scene.part.lost == []
    scene.close(second)
    assert scene.presence.lost_at(b"n") == scene.now.mono + LIMITS.grace_ms
    scene.advance(LIMITS.grace_ms - 1)
    assert scene.part.lost == []
    scene.advance(1)
    assert scene.part.lost == [b"n"]


def test_a_node_that_is_back_in_time_is_not_lost(scene: Scene) -> None:
    scene.close(scene.session())
    scene.advance(LIMITS.grace_ms - 1)
    scene.session()
    assert scene.presence.lost_at(b"n") is None
    scene.advance(60_000)
    assert scene.part.lost == []


def test_a_node_for_which_nothing_is_held_is_not_waited_for(scene: Scene) -> None:
    scene.close(scene.session(b"other"))
    assert not scene.presence.is_watching
    assert scene.agenda.next_wakeup(scene.now) is None
    assert scene.presence._nodes == {}


def test_a_node_that_only_the_store_knows_has_a_lease_to_come_back(scene: Scene) -> None:
    scene.presence.expect(b"n", scene.now)
    scene.advance(LIMITS.lease_ms - 1)
    scene.presence.expect(b"n", scene.now)  # read once more: that gives it no more time
    assert scene.part.lost == []
    scene.advance(1)
    assert scene.part.lost == [b"n"]


def test_a_worker_that_is_silent_for_a_lease_is_lost_and_its_connection_closed(scene: Scene) -> None:
    session = scene.session()
    scene.presence.serve(session, scene.now)
    scene.advance(LIMITS.lease_ms - 1)
    scene.presence.seen(session, scene.now)
    scene.advance(LIMITS.lease_ms - 1)
    assert scene.part.lost == []
    scene.advance(1)
    assert (scene.part.lost, scene.closed) == ([b"n"], [session])


def test_a_worker_is_back_when_it_announces_itself_and_not_before(scene: Scene) -> None:
    session = scene.session()
    scene.presence.serve(session, scene.now)
    scene.close(session)
    scene.session()  # it connects and says nothing
    scene.advance(LIMITS.grace_ms)
    assert scene.part.lost == [b"n"]


def test_a_worker_that_says_goodbye_is_not_waited_for(scene: Scene) -> None:
    scene.part.nodes.clear()
    session = scene.session()
    node = scene.presence.serve(session, scene.now)
    scene.presence.leave(node)
    scene.close(session)
    assert not scene.presence.is_watching
    scene.advance(60_000)
    assert scene.part.lost == []


def test_a_time_in_which_the_master_stood_still_is_no_absence_and_no_silence(scene: Scene) -> None:
    away, silent = scene.session(), scene.session(b"worker")
    scene.presence.serve(silent, scene.now)
    scene.close(away)
    scene.presence.stalled(600_000)
    scene.advance(600_000)
    assert scene.part.lost == []
    scene.advance(LIMITS.grace_ms)
    assert scene.part.lost == [b"n"]
    scene.advance(LIMITS.lease_ms - LIMITS.grace_ms)
    assert scene.part.lost == [b"n", b"worker"]


@pytest.mark.parametrize("serves", [False, True])
def test_who_was_lost_in_a_transaction_that_failed_is_lost_once_more(scene: Scene, serves: bool) -> None:
    session = scene.session()
    if serves:
        scene.presence.serve(session, scene.now)
    scene.close(session)
    scene.advance(LIMITS.grace_ms, fails=True)
    assert scene.part.lost == [b"n"]
    assert scene.presence.lost_at(b"n") == scene.now.mono
    scene.advance(0)
    assert scene.part.lost == [b"n", b"n"]
    assert scene.presence._nodes == {}


def test_what_is_too_much_for_one_transaction_is_given_up_in_portions(scene: Scene) -> None:
    scene.part.portions = 3
    scene.close(scene.session())
    scene.advance(LIMITS.grace_ms)
    assert scene.agenda.next_wakeup(scene.now) == scene.now.mono
    scene.advance(0)
    scene.advance(0)
    assert scene.part.lost == [b"n"] * 3
    assert scene.agenda.next_wakeup(scene.now) is None
    assert scene.presence._nodes == {}


def test_a_node_is_lost_for_all_parts_at_once(bench: Any) -> None:
    """An item it took, a lock it holds and a queue that is its own: one grace ends all of it."""
    client, other = bench.client(), bench.client()
    other.call("get_queue/q", "put", b"p" * 16, 1, b"\x01", True, None)
    client.call("get_queue/q", "get", b"t" * 16, True)
    client.call("get_lock/l", "acquire", b"a" * 16)
    client.call(("get_queue", "own", "fifo", 0, True), "make")
    client.close()
    assert other.call("get_lock/l", "state")[0] == 0
    bench.advance(3.1)
    assert other.call("get_queue/q", "size")[0] == 1
    assert other.call("get_lock/l", "state")[0] == 1
