"""Limits on unauthenticated connections: how many, for how long, and how fast an address may guess keys.

::

    enter ─► new ──established: TLS is done──► known to speak ──leave: admitted, refused, gone
              │ the oldest of the largest crowd goes first,     │ few of one address; each has its time
              │ at once, when all places are taken              │

Pure: time is passed in. Unauthenticated connections take a bounded number of places for a bounded time, whether or not they
send anything, and admitted ones are not affected. A connection costs nothing to make, so it keeps no place: during a flood the
newest takes the place of the oldest, and a peer that starts its handshake at once gets through.

Guessing is slowed before the guess: an address that sent a wrong proof, or left without one after its challenge, waits for its
next challenge. Hanging up early saves it nothing.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

S = TypeVar("S")

UNAUTHENTICATED_MAX: Final = 512  # connections before WELCOME, in all
# Past TLS; a host that starts many workers at once gets in, in turns
UNAUTHENTICATED_PER_ADDRESS_MAX: Final = 16
GUESSING_PER_ADDRESS_MAX: Final = 4  # the same, of an address that guesses
# Past TLS; an honest handshake is over by then, later its place may go to the next
UNDISTURBED_SECONDS: Final = 0.5
TLS_SECONDS_MAX: Final = 5.0
HANDSHAKE_SECONDS_MAX: Final = 10.0  # TLS included
REFUSALS_FREE: Final = 5  # wrong proofs from one address before it is made to wait
REFUSALS_REMEMBERED_MAX: Final = 35  # of one address: five minutes until all are forgiven, and no more
REFUSAL_RECOVERY_SECONDS: Final = 10.0  # one wrong proof is forgiven in this time
REFUSAL_DELAY_SECONDS: Final = 0.2  # the same delay for every refusal, so that its time reveals nothing
CHALLENGE_DELAY_SECONDS: Final = 3.0  # for an address that guesses; with TLS it fits into a handshake's time
ADDRESSES_MAX: Final = 10_000  # remembered, oldest forgotten first
NETWORK_BITS: Final = 64  # of IPv6: what one subscriber has


class AdmissionLimiter(Generic[S]):
    """``S``: the owner's connections. ``places``: how many there may be in all. ``per_address``: of one address, past TLS.
    ``undisturbed_seconds``: how long such a place is kept when others need it."""

    def __init__(
        self,
        places: int = UNAUTHENTICATED_MAX,
        per_address: int = UNAUTHENTICATED_PER_ADDRESS_MAX,
        undisturbed_seconds: float = UNDISTURBED_SECONDS,
    ) -> None:
        self._places, self._per_address, self._undisturbed_seconds = places, per_address, undisturbed_seconds
        self._waiting: dict[S, str] = {}  # their addresses; in the order they came
        self._of_address: dict[str, dict[S, None]] = {}
        self._established: dict[str, dict[S, float]] = {}  # of an address: since when; in that order
        self.rejected = 0  # without a word from them, because there was no place or others needed it
        self._refused: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address: level, as of

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, connection: S, address: str, now: float) -> tuple[bool, S | None]:
        """Whether there is a place, and which connection has to give it up for that. So a thousand silent connections keep
        no other out, from elsewhere or from their own address.
        """
        address = _subscriber(address)
        evicted: S | None = None
        if len(self._waiting) >= self._places:
            evicted = self._to_evict(address, now)
            self.rejected += 1
            if evicted is None:
                return False, None
            self.leave(evicted)
        self._waiting[connection] = address
        self._of_address.setdefault(address, {})[connection] = None
        return True, evicted

    def established(self, connection: S, now: float) -> tuple[bool, S | None]:
        """TLS is done. Whether it may go on, and which connection of its address has to give up for that."""
        address = self._waiting.get(connection)
        if address is None:
            return False, None
        mine = self._established.setdefault(address, {})
        if connection in mine:
            return True, None  # said before: it takes no second place, and does not give up for itself
        oldest: S | None = None
        if len(mine) >= self._most_of(address, now):
            oldest = next(iter(mine))
            self.rejected += 1
            if now - mine[oldest] < self._undisturbed_seconds:
                return False, None
            self.leave(oldest)
            mine = self._established.setdefault(address, {})
        mine[connection] = now
        return True, oldest

    def leave(self, connection: S) -> None:
        """Give a place back: it was admitted, refused or is gone. More than once does no harm."""
        address = self._waiting.pop(connection, "")
        groups: dict[str, dict[S, Any]]
        for groups in (self._of_address, self._established):
            mine = groups.get(address)
            if mine is not None:
                mine.pop(connection, None)
                if not mine:
                    del groups[address]

    def _to_evict(self, address: str, now: float) -> S | None:
        """The oldest before TLS, of the address that has most if that has more than this one; else of all. If there is
        none, the oldest past it, when its time is over or it is one of a crowd."""
        # Only when all places are taken: to look through all addresses for each connection would be a flood's own work.
        crowd = max(self._of_address.values(), key=len)
        is_crowd = len(crowd) > len(self._of_address.get(address, {})) + 1
        candidates = crowd if is_crowd else self._waiting
        for one in candidates:
            if one not in self._established.get(self._waiting[one], {}):
                return one
        oldest = next(iter(candidates))
        since = self._established[self._waiting[oldest]][oldest]
        return oldest if is_crowd or now - since >= self._undisturbed_seconds else None

    # guesses of keys

    def _most_of(self, address: str, now: float) -> int:
        if self._guesses(address, now):
            return min(self._per_address, GUESSING_PER_ADDRESS_MAX)
        return self._per_address

    def challenge_delay(self, address: str, now: float) -> float:
        """Seconds until this address is given a challenge."""
        return CHALLENGE_DELAY_SECONDS if self._guesses(_subscriber(address), now) else 0.0

    def refusal_delay(self, address: str, now: float) -> float:
        """A wrong proof, in a protocol whose challenges cannot wait: seconds until the refusal is sent."""
        self.failed(address, now)
        return max(REFUSAL_DELAY_SECONDS, self.challenge_delay(address, now))

    def failed(self, address: str, now: float) -> None:
        """A challenge was not answered, or wrongly."""
        address = _subscriber(address)
        level = min(self._level(address, now) + 1, REFUSALS_REMEMBERED_MAX)
        self._refused[address] = (level, now)
        self._refused.move_to_end(address)
        if len(self._refused) > ADDRESSES_MAX:
            self._refused.popitem(last=False)

    def _guesses(self, address: str, now: float) -> bool:
        return self._level(address, now) > REFUSALS_FREE - 1  # the fifth counts until one is forgiven

    def _level(self, address: str, now: float) -> float:
        level, since = self._refused.get(address, (0.0, now))
        return max(0.0, level - (now - since) / REFUSAL_RECOVERY_SECONDS)


@lru_cache(maxsize=ADDRESSES_MAX)
def _subscriber(address: str) -> str:
    """What counts as one address: of IPv6 the network, in which one host has as many addresses as it likes."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    if parsed.is_loopback:
        return address
    return str(ipaddress.IPv6Network((int(parsed), NETWORK_BITS), strict=False))
