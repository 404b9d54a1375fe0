"""How often a caller tries again while one master takes over from another."""

from __future__ import annotations

from tq.common.errors import NotOwner, Unreachable
from tq.common.wire.take_over import PAUSE_SECONDS_MAX, UNDER_WAY_SECONDS, TakeOver


def test_pauses_are_short_while_a_take_over_may_be_under_way_whatever_fails_then() -> None:
    seen = TakeOver()
    seen.failed(Unreachable("nothing listens"), 100.0)
    assert seen.bounded(5.0, 100.0) == 5.0, "as for a host that is gone"
    seen.failed(NotOwner("this master stands by"), 100.0)
    seen.failed(Unreachable("it has closed its port, and opens it again"), 101.0)
    assert seen.bounded(5.0, 101.0) == PAUSE_SECONDS_MAX
    assert seen.bounded(0.1, 101.0) == 0.1
    assert seen.bounded(5.0, 100.0 + UNDER_WAY_SECONDS) == 5.0, "none is there"
