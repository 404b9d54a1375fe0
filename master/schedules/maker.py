"""By whose rights a schedule makes tasks: its maker's key, as it is at that moment. Pure."""

from __future__ import annotations

from collections.abc import Callable

from ...common.auth.keys import Verifier
from ..store.interface.schedules import ScheduleRow
from .definitions import definition_of


class MayRun:
    """``key_of``: a key that is known, by its id."""

    def __init__(self, key_of: Callable[[str], Verifier | None]) -> None:
        self._key_of = key_of

    def why_not(self, row: ScheduleRow) -> str:
        """Why it may make no tasks; empty: it may."""
        key, queue = self._key_of(row.key), definition_of(row).queue
        if key is None or key.is_revoked:
            return f"the key {row.key} of its maker was revoked; resume it with a key that covers the queue {queue}"
        if not key.allows_queue(queue):
            return f"the key {row.key} of its maker does not cover the queue {queue}; resume it with one that does"
        return ""
