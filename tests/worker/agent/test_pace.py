"""How many tasks to hold, from how long they take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tq.worker.agent.pace import (
    AHEAD_TASKS_MAX,
    BATCH_SECONDS,
    BATCH_TASKS_MAX,
    LONG_SECONDS,
    NAMES_MAX,
    READ_AHEAD_SECONDS,
    Pace,
)

durations = st.floats(0, 1e9)


def test_of_an_unknown_task_one_is_taken_and_none_waits_behind_another() -> None:
    pace = Pace()
    assert (pace.batch("m:f"), pace.behind("m:f"), pace.ahead(4)) == (1, 0, 4)


def test_short_tasks_are_held_by_the_tenth_of_a_second() -> None:
    pace = Pace()
    pace.took("m:f", 0.001)
    assert pace.batch("m:f") == pace.behind("m:f") == round(BATCH_SECONDS / 0.001)
    assert pace.ahead(4) == 4 * round(READ_AHEAD_SECONDS / 0.001)


def test_nothing_waits_behind_a_long_task() -> None:
    pace = Pace()
    pace.took("m:f", LONG_SECONDS)
    assert (pace.batch("m:f"), pace.behind("m:f"), pace.ahead(4)) == (1, 0, 4)


def test_a_task_that_still_runs_is_known_to_be_long() -> None:
    pace = Pace()
    pace.took("m:f", 0.001)
    pace.is_taking("m:f", LONG_SECONDS)
    assert (pace.behind("m:f"), pace.ahead(4)) == (0, 4)


def test_a_name_keeps_its_own_pace() -> None:
    pace = Pace()
    pace.took("m:short", 0.0001)
    pace.took("m:long", 10.0)
    assert pace.batch("m:short") > 1
    assert pace.batch("m:long") == 1


def test_the_latest_tasks_count_most() -> None:
    pace = Pace()
    pace.took("m:f", 1.0)
    for _ in range(40):
        pace.took("m:f", 0.001)
    assert pace.behind("m:f") > 1


def test_names_are_not_kept_without_end() -> None:
    pace = Pace()
    for number in range(NAMES_MAX + 1):
        pace.took(f"m:f{number}", 0.001)
    assert pace.batch("m:f0") == 1
    assert pace.batch(f"m:f{NAMES_MAX}") > 1


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), durations, st.booleans())), st.integers(1, 64))
def test_what_is_held_has_bounds_whatever_tasks_take(
    history: list[tuple[str, float, bool]], slots: int
) -> None:
    pace = Pace()
    for name, seconds, over in history:
        (pace.took if over else pace.is_taking)(name, seconds)
        assert 1 <= pace.batch(name) <= BATCH_TASKS_MAX
        assert 0 <= pace.behind(name) <= BATCH_TASKS_MAX
        assert slots <= pace.ahead(slots) <= slots * AHEAD_TASKS_MAX
