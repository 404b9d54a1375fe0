"""What a misspelt word was meant to be."""

from __future__ import annotations

import pytest
from tq.common.runtime.guessing import nearest


@pytest.mark.parametrize(
    ("word", "count", "guesses"),
    [("queus", 1, ["queues"]), ("resle", 2, ["resume", "result"]), ("xyzzy", 3, []), ("", 1, [])],
)
def test_the_most_similar_words_are_guessed_and_none_for_what_resembles_none(
    word: str, count: int, guesses: list[str]
) -> None:
    assert nearest(word, ("queues", "resume", "result"), count) == guesses
