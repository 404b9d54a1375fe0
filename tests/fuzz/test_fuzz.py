"""A short run of every target, from the same seeds each time; ``make fuzz`` runs two million cases."""

from __future__ import annotations

import pytest

from ..sampling import sampled
from .runner import Chunk, run
from .targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", sampled([0, 1], [0]))
def test_damaged_input_is_answered_with_an_error_of_our_own(target: str, seed: int) -> None:
    _, wrong = run(Chunk(target, seed, 2_000))
    assert not wrong, wrong


def test_a_target_that_raises_anything_else_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "broken", lambda: lambda random: int("no number"))
    _, wrong = run(Chunk("broken", 0, 1))
    assert "ValueError" in wrong
