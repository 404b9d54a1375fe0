"""What calls that wait are given in one transaction: so much, and the rest in the next ones, each queue or lock in its turn. Pure.

::

    a permit, an item ─► is_left? ─┬─ yes: gave ─► the call is answered
                                   └─ no: later ─► serve, in the next transaction: all that are left share it

To park a call is a call's own work, and counted as that. To end very many is not: a queue that is resumed, a semaphore with a
thousand permits more. What one of them has for its callers must not keep the callers of another waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

GIVEN_MAX: Final = 2_000  # calls, as many as a transaction performs: some 25 ms
GIVEN_BYTES_MAX: Final = 8 * 1024 * 1024  # of what they are given
_CALL_BYTES: Final = GIVEN_BYTES_MAX // GIVEN_MAX  # so many take as long as a call

T = TypeVar("T")


class Portions(Generic[T]):
    """``wake``: have ``serve`` called in the next transaction, True; or no longer, False."""

    def __init__(self, wake: Callable[[bool], object]) -> None:
        self._wake = wake
        self._left = GIVEN_MAX
        self._kept = 0  # of what is left, for those whose turn is still to come
        self._waiting: dict[T, None] = {}

    def begin(self) -> None:
        """A transaction begins."""
        self._left, self._kept = GIVEN_MAX, 0

    def load(self, waiting: list[T]) -> None:
        """These and no others have something to give: the transaction is void, or the first one is to begin."""
        self._waiting = dict.fromkeys(waiting)
        self._wake(bool(waiting))

    @property
    def is_left(self) -> bool:
        """Whether one more call may be answered in this transaction."""
        return self._left > self._kept

    def gave(self, size_bytes: int = 0) -> None:
        self._left -= 1 + size_bytes // _CALL_BYTES

    def later(self, thing: T) -> None:
        """It has more to give than is left. What is gone by its turn gives nothing: its owner sees that."""
        self._waiting[thing] = None
        self._wake(True)

    def serve(self, give: Callable[[T], object]) -> None:
        """The turn of each; ``give`` calls ``later`` for what has more than its share."""
        before, self._waiting = list(self._waiting), {}
        turns = 0
        while turns < len(before) and self._left > 0:
            # Of n things the first has a share of 1/n, the next one 1/(n-1) of what is left: what one does not use is for the others.
            self._kept = self._left - max(1, self._left // (len(before) - turns))
            give(before[turns])
            turns += 1
        self._kept = 0
        if turns < len(before):
            # In front of those that had a turn and have more: each is served before any is served again.
            self._waiting = dict.fromkeys([*before[turns:], *self._waiting])
            self._wake(True)
