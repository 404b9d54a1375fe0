"""The store's counts of the tasks that ended, by route and state, and of what they take. Part of ``interface.Store``; the same rules.

They are kept in the transaction of each change: there may be millions, and a master starts without looking at one of them.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Count(NamedTuple):
    route: int
    state: int
    tasks: int
    bytes: int  # of arguments and results


class CountStore(Protocol):
    @property
    def kept_bytes(self) -> int:
        """Of arguments and results of all of them."""

    def read(self) -> list[Count]:
        """As they are kept, without those that are zero."""

    def recount(self) -> list[Count]:
        """The same by looking at every task: for checks."""
