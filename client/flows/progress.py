"""How far a flow is, as the master's answers say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowProgress:
    """How far a flow is.

    Attributes:
        state: ``"open"``, ``"running"``, ``"succeeded"``, ``"failed"`` or ``"cancelled"``.
        run: Number of the run, from 1: each retry begins the next one.
        total: How many tasks it has so far.
        succeeded: How many of them succeeded.
        failed: How many failed, dead and lost ones among them.
        cancelled: How many were cancelled or expired.
        running: How many run now.
        reason: Why it was cancelled; empty otherwise.
    """

    state: str
    run: int
    total: int
    succeeded: int
    failed: int
    cancelled: int
    running: int
    reason: str

    @property
    def done(self) -> int:
        """How many tasks have ended."""
        return self.succeeded + self.failed + self.cancelled

    @property
    def waiting(self) -> int:
        """How many tasks have not started, or wait for a retry."""
        return self.total - self.done - self.running


def progress_of(shown: dict[str, Any]) -> FlowProgress:
    return FlowProgress(**{name: shown[name] for name in FlowProgress.__dataclass_fields__})
