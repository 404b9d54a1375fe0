"""One attempt as a worker holds it, and how a child that had it died. Pure records; many attempts are runs, see ``runs.py``."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...common.contract.workers import HeldRow
from ...common.values.failure import show_bytes


class Job(NamedTuple):
    """A leased attempt to which something happens alone. ``ordinal`` names it between supervisor and child: 0 while no child
    has it."""

    id: bytes
    attempt: int
    lease: bytes
    queue: str
    name: str
    timeout: float | None
    payload: bytes
    suspect: bool = False
    number: int = 1  # of this attempt, as it is shown; ``attempt`` counts leases and is the fencing token
    ordinal: int = 0

    @property
    def key(self) -> tuple[bytes, int]:
        """Unique among the jobs in hand."""
        return self.id, self.attempt

    @property
    def held(self) -> list[Any]:
        """The form in which ``announce`` and ``release`` name it."""
        return list(HeldRow(self.id, self.attempt, self.lease))


class Death(NamedTuple):
    """How a child process ended: ``code`` as in subprocess, negative for a signal; and what was found out."""

    code: int
    peak_bytes: int = 0  # the most physical memory it ever had; 0: unknown
    limit_bytes: int | None = None  # of its memory; None: unknown, or there is none
    is_ours: bool = False  # it was killed by its supervisor
    is_starved: bool = False  # the kernel killed a process for lack of memory at that time
    stacks: str = ""  # of its threads, by faulthandler
    last_lines: str = ""  # of what the running job had printed
    holder: int = 0  # of many jobs, the ordinal of that whose code ran at that moment; 0: none, or unknown

    @property
    def signal_name(self) -> str:
        """Empty when no signal ended it."""
        if self.code >= 0:
            return ""
        import signal

        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"

    @property
    def memory_verdict(self) -> str:
        """The likely cause of a SIGKILL that this worker did not send; else empty."""
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
