from __future__ import annotations

import pytest
from tq.common.domain.model import TaskOptions
from tq.common.domain.on_error import CATCH, COLLECT, FAIL, Verdict, at_least, required, verdict
from tq.common.errors import InvalidArgument


def test_how_many_must_succeed() -> None:
    assert [required(word, 7) for word in (FAIL, COLLECT, 3)] == [7, 0, 3]
    with pytest.raises(InvalidArgument, match="needs only 2 other tasks"):
        required(3, 2)


def test_a_task_waits_as_long_as_it_may_still_run() -> None:
    found = {(left, missed): verdict(4, left, missed, 2) for left in range(5) for missed in range(5 - left)}
    for (left, missed), what in found.items():
        if missed > 2:
            assert what is Verdict.FALL
        else:
            assert what is (Verdict.WAIT if left else Verdict.RUN)


def test_one_for_failures_waits_for_all_and_is_dropped_when_there_is_none() -> None:
    minimum = required(CATCH, 3)
    assert [verdict(3, left, missed, minimum) for left, missed in ((1, 2), (0, 1), (0, 0))] == [
        Verdict.WAIT, Verdict.RUN, Verdict.DROP,
    ]  # fmt: skip


def test_a_number_is_written_as_what_it_means() -> None:
    assert repr(at_least(3)) == "tq.at_least(3)"
    for bad in (-1, 1.5, "3", True):
        with pytest.raises(InvalidArgument, match="at_least takes"):
            at_least(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", ["collct", -1, True, None, 1.0])
def test_another_policy_is_refused(bad: object) -> None:
    with pytest.raises(InvalidArgument, match=r"use 'fail', 'collect', 'catch' or tq\.at_least"):
        TaskOptions(on_error=bad)  # type: ignore[arg-type]
