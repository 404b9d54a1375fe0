from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tq.common.runtime.histogram import Buckets

BOUNDS = (0.1, 1.0, 10.0)
values = st.lists(st.floats(0, 100) | st.sampled_from(BOUNDS))


@given(values)
def test_a_column_at_once_counts_as_its_values_one_by_one(column: list[float]) -> None:
    single, whole = Buckets(BOUNDS), Buckets(BOUNDS)
    for value in column:
        single.observe(value)
    whole.observe_all(list(column))
    assert whole.counts == single.counts
    assert abs(whole.sum - single.sum) < 1e-6


@given(values)
def test_every_bucket_holds_what_is_up_to_its_end(column: list[float]) -> None:
    buckets = Buckets(BOUNDS)
    buckets.observe_all(list(column))
    for end, count in buckets.cumulative():
        assert count == sum(value <= float(end) for value in column)


def test_one_value_may_stand_for_many() -> None:
    buckets = Buckets(BOUNDS)
    buckets.observe(0.5, 7)
    assert (buckets.counts, buckets.sum) == ([0, 7, 0, 0], 3.5)
