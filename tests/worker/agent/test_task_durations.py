"""How many tasks to hold, from how long they take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.worker.agent.task_durations import (
    AHEAD_TASKS_MAX,
    BATCH_SECONDS,
    BATCH_TASKS_MAX,
    LONG_SECONDS,
    NAMES_MAX,
    READ_AHEAD_SECONDS,
    TaskDurations,
)

durations = st.floats(0, 1e9)


def test_of_an_unknown_task_one_is_taken_and_none_waits_behind_another() -> None:
    durations = TaskDurations()
    assert (durations.batch_size("m:f"), durations.queued_max("m:f"), durations.prefetch(4)) == (1, 0, 4)


def test_short_tasks_are_held_by_the_tenth_of_a_second() -> None:
    durations = TaskDurations()
    durations.record("m:f", 0.001)
    assert durations.batch_size("m:f") == durations.queued_max("m:f") == round(BATCH_SECONDS / 0.001)
    assert durations.prefetch(4) == 4 * round(READ_AHEAD_SECONDS / 0.001)


def test_nothing_waits_behind_a_long_task() -> None:
    durations = TaskDurations()
    durations.record("m:f", LONG_SECONDS)
    assert (durations.batch_size("m:f"), durations.queued_max("m:f"), durations.prefetch(4)) == (1, 0, 4)


def test_a_task_that_still_runs_is_known_to_be_long() -> None:
    durations = TaskDurations()
    durations.record("m:f", 0.001)
    durations.record_running("m:f", LONG_SECONDS)
    assert (durations.queued_max("m:f"), durations.prefetch(4)) == (0, 4)


def test_what_is_held_starts_no_sooner_than_the_shortest_of_all_that_run() -> None:
    durations = TaskDurations()
    durations.record("m:f", 0.001)
    durations.record_all_running(LONG_SECONDS)
    assert (durations.prefetch(4), durations.batch_size("m:f")) == (4, round(BATCH_SECONDS / 0.001))


def test_a_name_keeps_its_own_pace() -> None:
    durations = TaskDurations()
    durations.record("m:short", 0.0001)
    durations.record("m:long", 10.0)
    assert durations.batch_size("m:short") > 1
    assert durations.batch_size("m:long") == 1


def test_the_latest_tasks_count_most() -> None:
    durations = TaskDurations()
    durations.record("m:f", 1.0)
    for _ in range(40):
        durations.record("m:f", 0.001)
    assert durations.queued_max("m:f") > 1


def test_names_are_not_kept_without_end() -> None:
    durations = TaskDurations()
    for number in range(NAMES_MAX + 1):
        durations.record(f"m:f{number}", 0.001)
    assert durations.batch_size("m:f0") == 1
    assert durations.batch_size(f"m:f{NAMES_MAX}") > 1


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), durations, st.booleans())), st.integers(1, 64))
def test_what_is_held_has_bounds_whatever_tasks_take(
    history: list[tuple[str, float, bool]], slots: int
) -> None:
    durations = TaskDurations()
    for name, seconds, over in history:
        (durations.record if over else durations.record_running)(name, seconds)
        assert 1 <= durations.batch_size(name) <= BATCH_TASKS_MAX
        assert 0 <= durations.queued_max(name) <= BATCH_TASKS_MAX
        assert slots <= durations.prefetch(slots) <= slots * AHEAD_TASKS_MAX


@given(st.floats(1e-6, 1e3), st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=20))
def test_many_of_one_name_count_as_much_as_they_would_one_by_one(before: float, seconds: list[float]) -> None:
    """Their mean stands for each of them."""
    together, single = TaskDurations(), TaskDurations()
    mean = sum(seconds) / len(seconds)
    together.record("m:f", before)
    together.record_all("m:f", seconds)
    single.record("m:f", before)
    for _ in seconds:
        single.record("m:f", mean)
    assert together.batch_size("m:f") == pytest.approx(single.batch_size("m:f"), abs=1)
    assert together.prefetch(4) == pytest.approx(single.prefetch(4), abs=4)


def test_many_of_an_unknown_name_make_it_known() -> None:
    durations = TaskDurations()
    durations.record_all("m:f", [0.001, 0.003])
    assert durations.batch_size("m:f") == 2
