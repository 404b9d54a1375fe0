"""A short run of every target, from the same seeds each time; ``make fuzz`` runs two million cases."""

from __future__ import annotations

import pytest

from ..sampling import sampled
from .runner import CASES_OF_CHUNK, Chunk, run
from .targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", sampled([0, 1], [0]))
def test_damaged_input_is_answered_with_an_error_of_our_own(target: str, seed: int) -> None:
    _, wrong = run(Chunk(target, seed, 2_000))
    assert not wrong, wrong


# 3, 7, 17: a queue that went by age again had its plain tasks in line, too, as they had stood in it; 25: a lane that a submit had asked for
# was forgotten, for all that it was used for until then had gone in the same transaction.
@pytest.mark.parametrize("seed", [3, 7, 17, 25])
def test_a_seed_that_once_broke_the_engine_is_harmless(seed: int) -> None:
    _, wrong = run(Chunk("engine", seed, CASES_OF_CHUNK))
    assert not wrong, wrong


def test_a_target_that_raises_anything_else_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "broken", lambda: lambda random: int("no number"))
    _, wrong = run(Chunk("broken", 0, 1))
    assert "ValueError" in wrong
