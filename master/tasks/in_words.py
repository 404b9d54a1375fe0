"""Durations in the sentences of ``tq why``. Pure."""

from __future__ import annotations


def about(seconds: float) -> str:
    """``in about 40 s``: rounded, because an estimate is not exact."""
    if seconds < 1:
        return "within a second"
    if seconds < 10:
        return f"in about {seconds:.0f} s"
    if seconds < 120:
        return f"in about {round(seconds, -1):.0f} s"
    return f"in about {in_words(seconds)}"


def in_words(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
