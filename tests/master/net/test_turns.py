"""Connections that are held up go on in the next turn of the loop, or when a transaction has ended. A real loop and real flows."""

from __future__ import annotations

import asyncio

from tq.master.engine.traffic import FRAMES_A_TURN, WAITING_BYTES_MAX, Traffic
from tq.master.net.turns import TrafficTurns


class HeldUp:
    """A connection that counts how often it may try again."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic, self.resumed = traffic, 0

    def resume(self) -> None:
        self.resumed += 1


def test_a_connection_that_had_its_share_of_a_turn_goes_on_in_the_next() -> None:
    async def run() -> int:
        traffic, turns = Traffic(), TrafficTurns(asyncio.get_running_loop())
        connection = HeldUp(traffic)
        traffic.took(FRAMES_A_TURN, 0)
        traffic.hold_up(connection)
        turns.hold_up(traffic)
        assert connection.resumed == 0
        await asyncio.sleep(0)
        return connection.resumed

    assert asyncio.run(run()) == 1


def test_a_connection_whose_key_has_a_full_inbox_goes_on_when_a_transaction_has_ended() -> None:
    async def run() -> list[int]:
        traffic, turns = Traffic(), TrafficTurns(asyncio.get_running_loop())
        connection = HeldUp(traffic)
        traffic.waiting_bytes = WAITING_BYTES_MAX
        traffic.hold_up(connection)
        turns.hold_up(traffic)
        seen = []
        for waiting in (WAITING_BYTES_MAX, 0):
            await asyncio.sleep(0)
            seen.append(connection.resumed)
            traffic.waiting_bytes = waiting
            turns.schedule()  # as after each transaction
        await asyncio.sleep(0)
        return [*seen, connection.resumed]

    assert asyncio.run(run()) == [0, 0, 1]
