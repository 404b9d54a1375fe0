"""Turns of the loop for keys whose connections are held up: each key's traffic goes on after the others had theirs."""

from __future__ import annotations

import asyncio

from ..engine.traffic import Traffic


class TrafficTurns:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._keys: dict[Traffic, None] = {}  # of keys that have connections held up
        self._is_scheduled = False

    def hold_up(self, traffic: Traffic) -> None:
        """Connections of a key wait, until it has room in the inbox or others have had their turn."""
        self._keys[traffic] = None
        # One that waits for room in the inbox is looked at when a transaction has ended, and not in each turn of the loop.
        if traffic.waits_for_turn:
            self.schedule()

    def schedule(self) -> None:
        """Let those that are held up try again soon."""
        if self._keys and not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._is_scheduled = False
        waiting, self._keys = self._keys, {}
        for traffic in waiting:
            traffic.next_turn()
            if traffic.is_waited_for:
                self.hold_up(traffic)
