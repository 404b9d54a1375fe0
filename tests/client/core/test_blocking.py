"""A call that blocks an event loop says what to write instead; elsewhere it says nothing."""

from __future__ import annotations

import asyncio

import pytest
from tq.client.core.blocking import warn_on_loop


def state() -> str:
    warn_on_loop("await handle.astate()")
    return "ready"


def test_on_a_running_loop_the_line_that_blocks_is_named_with_what_to_write() -> None:
    async def main() -> None:
        with pytest.warns(RuntimeWarning, match=r"write `await handle\.astate\(\)`") as caught:
            state()
        assert caught[0].filename == __file__

    asyncio.run(main())


def test_in_a_plain_program_and_in_a_thread_beside_a_loop_nothing_is_said() -> None:
    async def main() -> str:
        return await asyncio.to_thread(state)

    assert state() == asyncio.run(main()) == "ready"  # a warning would be an error
