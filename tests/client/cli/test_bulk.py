"""Acting on many tasks: what is asked, what a Ctrl-C and a lost master leave, on a master of numbers."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

import pytest
from tq.client.cli.bulk import BulkAction, act, survey
from tq.common.domain.model import StateNumber
from tq.common.errors import InvalidArgument, Unreachable

ACTION = BulkAction(method="retry_where", ask="retry", done="ready again")
PORTION = 1_000


class Numbers:
    """So many failed tasks, numbered from 1; each portion covers a thousand."""

    def __init__(self, tasks: int) -> None:
        self.tasks, self.performed = tasks, 0
        self.on_portion: Callable[[], None] = lambda: None

    def call(
        self, target: Any, method: str, wanted: Any, limit_or_before: Any = 0, before: int | None = None
    ) -> Any:
        if method == "select":
            upper = self.tasks + 1 if before is None else before
            lower = max(1, upper - PORTION)
            states = [[11, upper - lower]] if upper > lower else []
            return {
                "states": states,
                "rows": [],
                "newest": upper,
                "before": lower if lower > 1 else None,
            }
        self.on_portion()
        lower = max(1, limit_or_before - PORTION)
        self.performed += limit_or_before - lower
        return {"tasks": limit_or_before - lower, "before": lower if lower > 1 else None}


def do(numbers: Numbers, **options: Any) -> None:
    act(numbers, options.pop("as_json", False), ACTION, {}, **{"yes": True, "dry_run": False, **options})  # type: ignore[arg-type]


def test_a_survey_adds_up_all_portions() -> None:
    found = survey(Numbers(3_500), {})  # type: ignore[arg-type]
    assert (found.tasks, found.newest) == (3_500, 3_501)
    assert found.in_words() == "3,500 tasks (3,500 failed)"
    found.states[StateNumber.DEAD] = 2
    assert found.in_words() == "3,502 tasks (3,500 failed, 2 dead)"


def test_all_portions_are_performed(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = Numbers(2_345)
    do(numbers)
    assert numbers.performed == 2_345
    assert capsys.readouterr().out == "2,345 tasks are ready again\n"


def test_a_dry_run_performs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = Numbers(2_345)
    do(numbers, dry_run=True, yes=False)
    assert numbers.performed == 0
    assert "would retry 2,345 tasks (2,345 failed)" in capsys.readouterr().out


def test_without_a_terminal_nothing_is_done_and_the_line_to_write_is_shown() -> None:
    numbers = Numbers(5)
    with pytest.raises(InvalidArgument, match=r"would retry 5 tasks \(5 failed\); .* write .* --yes"):
        do(numbers, yes=False)
    assert numbers.performed == 0


def test_ctrl_c_stops_after_the_portion_and_says_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = Numbers(5_000)
    numbers.on_portion = lambda: signal.raise_signal(signal.SIGINT)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as ended:
        do(numbers)
    assert (ended.value.code, numbers.performed) == (1, PORTION)
    assert "stopped: 1,000 of 5,000 are ready again, the rest is as it was" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_at_once() -> None:
    numbers = Numbers(5_000)

    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    numbers.on_portion = twice
    with pytest.raises(KeyboardInterrupt):
        do(numbers)


def test_a_master_that_goes_away_leaves_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = Numbers(5_000)

    def vanish() -> None:
        if numbers.performed:
            raise Unreachable("gone")

    numbers.on_portion = vanish
    with pytest.raises(Unreachable):
        do(numbers)
    assert "1,000 of 5,000 are ready again, then:" in capsys.readouterr().err


def test_programs_are_reported_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    do(Numbers(7), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"tasks": 7, "matched": 7, "stopped": False}
