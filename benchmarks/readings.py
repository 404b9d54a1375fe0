"""What measuring gives: numbers by name, and words where there is no number. Pure.

A measurement runs several times; its readings are gathered here and every figure shown is a median.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from .scale import Scale


@dataclass(kw_only=True, slots=True)
class Readings:
    """Of one run: ``numbers`` in units that the name's last word tells, ``notes`` for people."""

    numbers: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


Measurement = Callable[[Scale], Readings]


@dataclass(kw_only=True, slots=True)
class Gathered:
    """Of all runs."""

    runs: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, readings: Readings) -> None:
        for name, number in readings.numbers.items():
            self.runs.setdefault(name, []).append(number)
        self.notes.update(readings.notes)

    @property
    def medians(self) -> dict[str, float]:
        return {name: statistics.median(numbers) for name, numbers in self.runs.items()}


def percentile(sorted_values: list[float], share: float) -> float:
    """Of values in order; ``share`` from 0 to 1."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]
