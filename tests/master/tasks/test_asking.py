"""How much of a limit a worker may have that is served before others."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tq.common.domain.tenants import NO_TERMS
from tq.master.tasks.asking import Asking
from tq.master.tasks.placements import Placements
from tq.master.tasks.route import Capability, CapabilityKey, ParkedLease, Queue, Route, Tenant


def lane_of(*workers: int) -> Route:
    """With a parked call of each of these."""
    key = CapabilityKey("k", frozenset(("m:f",)), (), (), ())
    capability = Capability(key, cast(Any, None))
    for worker in workers:
        call = cast(Any, object())
        capability.parked[call] = ParkedLease(call, 10, worker)
    lane = Route(1, Queue("q"), "m:f", Tenant("", 0, NO_TERMS))
    lane.capabilities[capability] = None
    return lane


@pytest.mark.parametrize(
    ("room", "most"), [(0, 0), (1, 1), (2, 2), (3, 2), (5, 2), (6, 3), (100, 97)], ids=str
)
def test_it_has_what_it_can_start_and_what_the_others_cannot(room: int, most: int) -> None:
    placements = Placements()
    for worker, slots, leased in ((1, 2, 0), (2, 4, 1), (3, 1, 5)):
        placements.places.announced(worker, slots)
        placements.places.hold(worker, leased) if leased else None
    lane = lane_of(1, 2, 2, 3)
    assert Asking(1, placements).most(lane, room) == most


def test_what_it_was_given_before_takes_its_places() -> None:
    placements = Placements()
    for worker in (1, 2):
        placements.places.announced(worker, 2)
    asking = Asking(1, placements)
    asking.left -= 3
    assert asking.most(lane_of(1, 2), 2) == 0
    assert asking.most(lane_of(1, 2), 3) == 1
