"""Who may knock: bounds on connections that have not proven anything yet, and patience with wrong proofs.

::

    enter ─► new ──established: TLS is done──► known to speak ──leave: admitted, refused, gone
              │ the oldest of the largest crowd goes first,     │ few of one address; each has its time
              │ at once, when all places are taken              │

Pure: time is handed in. A stranger can take at most so many places for so many seconds, whatever he sends or does not
send; those inside are not in his way. What costs nothing to make, a connection, protects nobody's place: during a flood
of them the newest takes that of the oldest, so whoever speaks at once gets through.

Guesses are made slow before they are made: an address that guessed wrong, or left without a proof after it was
challenged, waits for its next challenge. To hang up early saves it nothing.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

S = TypeVar("S")

STRANGERS_MAX: Final = 512  # connections before WELCOME, in all
STRANGERS_PER_ADDRESS_MAX: Final = 16  # past TLS; a host that starts many workers at once gets in, in turns
SUSPECTS_PER_ADDRESS_MAX: Final = 4  # the same, of an address that guesses
UNDISTURBED_SECONDS: Final = (
    0.5  # past TLS; an honest handshake is over by then, later its place may go to the next
)
TLS_SECONDS_MAX: Final = 5.0
HANDSHAKE_SECONDS_MAX: Final = 10.0  # TLS included
REFUSALS_FREE: Final = 5  # wrong proofs from one address before it is made to wait
REFUSALS_REMEMBERED_MAX: Final = 35  # of one address: five minutes until all are forgiven, and no more
REFUSAL_RECOVERY_SECONDS: Final = 10.0  # one wrong proof is forgiven in this time
REFUSAL_DELAY_SECONDS: Final = 0.2  # the uniform delay of every refusal: it tells nothing
CHALLENGE_DELAY_SECONDS: Final = 3.0  # for an address that guesses; with TLS it fits into a handshake's time
ADDRESSES_MAX: Final = 10_000  # remembered, oldest forgotten first
NETWORK_BITS: Final = 64  # of IPv6: what one subscriber has


class AdmissionLimiter(Generic[S]):
    """``S``: a stranger, whatever the owner takes for one. ``places``: how many there may be in all. ``per_address``: of
    one address, past TLS. ``patience``: for how many seconds such a place is its own when others want it."""

    def __init__(
        self,
        places: int = STRANGERS_MAX,
        per_address: int = STRANGERS_PER_ADDRESS_MAX,
        patience: float = UNDISTURBED_SECONDS,
    ) -> None:
        self._places, self._per_address, self._patience = places, per_address, patience
        self._strangers: dict[S, str] = {}  # their addresses; in the order they came
        self._of_address: dict[str, dict[S, None]] = {}
        self._established: dict[str, dict[S, float]] = {}  # of an address: since when; in that order
        self.turned_away = 0  # unheard, because there was no place or others wanted it
        self._refused: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address: level, as of

    def __len__(self) -> int:
        return len(self._strangers)

    def enter(self, stranger: S, address: str, now: float) -> tuple[bool, S | None]:
        """Whether there is a place, and who has to give it up for that. So a thousand silent connections keep out
        nobody, from elsewhere or of their own address.
        """
        address = _subscriber(address)
        evicted: S | None = None
        if len(self._strangers) >= self._places:
            evicted = self._whose_turn_is_over(address, now)
            self.turned_away += 1
            if evicted is None:
                return False, None
            self.leave(evicted)
        self._strangers[stranger] = address
        self._of_address.setdefault(address, {})[stranger] = None
        return True, evicted

    def established(self, stranger: S, now: float) -> tuple[bool, S | None]:
        """It has done its part of TLS. Whether it may go on, and who of its address has to give up for that."""
        address = self._strangers.get(stranger)
        if address is None:
            return False, None
        mine = self._established.setdefault(address, {})
        oldest: S | None = None
        if len(mine) >= self._most_of(address, now):
            oldest = next(iter(mine))
            self.turned_away += 1
            if now - mine[oldest] < self._patience:
                return False, None
            self.leave(oldest)
            mine = self._established.setdefault(address, {})
        mine[stranger] = now
        return True, oldest

    def leave(self, stranger: S) -> None:
        """A place is given back, by one who was admitted, refused or is gone; more than once does no harm."""
        address = self._strangers.pop(stranger, "")
        groups: dict[str, dict[S, Any]]
        for groups in (self._of_address, self._established):
            mine = groups.get(address)
            if mine is not None:
                mine.pop(stranger, None)
                if not mine:
                    del groups[address]

    def _whose_turn_is_over(self, address: str, now: float) -> S | None:
        """The oldest before TLS, of the address that has most if that has more than this one; else of all. If there is
        none, the oldest past it, when its time is over or it is one of a crowd."""
        crowd = max(self._of_address.values(), key=len)
        is_crowd = len(crowd) > len(self._of_address.get(address, {})) + 1
        candidates = crowd if is_crowd else self._strangers
        for one in candidates:
            if one not in self._established.get(self._strangers[one], {}):
                return one
        oldest = next(iter(candidates))
        since = self._established[self._strangers[oldest]][oldest]
        return oldest if is_crowd or now - since >= self._patience else None

    # patience

    def _most_of(self, address: str, now: float) -> int:
        if self._guesses(address, now):
            return min(self._per_address, SUSPECTS_PER_ADDRESS_MAX)
        return self._per_address

    def challenge_delay(self, address: str, now: float) -> float:
        """Seconds until this address is given a challenge."""
        return CHALLENGE_DELAY_SECONDS if self._guesses(_subscriber(address), now) else 0.0

    def refusal_delay(self, address: str, now: float) -> float:
        """For those whose challenges cannot wait: seconds until it is told that its proof was wrong."""
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
