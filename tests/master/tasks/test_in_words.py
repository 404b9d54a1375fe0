"""Durations in the sentences of ``tq why``."""

from __future__ import annotations

import pytest
from tq.master.tasks.in_words import about


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "within a second"),
        (4.4, "in about 4 s"),
        (38, "in about 40 s"),
        (118, "in about 120 s"),
        (600, "in about 10 min"),
        (9_000, "in about 2 h"),
        (400_000, "in about 5 d"),
    ],
)
def test_a_forecast_is_not_more_exact_than_it_can_be(seconds: float, words: str) -> None:
    assert about(seconds) == words
