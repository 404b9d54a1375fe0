"""What happens at one moment has an end: a loop of the master's that has none would be a run that never says what it found."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from .oracle import Broken
from .world import World

PROCESSOR_SECONDS: Final = 10.0  # a hundred times what the longest transaction takes


@contextmanager
def each_event_ends(world: World) -> Iterator[None]:
    """Raises Broken where one event takes longer. In processor time: a busy machine changes nothing."""
    seen = -1

    def look(*_: Any) -> None:
        nonlocal seen
        if world.taken == seen:
            raise Broken("liveness", f"what happens at {world.now} does not end")
        seen = world.taken

    before = signal.signal(signal.SIGVTALRM, look)
    signal.setitimer(signal.ITIMER_VIRTUAL, PROCESSOR_SECONDS, PROCESSOR_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
