"""Callers of a shard that is on its way: who waits goes on in the order of coming, and one that fails costs itself alone."""

from __future__ import annotations

from types import SimpleNamespace

from tq.common.errors import NotOwner
from tq.common.wire.frames import pack
from tq.master.net.arrivals import Arrivals

OPEN, CLOSED = SimpleNamespace(is_open=True), SimpleNamespace(is_open=False)


def hello(*shard: int) -> bytes:
    return pack([[3], "client", "key", b"n" * 32, b"n" * 16, *shard])


def test_only_callers_of_a_shard_that_is_on_its_way_wait_and_those_that_are_gone_are_let_be() -> None:
    arrivals, seen = Arrivals(), list[object]()

    def refused() -> None:
        seen.append("b")
        raise NotOwner("it did not come")

    assert not arrivals.holds(hello(1), OPEN, refused, seen.append)
    arrivals.expect(1)
    assert not arrivals.holds(hello(2), OPEN, refused, seen.append)
    assert not arrivals.holds(hello(), OPEN, refused, seen.append)
    assert not arrivals.holds(b"\xc1", OPEN, refused, seen.append)
    assert arrivals.holds(hello(1), OPEN, lambda: seen.append("a"), seen.append)
    assert arrivals.holds(hello(1), CLOSED, lambda: seen.append("gone"), seen.append)
    assert arrivals.holds(hello(1), OPEN, refused, lambda error: seen.append(str(error)))
    assert arrivals.holds(hello(1), OPEN, lambda: seen.append("c"), seen.append)
    arrivals.settled(1)
    assert seen == ["a", "b", "it did not come", "c"]
    arrivals.settled(1)
    assert not arrivals.holds(hello(1), OPEN, refused, seen.append)
    assert len(seen) == 4
