"""One attempt as a worker holds it, and what came of it. Pure records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(slots=True, eq=False)
class Job:
    """A leased attempt. ``ordinal`` numbers the handing over to a child: 0 while it waits."""

    id: bytes
    attempt: int
    lease: bytes
    queue: str
    name: str
    timeout: float | None
    payload: bytes
    suspect: bool = False
    ordinal: int = 0
    cancelled: bool = False

    @property
    def key(self) -> tuple[bytes, int]:
        """No other job in hand is of the same attempt of the same task."""
        return self.id, self.attempt

    @property
    def held(self) -> list[Any]:
        """As ``announce`` and ``release`` name it."""
        return [self.id, self.attempt, self.lease]

    def down(self) -> list[Any]:
        """As a child is given it."""
        return [
            self.ordinal,
            self.id,
            self.attempt,
            self.name,
            self.queue,
            self.lease,
            self.timeout,
            self.payload,
        ]


class Report(NamedTuple):
    """What a child says of one job."""

    ordinal: int
    outcome: int
    body: bytes | None
    started: float  # Unix seconds
    seconds: float
    after: float | None


class Death(NamedTuple):
    """How a child process ended: ``code`` as subprocess has it, negative for a signal."""

    code: int

    def __str__(self) -> str:
        if self.code >= 0:
            return f"exited with status {self.code}"
        import signal

        try:
            name = signal.Signals(-self.code).name
        except ValueError:
            name = f"signal {-self.code}"
        hint = " (out of memory, or killed by hand)" if name == "SIGKILL" else ""
        return f"was killed by {name}{hint}"
