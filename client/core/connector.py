"""Opens transports to the master: how long the first one is tried, and how long to pause after failures.

The first connection is tried for ``connect_seconds``, so that a wrong address is noticed. Once there was a connection, the
master is known to exist, and reconnecting is tried without end: callers have timeouts of their own.

Pauses grow with failures in a row, of three kinds: attempts to connect, connections that answered no call, and losses of
calls on a supervisor's connection. They are spread at random, so that the clients of a restarted master do not return all
at the same moment.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from random import SystemRandom
from typing import Final

from ...common.domain.retry import retry_delay
from ...common.errors import ProtocolError, QuotaExceeded, Unreachable
from ...common.wire.connection import CONNECT_SECONDS
from ...common.wire.take_over import TakeOver
from .transports import CallResult, Opener, Transport

BACKOFF_SECONDS_MIN: Final = 0.05
BACKOFF_SECONDS_MAX: Final = 5.0
# Of the time for the first connection, or half of that time: no attempt that begins so late can know more.
LAST_SECONDS: Final = 1.0
# Not the program's own generator: a program that sets a seed must get the same numbers with and without tq.
_random: Final = SystemRandom()

log = logging.getLogger("tq.client")


class Connector:
    """``fruitless``: connections in a row that answered no call; ``losses``: of calls in a row, on a supervisor's
    connection. The link resets both when a call is answered."""

    def __init__(self, opener: Opener, connect_seconds: float) -> None:
        self._open_transport, self._connect_seconds = opener, connect_seconds
        self.was_connected = False
        self.fruitless = 0
        self.losses = 0

    async def open(self, on_result: Callable[[CallResult], None]) -> Transport:
        """A transport. Raises Rejected, which is final; the first time also any other error once ``connect_seconds`` have
        passed, and ProtocolError at once: then the server is not a tq-master."""
        now = asyncio.get_running_loop().time
        deadline = None if self.was_connected else now() + self._connect_seconds
        reason: Exception | None = None
        take_over = TakeOver()
        for attempt in itertools.count(1):
            # Never 0: an attempt without any time would hide the reason of those before.
            rest = self._connect_seconds if deadline is None else max(0.001, deadline - now())
            rest = min(rest, CONNECT_SECONDS)  # an attempt that stops half-way leaves time for another
            pause = _pause_seconds(attempt)
            try:
                return await self._open_transport(on_result, rest)
            except (Unreachable, ProtocolError, QuotaExceeded) as error:
                # A last attempt of a few milliseconds fails by its own haste: the earlier reason is the true one.
                if reason is None or rest >= min(LAST_SECONDS, self._connect_seconds / 2):
                    reason = error
                if deadline is not None and isinstance(error, ProtocolError):
                    raise
                take_over.failed(error, now())
                pause = take_over.bounded(pause, now())
                # Raised now: after the pause nothing could be tried.
                if deadline is not None and now() + pause > deadline:
                    raise reason from None
                log.debug("attempt %d: %s", attempt, error)
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def pause_if_fruitless(self) -> None:
        """A master that admits us and then closes the connection is not called again at once."""
        if self.fruitless:
            await asyncio.sleep(_pause_seconds(self.fruitless))

    def pause_after_loss(self) -> float:
        """Seconds until lost calls are repeated on a supervisor's connection."""
        self.losses += 1
        return _pause_seconds(self.losses)


def _pause_seconds(failures: int) -> float:
    return retry_delay(failures, BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX, _random.random())
