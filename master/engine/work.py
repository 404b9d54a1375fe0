"""The work that one transaction may do before the next one begins, so that no caller waits long. Pure.

Calls are small and what they ask for is not: four hundred lists of ten thousand tasks fit into 12 KB. So a
transaction takes calls until so many rows were named, looked at or answered, whatever the number of calls. A call that
has begun is finished; how much it may name and look at is bounded by itself.

What is counted is what is known to cost. What is not foreseen is found by the clock: after a tenth of a second a
transaction takes no more calls either. It is the wall's time that those who wait feel, and reading it is cheap: the
processor's is a system call, which takes longer than many a call that it would measure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

ROWS_MAX: Final = 10_000  # named, looked at or answered: up to a quarter of a second
ROW_BYTES: Final = 512  # of content take as long as a row
SECONDS_MAX: Final = 0.1  # for the calls of one transaction
GLANCES: Final = 20  # names or counts in memory that are looked at while one row is read and written


class Work:
    """What is left of one share: of calls, of leases and of outcomes, so that neither keeps the others waiting."""

    def __init__(self, seconds: Callable[[], float] | None = None) -> None:
        """``seconds``: a monotonic clock; None: only what is counted ends a share."""
        self._seconds = seconds
        self._left = ROWS_MAX
        self._until = 0.0

    def begin(self) -> None:
        """A transaction begins."""
        self._left = ROWS_MAX
        if self._seconds is not None:
            self._until = self._seconds() + SECONDS_MAX

    @property
    def is_left(self) -> bool:
        return self._left > 0 and (self._seconds is None or self._seconds() < self._until)

    def asked(self, rows: int) -> None:
        self._left -= rows

    def looked(self, rows: int) -> None:
        """So many rows were read to find those that are answered, or to find that there are none."""
        self._left -= rows

    def glanced(self, things: int) -> None:
        """So many names, counts or claims in memory were looked at."""
        self._left -= things // GLANCES

    def gave(self, rows: int, size_bytes: int) -> None:
        self._left -= rows + size_bytes // ROW_BYTES

    def answered(self, value: Any) -> None:
        """By all that is in it: rows of a list, and the bytes of texts and bytes wherever they stand."""
        kind = type(value)
        if kind is list or kind is dict:
            self.gave(*_measured(value))
        elif kind is bytes or kind is str:
            self._left -= len(value) // ROW_BYTES


def _measured(answer: list[Any] | dict[str, Any]) -> tuple[int, int]:
    """How many rows there are in an answer's lists, and how many bytes in its texts. Rows of rows are one."""
    parts = [answer] if isinstance(answer, list) else answer.values()
    return sum(len(part) for part in parts if type(part) is list), text_bytes(answer)


def text_bytes(value: Any) -> int:
    """How many bytes and characters there are in an answer's texts, wherever they stand."""
    size = 0
    left: list[Any] = [value]
    # Not recursive: an answer may be nested as deep as the codec allows, and this is asked for each one.
    while left:
        value = left.pop()
        kind = type(value)
        if kind is bytes or kind is str:
            size += len(value)
        elif kind is list or kind is tuple:
            left.extend(value)
        elif kind is dict:
            left.extend(value.values())
    return size
