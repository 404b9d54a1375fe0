"""A histogram that costs little: counts between fixed bounds, fed one by one or a whole column at once. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

SECONDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3600.0)  # of tasks
DISK_SECONDS: Final = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)  # of commits and of lag
SIZES: Final = (1, 2, 5, 10, 50, 100, 500, 1_000, 2_000)


class Buckets:
    """``bounds`` are the upper ends, each included; one more bucket takes what is larger."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times

    def observe_all(self, values: list[float]) -> None:
        """Sorted first, so that it costs a look per bucket and not per value. The list is left sorted."""
        values.sort()
        self.sum += math.fsum(values)
        before = 0
        for index, bound in enumerate(self.bounds):
            upto = bisect_right(values, bound, before)
            self.counts[index] += upto - before
            before = upto
        self.counts[-1] += len(values) - before

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper end and how many were up to it, as the exposition format wants them."""
        rows: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip((*self.bounds, math.inf), self.counts, strict=True):
            total += count
            rows.append(("+Inf" if math.isinf(bound) else repr(float(bound)), total))
        return rows
