"""Notices to the jobs of a child are done a few in each turn of its loop, in their order, and each once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator

import pytest
from tq.worker.child.loop import CANCEL_NOTICE, NOTICE
from tq.worker.child.notices import NOTICES_A_TURN, Notices


class Line:
    """A pipe, and what was done of what was written into it."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        self.done: list[int] = []
        self.bugs: list[Exception] = []
        self.notices = Notices(self.read_end, os.read, self.do, self.bugs.append)

    def do(self, ordinal: int, kind: int) -> None:
        assert kind == CANCEL_NOTICE
        self.done.append(ordinal)

    def write(self, *ordinals: int) -> None:
        os.write(self.write_end, b"".join(NOTICE.pack(ordinal, CANCEL_NOTICE) for ordinal in ordinals))

    def on_loop(self, test: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            self.notices.open(asyncio.get_running_loop())
            await test()

        asyncio.run(run())

    async def turns_until(self, count: int) -> list[int]:
        """How many were done after each turn of the loop."""
        after = []
        while len(self.done) < count:
            await asyncio.sleep(0)
            after.append(len(self.done))
        return after


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    for end in (made.read_end, made.write_end):
        os.close(end)
    assert made.bugs == []


def test_of_many_a_few_are_done_in_each_turn(line: Line) -> None:
    async def test() -> None:
        line.write(*range(100))
        after = await line.turns_until(100)
        steps = [b - a for a, b in zip([0, *after], after, strict=False)]
        assert max(steps) == NOTICES_A_TURN

    line.on_loop(test)
    assert line.done == list(range(100))


def test_those_that_a_signal_has_found_are_done_with_those_that_wait(line: Line) -> None:
    async def test() -> None:
        line.write(*range(50))
        assert max(await line.turns_until(1)) == NOTICES_A_TURN
        line.write(*range(50, 60))
        line.notices.put_off(line.notices.take())
        after = await line.turns_until(60)
        assert max(b - a for a, b in zip([NOTICES_A_TURN, *after], after, strict=False)) <= NOTICES_A_TURN

    line.on_loop(test)
    assert line.done == list(range(60))
