"""How long a peer has been silent, as far as this process could hear it."""

from __future__ import annotations


class Silence:
    """The silence of one peer, looked at from time to time.

    Time in which this process did not run (it was stopped, its machine slept or was busy with others) is not counted: what the
    peer sent is read before the next look, but what it would have answered was never asked.
    """

    def __init__(self) -> None:
        self._due: float | None = None
        self._received_at, self._stopped_seconds = 0.0, 0.0

    def look_at(self, due: float) -> None:
        """The next look is due then. A look that comes later shows that this process did not run."""
        self._due = due

    def seconds(self, now: float, received_at: float) -> float:
        """Seconds without a sign of life, the last of which came at ``received_at``; all by the event loop's clock."""
        if received_at != self._received_at:
            self._received_at, self._stopped_seconds = received_at, 0.0
        if self._due is not None:
            self._stopped_seconds += max(0.0, now - max(self._due, received_at))
            # Time that was taken for a standstill is so once: the next look counts from here.
            self._due = now
        return now - received_at - self._stopped_seconds
