"""The key of a lane, as the store keeps it."""

from __future__ import annotations

import pytest
from tq.common.wire.frames import pack
from tq.master.tasks.route import PLAIN, LaneKey


@pytest.mark.parametrize(
    "key",
    [
        PLAIN,
        LaneKey("acme"),
        LaneKey(limits=(("smtp", "", 1), ("host", "a.example", 3))),
        LaneKey("acme", (("smtp", "", 1),), b"needs"),
        LaneKey(handler=b"handler"),
        LaneKey(has_deadline=True),
        LaneKey("acme", (), b"needs", b"handler", has_deadline=True),
    ],
)
def test_the_key_of_a_lane_is_read_back_as_it_was(key: LaneKey) -> None:
    assert LaneKey.unpacked(key.packed()) == key
    assert (key.packed() == b"") == (key == PLAIN)


def test_the_base_of_a_lane_has_its_needs_alone() -> None:
    assert LaneKey("acme", (("smtp", "", 1),), b"needs").base == LaneKey(needs=b"needs")
    assert LaneKey("acme", has_deadline=True).base == PLAIN


def test_a_lane_is_kept_as_an_earlier_version_has_kept_it() -> None:
    assert LaneKey("acme").packed() == pack(["acme", [], b""])
