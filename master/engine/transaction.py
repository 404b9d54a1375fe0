"""What one transaction of the engine did."""

from __future__ import annotations

from dataclasses import dataclass, field

from .session import Call
from .trouble import Chore, Turn


@dataclass(slots=True)
class Transaction:
    """What one transaction did: its answers, and whether it has to be made durable first."""

    replies: list[Call] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    changed: bool = False
    failed: bool = False  # it is void, its callers are told so
    turn: Turn = Turn.ALL
    chore: Chore | None = None  # done by itself
