"""One process wakes another: its loop is called with what was rung, and one that does not listen holds up no other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from tq.master.process_bells import BellDescriptors, BellPipes, Bells


def inherited(pipes: BellPipes, process: int) -> BellDescriptors:
    """As a process has them: its own to close."""
    own, others = pipes.descriptors(process)
    return BellDescriptors(os.dup(own), tuple(map(os.dup, others)))


def test_what_is_rung_for_a_shard_comes_to_the_process_that_hosts_it() -> None:
    async def story() -> None:
        rung: asyncio.Queue[tuple[int, Sequence[tuple[int, int]]]] = asyncio.Queue()
        pipes, loop = BellPipes(2), asyncio.get_running_loop()
        bells = [
            Bells(
                inherited(pipes, number), loop, lambda pairs, number=number: rung.put_nowait((number, pairs))
            )
            for number in range(2)
        ]
        bells[0].ring(4, 3)
        bells[0].ring(4, 3)
        bells[0].ring(4095, 1)
        assert await rung.get() == (1, [(4, 3), (4095, 1)])
        bells[1].ring(3, 4)
        assert await rung.get() == (0, [(3, 4)])
        for one in bells:
            one.close()
        pipes.close()

    asyncio.run(asyncio.wait_for(story(), 30))


def test_a_process_that_does_not_listen_holds_up_no_other() -> None:
    async def story() -> None:
        pipes = BellPipes(2)
        bells = Bells(inherited(pipes, 0), asyncio.get_running_loop(), lambda pairs: None)
        for _ in range(100_000):  # more than any pipe holds
            bells.ring(0, 1)
        bells.close()
        pipes.close()

    asyncio.run(asyncio.wait_for(story(), 30))


def test_what_was_rung_while_a_process_was_away_comes_to_its_next_run() -> None:
    async def story() -> None:
        rung: asyncio.Queue[Sequence[tuple[int, int]]] = asyncio.Queue()
        pipes, loop = BellPipes(2), asyncio.get_running_loop()
        first = Bells(inherited(pipes, 1), loop, lambda pairs: None)
        first.close()
        other = Bells(inherited(pipes, 0), loop, lambda pairs: None)
        other.ring(0, 1)
        again = Bells(inherited(pipes, 1), loop, rung.put_nowait)
        assert await rung.get() == [(0, 1)]
        other.close()
        again.close()
        pipes.close()

    asyncio.run(asyncio.wait_for(story(), 30))


def test_no_descriptor_of_a_bell_is_passed_on_to_the_programs_that_a_process_starts() -> None:
    async def story() -> None:
        pipes = BellPipes(2)
        descriptors = inherited(pipes, 0)
        for one in descriptors.all:
            os.set_inheritable(one, True)
        bells = Bells(descriptors, asyncio.get_running_loop(), lambda pairs: None)
        assert not any(map(os.get_inheritable, descriptors.all))
        bells.close()
        pipes.close()

    asyncio.run(asyncio.wait_for(story(), 30))
