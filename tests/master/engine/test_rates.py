"""Rates and forecasts: arithmetic with the time handed in."""

from __future__ import annotations

import pytest
from tq.master.engine.rates import (
    RECENT_MS,
    STEADY_MS,
    BusyRate,
    Rate,
    WorkerRates,
    foreseen_range,
    foreseen_seconds,
)


def steady(memory_ms: int, per_second: int, seconds: int, begin: int = 0) -> Rate:
    """A rate that has seen so many events every second."""
    rate = Rate(memory_ms, begin)
    for second in range(1, seconds + 1):
        rate.add(per_second, begin + second * 1000)
    return rate


@pytest.mark.parametrize("seconds", [1, 3, 10, 60, 3_600])
@pytest.mark.parametrize("per_second", [1, 40, 30_000])
def test_what_is_done_evenly_is_measured_right_from_the_first_second_on(
    per_second: int, seconds: int
) -> None:
    rate = steady(RECENT_MS, per_second, seconds)
    assert rate.per_second(seconds * 1000) == pytest.approx(per_second, rel=0.06)


def test_nothing_done_is_nothing_per_second() -> None:
    assert Rate(RECENT_MS, 5).per_second(5) == 0
    assert Rate(RECENT_MS, 5).per_second(10**12) == 0


def test_a_rate_falls_when_nothing_is_done_any_more() -> None:
    rate = steady(RECENT_MS, 100, 60)
    falling = [rate.per_second(60_000 + later) for later in (0, 5_000, 20_000, 120_000)]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] < 0.01


def test_after_an_idle_hour_a_rate_starts_afresh_instead_of_rising_slowly() -> None:
    rate = steady(STEADY_MS, 10, 60)
    for second in range(1, 6):
        rate.add(10, 3_660_000 + second * 1000)
    assert rate.per_second(3_665_000) == pytest.approx(10, rel=0.3)


def test_a_clock_that_stands_still_or_steps_back_does_no_harm() -> None:
    rate = Rate(RECENT_MS, 1_000)
    rate.add(5, 1_000)
    rate.add(5, 900)
    assert rate.per_second(900) == pytest.approx(10, rel=0.1)


def worker_rates(per_second: int, seconds: int) -> WorkerRates:
    rates = WorkerRates(0)
    for second in range(seconds + 1):
        rates.add(per_second, second * 1000)
    return rates


def test_a_start_is_foreseen_from_who_is_before_and_how_fast_all_are_together() -> None:
    rates = [worker_rates(2, 60), worker_rates(3, 60)]
    assert foreseen_seconds(199, rates, 60_000) == pytest.approx(40, rel=0.05)
    assert foreseen_seconds(0, rates, 60_000) == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("rates", [[], [WorkerRates(0)]])
def test_nothing_is_foreseen_from_nothing(rates: list[WorkerRates]) -> None:
    assert foreseen_seconds(10, rates, 1_000) is None


def test_one_task_seen_is_too_little_to_foresee_with() -> None:
    rates = WorkerRates(0)
    rates.add(1, 1_000)
    assert foreseen_seconds(10, [rates], 1_000) is None
    rates.add(3, 60_000)
    assert foreseen_seconds(10, [rates], 60_000) is not None


def test_long_tasks_behind_short_ones_are_not_foreseen_at_the_pace_of_the_short_ones() -> None:
    rates, now = worker_rates(1_000, 10), 10_000
    for _ in range(4):  # two slots, each task takes 12 s
        for running in range(1, 12):
            seconds = foreseen_seconds(15, [rates], now + running * 1000, slots=2, running_ms=2_000 * running)
            assert seconds is not None
            assert seconds >= 15 * running / 2, "15 tasks of at least that long in two slots"
        now += 12_000
        rates.add(2, now)
    assert foreseen_seconds(15, [rates], now + 6_000, slots=2, running_ms=12_000) == pytest.approx(
        96, rel=0.5
    )


@pytest.mark.parametrize(("events", "gap_ms"), [(1, 20_000), (2, 500), (2_000, 100)])
def test_only_the_time_with_work_counts_for_a_forecast(events: int, gap_ms: int) -> None:
    rate, now = BusyRate(STEADY_MS, 0), 8_000_000  # idle before
    for batch in range(40):
        now += gap_ms if batch != 20 else 9_000_000  # and in between
        rate.add(events, now)
    assert rate.per_second(now) == pytest.approx(events * 1000 / gap_ms, rel=0.4)


def test_quick_tasks_behind_slow_ones_may_start_as_soon_as_their_own_pace_allows() -> None:
    rates, now = WorkerRates(0), 0
    for _ in range(30):  # two slots, each task takes 2 s
        now += 2_000
        rates.add(2, now)
    slow = foreseen_range(50_000, [rates], now, slots=2)
    assert slow is not None
    assert slow.earliest == pytest.approx(50_000, rel=0.3)
    for _ in range(5):  # and from now on forty end in a second
        now += 100
        rates.add(4, now)
    found = foreseen_range(50_000, [rates], now, slots=2)
    assert found is not None
    assert found.earliest < 50_000 / 40 < found.latest < slow.latest
