"""Points of the master's series: packed, joined, and read."""

from __future__ import annotations

import pytest
from tq.common.domain.series import (
    QUEUES_MAX,
    RESOLUTIONS,
    Level,
    SeriesPoint,
    quantile,
    resolution_for,
    unpacked,
)
from tq.common.errors import ProtocolError
from tq.common.runtime.histogram import SECONDS, Buckets


def test_a_point_comes_out_as_it_went_in() -> None:
    point = SeriesPoint(
        submitted=5, ended=4, failed=1, ready=Level(2, 9), running=Level(1, 3), slots=8, store_bytes=4_096,
        queues={"mail": Level(1, 2)}, is_first=True,
    )  # fmt: skip
    assert unpacked(point.packed()) == point


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x90", b"\x93\x01\x02\x03", b"\x07"])
def test_what_is_no_point_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        unpacked(body)


def test_two_points_are_one_of_a_longer_time_with_sums_the_highest_and_the_last() -> None:
    first = SeriesPoint(
        submitted=2, ended=1, ready=Level(7, 9), slots=4, queues={"a": Level(7, 9)}, is_first=True
    )
    second = SeriesPoint(submitted=3, failed=1, ready=Level(0, 8), slots=2, queues={"b": Level(1, 1)})
    both = first.followed_by(second)
    assert (both.submitted, both.ended, both.failed, both.slots, both.is_first) == (5, 1, 1, 2, True)
    assert both.ready == Level(0, 9)
    assert both.queues == {"a": Level(0, 9), "b": Level(1, 1)}


def test_a_longer_time_has_no_more_queues_than_a_short_one() -> None:
    one = SeriesPoint(queues={f"a{number}": Level(number, number) for number in range(QUEUES_MAX)})
    other = SeriesPoint(queues={f"b{number}": Level(99, 99) for number in range(QUEUES_MAX)})
    assert set(one.followed_by(other).queues) == set(other.queues)


def test_the_finest_steps_that_reach_far_enough_are_taken() -> None:
    steps = [resolution_for(seconds).step_ms for seconds in (900, 3_600, 3_601, 86_400, 86_401, 1e9)]
    assert steps == [10_000, 10_000, 60_000, 60_000, 900_000, 900_000]
    assert sum(one.points for one in RESOLUTIONS) == 4_680


def test_a_quantile_lies_between_the_bounds_of_its_bucket_and_not_beyond_the_last() -> None:
    counted = Buckets(SECONDS)
    counted.observe_all([0.02] * 90 + [7.0] * 10)
    half, most = (quantile(counted.counts, SECONDS, share) for share in (0.5, 0.95))
    assert half is not None
    assert most is not None
    assert 0.01 < half <= 0.05
    assert 5.0 < most <= 10.0
    counted.observe(1e9, 1_000)
    assert quantile(counted.counts, SECONDS, 0.95) == SECONDS[-1]
    assert quantile([0] * (len(SECONDS) + 1), SECONDS, 0.5) is None
