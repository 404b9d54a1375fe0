"""Who may knock: bounds on connections that have not proven anything yet, and patience with wrong proofs.

Pure: time is handed in. A stranger can take at most so many places for so many seconds, whatever he
sends or does not send; those inside are not in his way.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Generic, TypeVar

S = TypeVar("S")

STRANGERS_MAX: Final = 512  # connections before WELCOME, in all
STRANGERS_PER_ADDRESS_MAX: Final = 16  # a host that starts many workers at once still gets in, in turns
UNDISTURBED_SECONDS: Final = 0.5  # an honest handshake is over by then; later a place may go to the next
TLS_SECONDS_MAX: Final = 5.0
HANDSHAKE_SECONDS_MAX: Final = 10.0  # TLS included
REFUSALS_FREE: Final = 5  # wrong proofs from one address before answers become slow
REFUSAL_RECOVERY_SECONDS: Final = 10.0  # one wrong proof is forgiven in this time
REFUSAL_DELAY_SECONDS: Final = 0.2  # the uniform delay of every refusal
SLOW_REFUSAL_DELAY_SECONDS: Final = 3.0
ADDRESSES_MAX: Final = 10_000  # remembered, oldest forgotten first


class Gate(Generic[S]):
    """``S``: a stranger, whatever the owner takes for one. ``places``, ``per_address``: how many there may be, in all and
    of one address. ``patience``: for how many seconds a place is its own when others want it."""

    def __init__(
        self,
        places: int = STRANGERS_MAX,
        per_address: int = STRANGERS_PER_ADDRESS_MAX,
        patience: float = UNDISTURBED_SECONDS,
    ) -> None:
        self._places, self._per_address, self._patience = places, per_address, patience
        self._strangers: dict[S, tuple[str, float]] = {}  # address, since when; in the order they came
        self._of_address: dict[str, dict[S, None]] = {}
        self.turned_away = 0  # unheard, because there was no place or others wanted it
        self._refused: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address: level, as of

    def __len__(self) -> int:
        return len(self._strangers)

    def enter(self, stranger: S, address: str, now: float) -> tuple[bool, S | None]:
        """Whether there is a place, and who has to give it up for that: one of the address that has most, or the
        oldest who has had his time. So a thousand silent connections keep out nobody from elsewhere, and
        nobody of their own address for longer than ``patience``.
        """
        mine = self._of_address.get(address, {})
        patience = self._patience
        oldest: S | None = None
        if len(mine) >= self._per_address:
            oldest = next(iter(mine))
        elif len(self._strangers) >= self._places:
            crowd = max(self._of_address.values(), key=len)
            if len(crowd) > len(mine) + 1:  # many from one address are nobody's guests: at once
                oldest, patience = next(iter(crowd)), 0.0
            else:
                oldest = next(iter(self._strangers))
        if oldest is not None:
            self.turned_away += 1
            if now - self._strangers[oldest][1] < patience:
                return False, None
            self.leave(oldest)
        self._strangers[stranger] = address, now
        self._of_address.setdefault(address, {})[stranger] = None
        return True, oldest

    def leave(self, stranger: S) -> None:
        """A place is given back, by somebody admitted, refused or gone; more than once does no harm."""
        address, _ = self._strangers.pop(stranger, ("", 0.0))
        mine = self._of_address.get(address, {})
        mine.pop(stranger, None)
        if not mine:
            self._of_address.pop(address, None)

    def refusal_delay(self, address: str, now: float) -> float:
        """Seconds to wait before telling this address that its proof was wrong."""
        level, since = self._refused.pop(address, (0.0, now))
        level = max(0.0, level - (now - since) / REFUSAL_RECOVERY_SECONDS) + 1
        self._refused[address] = (level, now)
        if len(self._refused) > ADDRESSES_MAX:
            self._refused.popitem(last=False)
        return REFUSAL_DELAY_SECONDS if level <= REFUSALS_FREE else SLOW_REFUSAL_DELAY_SECONDS
