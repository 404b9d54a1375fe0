"""How fast keys may be tried: a few at once from one address, then one every so often, and a bound on all together. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

TRIES_FREE_MAX: Final = 5  # of one address
RECOVERY_SECONDS: Final = 20.0  # until one more try is free
# The master counts failures by address, and for it all come from the page: what one browser guesses must not keep others out.
TRIES_OF_ALL_MAX: Final = 30
RECOVERY_OF_ALL_SECONDS: Final = 2.0
ADDRESSES_MAX: Final = 10_000  # remembered, the oldest forgotten first
ALL: Final = ""


class TryLimiter:
    """Counts tries that are under way or have failed, so that many at once are no way around it; time is passed in."""

    def __init__(self) -> None:
        self._tries: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address: so many, as of

    def wait_seconds(self, address: str, now: float) -> float:
        """How long this address has to wait before its next try; 0: it may try."""
        mine = self._level(address, now, RECOVERY_SECONDS) - (TRIES_FREE_MAX - 1)
        every = self._level(ALL, now, RECOVERY_OF_ALL_SECONDS) - (TRIES_OF_ALL_MAX - 1)
        return max(0.0, mine * RECOVERY_SECONDS, every * RECOVERY_OF_ALL_SECONDS)

    def begin(self, address: str, now: float) -> None:
        """A try counts from its beginning."""
        for name, seconds in ((address, RECOVERY_SECONDS), (ALL, RECOVERY_OF_ALL_SECONDS)):
            self._tries[name] = (self._level(name, now, seconds) + 1, now)
            self._tries.move_to_end(name)
        if len(self._tries) > ADDRESSES_MAX:
            oldest = next(name for name in self._tries if name != ALL)
            del self._tries[oldest]

    def forgive(self, address: str, now: float) -> None:
        """It was no wrong key."""
        for name, seconds in ((address, RECOVERY_SECONDS), (ALL, RECOVERY_OF_ALL_SECONDS)):
            self._tries[name] = (max(0.0, self._level(name, now, seconds) - 1), now)

    def _level(self, name: str, now: float, seconds: float) -> float:
        level, as_of = self._tries.get(name, (0.0, now))
        return max(0.0, level - (now - as_of) / seconds)
