"""The store's verbs for deleting tasks. Part of ``interface.Store``; the same rules.

Tasks that were submitted together and ended together are deleted together, as far as a bound allows it.

Results that others still need are passed over (see ``interface.dependencies``), a bounded number in each call: the next call goes on behind
them, and the one after the last of all begins again with the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

# That are still needed, in one call, besides those of the same moment: a few milliseconds
PASSED_MAX: Final = 500


class Purged(NamedTuple):
    """So many tasks of a route that had ended in this state."""

    route: int
    state: int
    tasks: int


class RetentionStore(Protocol):
    looks_on: bool
    """Whether the last call of ``purge`` or ``purge_surplus`` has passed over as many as one call may, so that there may be more behind them."""

    def purge(self, finished_before: int, limit: int, ttl: int = 0) -> list[Purged]:
        """Delete finished tasks whose time is over, the first ones first, until about ``limit`` are gone: those that ended together go
        together. ``ttl``: ms for which those are kept that do not say it, so that it is now that much later than
        ``finished_before``."""

    def purge_surplus(self, tasks: int, size: int, limit: int, ttl: int = 0) -> list[Purged]:
        """Delete the finished tasks whose time is over next until so many are gone and they had so many bytes of arguments and results, or about
        ``limit`` are gone. Of tasks that ended together none goes before half of them would."""

    def delete(self, seqs: Sequence[int]) -> None:
        """Delete tasks with all that is kept of them."""
