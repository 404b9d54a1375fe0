"""Connections that are held up go on in the next turn of the loop, or when a transaction has ended. A real loop and real flows."""

from __future__ import annotations

import asyncio

from tq.master.engine.flow import FRAMES_A_TURN, WAITING_BYTES_MAX, Flow
from tq.master.net.turns import FlowTurns


class HeldUp:
    """A connection that counts how often it may try again."""

    def __init__(self, flow: Flow) -> None:
        self.flow, self.resumed = flow, 0

    def resume(self) -> None:
        self.resumed += 1


def test_a_connection_that_had_its_share_of_a_turn_goes_on_in_the_next() -> None:
    async def run() -> int:
        flow, turns = Flow(), FlowTurns(asyncio.get_running_loop())
        connection = HeldUp(flow)
        flow.took(FRAMES_A_TURN, 0)
        flow.hold_up(connection)
        turns.hold_up(flow)
        assert connection.resumed == 0
        await asyncio.sleep(0)
        return connection.resumed

    assert asyncio.run(run()) == 1


def test_a_connection_whose_key_has_a_full_inbox_goes_on_when_a_transaction_has_ended() -> None:
    async def run() -> list[int]:
        flow, turns = Flow(), FlowTurns(asyncio.get_running_loop())
        connection = HeldUp(flow)
        flow.waiting_bytes = WAITING_BYTES_MAX
        flow.hold_up(connection)
        turns.hold_up(flow)
        seen = []
        for waiting in (WAITING_BYTES_MAX, 0):
            await asyncio.sleep(0)
            seen.append(connection.resumed)
            flow.waiting_bytes = waiting
            turns.schedule()  # as after each transaction
        await asyncio.sleep(0)
        return [*seen, connection.resumed]

    assert asyncio.run(run()) == [0, 0, 1]
