"""What a soak has measured, minute by minute, as a table and a verdict. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from .figures import show_megabytes, show_rate, show_seconds
from .readings import percentile
from .table import markdown

# What is kept for a minute fills up, is deleted for the first time, and each program was killed once
WARM_UP_MINUTES: Final = 3
COMPARED_MINUTES: Final = 5
TOLERANCE: Final = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Minute:
    """Means of what was sampled; ``asked`` and ``results`` a second; ``trips``: seconds in order of size."""

    asked: float
    results: float
    trips: Sequence[float] = field(repr=False)
    file_bytes: float
    master_bytes: float
    worker_bytes: float
    client_bytes: float
    killed: str

    def __str__(self) -> str:
        return ", ".join(self.cells())

    def cells(self) -> list[str]:
        return [
            show_rate(self.results),
            f"{show_seconds(self.trip(0.5))} / {show_seconds(self.trip(0.99))}",
            show_megabytes(self.file_bytes),
            show_megabytes(self.master_bytes),
            show_megabytes(self.worker_bytes),
            show_megabytes(self.client_bytes),
            self.killed,
        ]

    def trip(self, share: float) -> float:
        return percentile(list(self.trips), share) if self.trips else 0.0


FIGURES: Final[dict[str, Callable[[Minute], float]]] = {
    "results a second": lambda minute: minute.results,
    "p99 of a round trip": lambda minute: minute.trip(0.99),
    "the file": lambda minute: minute.file_bytes,
    "memory of the master": lambda minute: minute.master_bytes,
    "memory of the worker": lambda minute: minute.worker_bytes,
    "memory of the client": lambda minute: minute.client_bytes,
}
SMALLER_IS_FINE: Final = ("p99 of a round trip", "the file")


def report(minutes: Sequence[Minute], *, command: str, machine: str) -> str:
    head = (
        "minute",
        "results",
        "round trip p50 / p99",
        "file",
        "master",
        "worker and children",
        "client",
        "killed",
    )
    lines = [[str(number), *minute.cells()] for number, minute in enumerate(minutes, 1)]
    asked = f" {show_rate(minutes[0].asked)} tasks are submitted." if minutes else ""
    parts = [f"`{command}` on {machine}.{asked}", markdown(head, lines)]
    if compared := changes(minutes):
        said = ", ".join(f"{name} {change:+.1%}" for name, change in compared.items())
        flat = all(is_flat(name, change) for name, change in compared.items())
        verdict = "flat within ten per cent" if flat else "**not flat within ten per cent**"
        parts.append(
            f"The last five minutes against minutes {WARM_UP_MINUTES + 1} to {WARM_UP_MINUTES + 5}: {said}; {verdict}."
        )
    return "\n\n".join(parts) + "\n"


def changes(minutes: Sequence[Minute]) -> dict[str, float]:
    """How each figure's mean of the last five minutes differs from that of the first five after the warm-up. Empty: too few."""
    warm = minutes[WARM_UP_MINUTES:]
    if len(warm) < 2 * COMPARED_MINUTES:
        return {}
    first, last = warm[:COMPARED_MINUTES], warm[-COMPARED_MINUTES:]
    return {
        name: sum(map(figure, last)) / max(1e-9, sum(map(figure, first))) - 1
        for name, figure in FIGURES.items()
    }


def is_flat(name: str, change: float) -> bool:
    return abs(change) <= TOLERANCE or (change < 0 and name in SMALLER_IS_FINE)
