"""Guesses what a misspelt word was meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], count: int = 1, cutoff: float = 0.6) -> list[str]:
    """Up to ``count`` of the known words that resemble it, the most similar first."""
    from difflib import get_close_matches  # most starts need none of it: nothing is misspelt

    return get_close_matches(word, list(known), count, cutoff)
