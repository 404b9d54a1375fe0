"""The masters of one cluster in the order in which they are tried. Pure.

::

    line:  a  b  c ─► a serves: it stays first ─► a is lost: tried again, for it may only have been restarted
           a fails ─► it goes to the end:  b  c  a
           b stands by and names c ─► c goes to the front:  c  a  b

A *round* tries each once, and one that was named once more. Between rounds its owner pauses; within one it does not, since
another master has not refused anything yet.

A master that is named and was not given is tried as the given ones, and forgotten when it fails: the given ones are what a person
has written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .address import Address

NAMED_MAX: Final = 4  # in one round: two that each name the other must not be believed without end


class MasterLine:
    """``given``: at least one address."""

    def __init__(self, given: Sequence[Address]) -> None:
        self._given = frozenset(given)
        self._order = list(dict.fromkeys(given))

    @property
    def order(self) -> tuple[Address, ...]:
        return tuple(self._order)

    def round(self) -> MasterRound:
        return MasterRound(self)

    def to_front(self, address: Address) -> None:
        if address in self._order:
            self._order.remove(address)
        self._order.insert(0, address)

    def to_end(self, address: Address) -> None:
        if address in self._order:
            self._order.remove(address)
        # One that was only named is forgotten; the given ones always stay.
        if address in self._given:
            self._order.append(address)


class MasterRound:
    """``next`` and then what came of it, until one serves or ``next`` is None."""

    def __init__(self, line: MasterLine) -> None:
        self._line = line
        self._left = list(line.order)
        self._named = 0

    @property
    def left(self) -> int:
        """How many are still to be tried."""
        return len(self._left)

    def next(self) -> Address | None:
        return self._left.pop(0) if self._left else None

    def failed(self, address: Address) -> None:
        self._line.to_end(address)

    def stands_by(self, address: Address, owner: Address | None) -> None:
        """It serves not, and names the one that does, if it knows it."""
        self._line.to_end(address)
        if owner is None or owner == address or self._named >= NAMED_MAX:
            return
        self._named += 1
        self._line.to_front(owner)
        self._left = [owner, *(one for one in self._left if one != owner)]

    def serves(self, address: Address) -> None:
        self._line.to_front(address)
