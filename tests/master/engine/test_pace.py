"""What no caller waits for is done in portions of a few milliseconds, with pauses."""

from __future__ import annotations

from tq.master.engine.pace import PORTION_SECONDS, STEPS_MAX, Pace


class Time:
    """Each step takes so long."""

    def __init__(self, step_seconds: float, left: int = 1_000_000) -> None:
        self.now, self.steps, self._left, self._step_seconds = 0.0, 0, left, step_seconds

    def __call__(self) -> float:
        return self.now

    def step(self) -> bool:
        self.steps += 1
        self.now += self._step_seconds
        return self.steps < self._left


def test_a_portion_ends_when_its_time_is_over() -> None:
    time = Time(PORTION_SECONDS / 4)
    assert Pace(time, 0.1).portion(time.step) == 20
    assert time.steps == 4


def test_a_slow_step_is_followed_by_a_pause_that_is_as_much_longer() -> None:
    time = Time(0.050)
    assert Pace(time, 0.1).portion(time.step) in (449, 450)
    assert Pace(time, 0.05).portion(time.step) in (949, 950)
    assert time.steps == 2


def test_what_a_commit_took_makes_the_next_pause_longer() -> None:
    time = Time(0.0025)
    pace = Pace(time, 0.1)
    assert pace.portion(time.step) == 22
    time.now += 0.003
    pace.committed()
    pace.committed()  # of others
    time.now += 1.0
    assert pace.portion(time.step) in (49, 50)
    time.now += 1.0  # a disk that does not answer
    pace.committed()
    assert pace.portion(time.step) in (112, 113)
    assert pace.portion(time.step) == 22


def test_there_is_no_pause_when_nothing_is_left() -> None:
    time = Time(0.0001, left=3)
    assert Pace(time, 0.1).portion(time.step) is None
    assert time.steps == 3


def test_steps_are_counted_where_there_is_no_clock() -> None:
    time = Time(1.0)
    assert Pace(None, 0.1).portion(time.step) == 20
    assert time.steps == STEPS_MAX
