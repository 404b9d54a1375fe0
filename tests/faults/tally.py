"""What the faults did, as the table at the end of the run."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..history.checker import Report

LOST, TWICE = {"H1", "H3"}, {"H4", "H5"}  # the rules that speak of lost tasks, and of two results for one
HEAD = ("fault", "times", "tasks", "lost", "accepted twice", "extra starts", "recovery s")


@dataclass
class Row:
    """One kind of fault, over all its trials. Recovery: from the end of the fault, the longest one."""

    times: int = 0
    tasks: int = 0
    lost: int = 0
    twice: int = 0
    extra_starts: int = 0
    recovery_seconds: list[float] = field(default_factory=list)

    def cells(self) -> list[str]:
        recovery = f"{max(self.recovery_seconds):.1f}" if self.recovery_seconds else "–"
        numbers = (self.times, self.tasks, self.lost, self.twice, self.extra_starts)
        return [*(f"{number:,}" for number in numbers), recovery]


class Tally:
    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def add(
        self, fault: str, report: Report, *, times: int, wanted_starts: int = 0, recovery: float | None = None
    ) -> None:
        """A judged trial. ``wanted_starts``: repetitions the tasks themselves asked for."""
        row = self._rows.setdefault(fault, Row())
        row.times += times
        row.tasks += report.tasks
        row.lost += sum(violation.rule in LOST for violation in report.violations)
        row.twice += sum(violation.rule in TWICE for violation in report.violations)
        row.extra_starts += report.extra_starts - wanted_starts
        if recovery is not None:
            row.recovery_seconds.append(recovery)

    def __bool__(self) -> bool:
        return bool(self._rows)

    def lines(self) -> list[str]:
        """A table that is one in Markdown, too."""
        table = [list(HEAD), *([fault, *row.cells()] for fault, row in self._rows.items())]
        widths = [max(len(line[column]) for line in table) for column in range(len(HEAD))]
        lines = ["| " + " | ".join(self._aligned(line, widths)) + " |" for line in table]
        rule = (
            "|"
            + "|".join("-" * (width + 1) + (":" if place else "-") for place, width in enumerate(widths))
            + "|"
        )
        return [lines[0], rule, *lines[1:]]

    @staticmethod
    def _aligned(line: list[str], widths: list[int]) -> list[str]:
        first, *others = zip(line, widths, strict=True)
        return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
