"""What one transaction of the engine did."""

from __future__ import annotations

from dataclasses import dataclass, field

from .session import Call
from .trouble import Chore, Turn


@dataclass(slots=True)
class Transaction:
    """What one transaction did: its answers, and whether it has to be made durable first."""

    number: int
    replies: list[Call] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    changed: bool = False
    failed: bool = False  # it is void, and its callers get an error
    turn: Turn = Turn.ALL
    chore: Chore | None = None  # done by itself

    def add(self, call: Call) -> None:
        """It is performed in this transaction."""
        call.performed_in = self.number
        self.calls.append(call)

    def send_answers(self) -> None:
        """Answers of parked calls leave first: workers wait for tasks with them, clients for outcomes. The answer that something
        is stored is not urgent."""
        others: list[Call] = []
        for call in self.replies:
            if call.performed_in == self.number:
                others.append(call)
            else:
                call.send()
        for call in others:
            call.send()
