"""What one transaction may do before the next one begins, so that nobody waits long. Pure.

Calls are small and what they ask for is not: four hundred lists of ten thousand tasks fit into 12 KB. So a
transaction takes calls until so many rows were named or answered, whatever the number of calls. A call that has
begun is finished; how much it may name is bounded by itself.
"""

from __future__ import annotations

from typing import Any, Final

ROWS_MAX: Final = 10_000  # named, looked up or answered: up to a quarter of a second
ROW_BYTES: Final = 512  # of content take as long as a row


class Work:
    """What is left of one share: of calls, of leases and of outcomes, so that neither keeps the others waiting."""

    def __init__(self) -> None:
        self._left = ROWS_MAX

    def begin(self) -> None:
        """A transaction begins."""
        self._left = ROWS_MAX

    @property
    def is_left(self) -> bool:
        return self._left > 0

    def asked(self, rows: int) -> None:
        self._left -= rows

    def gave(self, rows: int, size_bytes: int) -> None:
        self._left -= rows + size_bytes // ROW_BYTES

    def answered(self, value: Any) -> None:
        """By its size at a glance: rows of a list, bytes, and those that stand in a map."""
        kind = type(value)
        if kind is list or kind is bytes:
            self._left -= _rows(value)
        elif kind is dict:
            self._left -= sum(_rows(one) for one in value.values() if type(one) in (list, bytes))


def _rows(value: list[Any] | bytes) -> int:
    return len(value) if type(value) is list else len(value) // ROW_BYTES
