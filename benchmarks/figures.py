"""A figure, what stands beside it, its goal; and numbers as they are shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Numbers = Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """``least`` or ``most``; what is compared may be the figure or its ratio to what stands beside it."""

    words: str
    value: float
    bound: float
    most: bool = False

    @property
    def met(self) -> bool:
        return self.value <= self.bound if self.most else self.value >= self.bound

    @property
    def reached(self) -> float:
        """How much of it: 1 is met, 2 is twice as good."""
        if self.most:
            return self.bound / self.value if self.value > 0 else 10.0
        return self.value / self.bound


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    title: str
    figure: str
    beside: str = ""
    goal: Goal | None = None


def at_least(title: str, value: float, bound: float, figure: str, beside: str = "") -> Row:
    goal = Goal(words=f"≥ {bound:,.0f} /s", value=value, bound=bound)
    return Row(title=title, figure=figure, beside=beside, goal=goal)


def times(
    title: str, value: float, other: float, beside: str, *, least: float, figure: str | None = None
) -> Row:
    goal = Goal(words=f"≥ {least:g} ×", value=value / other, bound=least)
    ratio = f"{value / other:.2f} ×"
    return Row(title=title, figure=f"{figure}, {ratio}" if figure else ratio, beside=beside, goal=goal)


def show_rate(value: float) -> str:
    """Three digits, for more would be noise."""
    digits = max(0, len(str(int(value))) - 3)
    return f"{round(value, -digits):,.0f} /s"


def show_bytes_rate(value: float) -> str:
    return f"{value / 1e6:,.0f} MB/s"


def show_megabytes(value: float) -> str:
    return f"{value / 1e6:,.0f} MB"


def show_seconds(value: float) -> str:
    return f"{value * 1e3:.2f} ms" if value >= 1e-3 else f"{value * 1e6:.2f} µs"
