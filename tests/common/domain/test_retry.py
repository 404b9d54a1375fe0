from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.retry import retry_delay


@given(st.integers(1, 10_000), st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 0.999))
def test_a_wait_is_never_longer_than_its_bound_nor_negative(
    failures: int, backoff: float, longest: float, chance: float
) -> None:
    assert 0 <= retry_delay(failures, backoff, longest, chance) <= longest


def test_waits_double_until_the_bound_and_at_least_half_is_kept() -> None:
    assert [retry_delay(failures, 1, 10, 0.0) for failures in (1, 2, 3, 4, 5, 6)] == [0.5, 1, 2, 4, 5, 5]
    assert retry_delay(1, 1, 10, 0.999999) > 0.99
