"""One attempt as a worker holds it, and what came of it. Pure records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..common.failure import show_bytes


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
    blobs: list[bytes] | None = None  # hashes of the content that the result names; the master has it


class Death(NamedTuple):
    """How a child process ended: ``code`` as subprocess has it, negative for a signal; and what was found."""

    code: int
    peak_bytes: int = 0  # the most physical memory it ever had; 0: not known
    limit_bytes: int | None = None  # what it could have had, as far as a limit is known
    is_ours: bool = False  # it was killed by its supervisor
    is_starved: bool = False  # the kernel has killed something for lack of memory at that time
    stacks: str = ""  # of its threads, by faulthandler
    last_lines: str = ""  # of what the job that ran had printed

    @property
    def signal_name(self) -> str:
        """Empty when it was no signal."""
        if self.code >= 0:
            return ""
        import signal

        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"

    @property
    def memory_verdict(self) -> str:
        """What can be said of a SIGKILL that nobody here sent; empty when there is nothing."""
        if self.signal_name != "SIGKILL" or self.is_ours:
            return ""
        peak = f"; it had up to {show_bytes(self.peak_bytes)}" if self.peak_bytes else ""
        limit = f" of {show_bytes(self.limit_bytes)}" if peak and self.limit_bytes else ""
        if self.is_starved:
            return f"out of memory: the kernel killed for lack of it at that time{peak}{limit}"
        return f"likely out of memory, or killed by hand{peak}{limit}"

    def __str__(self) -> str:
        if self.code >= 0:
            return f"exited with status {self.code}"
        verdict = self.memory_verdict
        return f"was killed by {self.signal_name}" + (f" ({verdict})" if verdict else "")
