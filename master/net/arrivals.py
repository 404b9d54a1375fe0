"""Callers of a shard that is on its way to this master: they wait at the port, in the middle of their handshake, until it is served or does
not come. Refused, each would come back after a pause, and with a whole handshake of TLS each time; and who waits is served at once.

How long one may wait is its connection's own deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from ...common.wire.handshake import shard_of_hello


class CallersWire(Protocol):
    @property
    def is_open(self) -> bool: ...


class _Waiting(NamedTuple):
    wire: CallersWire
    goes_on: Callable[[], None]
    fail: Callable[[Exception], None]


class Arrivals:
    """Of a port."""

    def __init__(self) -> None:
        self._of_shard: dict[int, list[_Waiting]] = {}

    def expect(self, shard: int) -> None:
        self._of_shard.setdefault(shard, [])

    def holds(
        self, hello: bytes, wire: CallersWire, goes_on: Callable[[], None], fail: Callable[[Exception], None]
    ) -> bool:
        """Whether its shard is on its way. Then ``goes_on`` is called when that is over, if its connection is open; ``fail`` with what it
        raises."""
        if not self._of_shard:
            return False
        waiting = self._of_shard.get(shard_of_hello(hello))
        if waiting is not None:
            waiting.append(_Waiting(wire, goes_on, fail))
        return waiting is not None

    def settled(self, shard: int) -> None:
        """It is served, or does not come."""
        for one in self._of_shard.pop(shard, ()):
            if not one.wire.is_open:
                continue
            try:
                one.goes_on()
            except Exception as error:
                one.fail(error)
