"""The deadlines of one connection: a silent peer is cut off, and one that has to wait gets signs of life.

A connection has one deadline at a time; setting it again replaces it. Traffic costs no timer: when the deadline of a session
comes, it is compared with the last sign of life, and moved if there was one.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from ...common.runtime.callbacks import Breakable, contained
from ...common.wire.protocol import PONG
from ...common.wire.transport import SecureTransport

# One more than callers allow the master: their PINGs come first, and we only answer
SILENT_HEARTBEATS_MAX: Final = 4


class Watched(Breakable, Protocol):
    """The connection."""

    def cut_off(self, reason: str) -> None:
        """End it at once."""

    def alive(self) -> None:
        """Count its peer as alive."""


class Liveness:
    def __init__(
        self,
        connection: Watched,
        wire: SecureTransport,
        loop: asyncio.AbstractEventLoop,
        heartbeat_seconds: float,
    ) -> None:
        self._connection, self._wire, self._loop = connection, wire, loop
        self._heartbeat_seconds = heartbeat_seconds
        self._deadline: asyncio.TimerHandle | None = None
        self._answered_at = 0.0  # when a part of a long frame was last answered with a PONG

    def set(self, seconds: float, then: Any, *arguments: Any) -> None:
        """Call ``then`` in so many seconds, in place of the deadline so far."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._loop.call_later(seconds, then, *arguments)

    def cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def watch(self) -> None:
        """A session has begun, or its peer is read from again: from now on it must not be silent."""
        self.set(self._silence_seconds_max, self._check)

    def encourage(self) -> None:
        """A part of a long frame came. Its sender's PING waits behind it, perhaps for longer than that bears our silence: on a
        slow line it would give up and begin again, and never get through."""
        if self._wire.received_at - self._answered_at >= self._heartbeat_seconds:
            self._answered_at = self._wire.received_at
            self._wire.queue(PONG)

    def hold_up(self) -> None:
        """Nothing is read from the peer, by our own choice: until ``watch`` it counts as alive, and is shown that we are."""
        self.set(self._heartbeat_seconds, self._show_life)

    @property
    def _silence_seconds_max(self) -> float:
        return self._heartbeat_seconds * SILENT_HEARTBEATS_MAX

    @contained
    def _check(self) -> None:
        left = self._wire.received_at + self._silence_seconds_max - self._loop.time()
        if left <= 0:
            self._connection.cut_off(f"it was silent for {self._silence_seconds_max:g} s")
        else:
            self.set(left, self._check)

    @contained
    def _show_life(self) -> None:
        self._wire.queue(PONG)
        # It is held up by our choice: its leases must not end for that.
        self._connection.alive()
        self.hold_up()

    def broke(self, error: Exception) -> None:
        self._connection.broke(error)
