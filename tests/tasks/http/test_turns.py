"""Requests to one host at once: so many, in order, and nothing is kept of hosts that are over."""

from __future__ import annotations

import asyncio
import random

from tq.tasks.http.turns import RECENT_HOSTS_MAX, HostTurns

A, B = ("a", 80), ("b", 80)


def test_so_many_at_once_and_the_others_in_the_order_in_which_they_came() -> None:
    async def check() -> None:
        turns, running, most, order = HostTurns(2), 0, 0, []

        async def ask(number: int) -> None:
            nonlocal running, most
            await turns.take(A)
            running, most = running + 1, max(most, running + 1)
            order.append(number)
            await asyncio.sleep(0)
            running -= 1
            turns.give(A)

        await asyncio.gather(*map(ask, range(20)))
        assert (most, order) == (2, list(range(20)))
        assert (turns._running, turns._waiting) == ({}, {})

    asyncio.run(check())


def test_one_host_waits_for_no_other() -> None:
    async def check() -> None:
        turns = HostTurns(1)
        await turns.take(A)
        await asyncio.wait_for(turns.take(B), 1)

    asyncio.run(check())


def test_cancels_at_any_moment_lose_no_turn() -> None:
    async def check(seed: int) -> None:
        chance, turns, running = random.Random(seed), HostTurns(2), 0  # noqa: S311

        async def ask() -> None:
            nonlocal running
            await turns.take(A)
            running += 1
            assert running <= 2
            try:
                await asyncio.sleep(0)
            finally:
                running -= 1
                turns.give(A)

        tasks = [asyncio.create_task(ask()) for _ in range(12)]
        for _ in range(30):
            await asyncio.sleep(0)
            for task in chance.sample(tasks, 2):
                if chance.random() < 0.3:
                    task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert (turns._running, turns._waiting) == ({}, {})

    for seed in range(100):
        asyncio.run(check(seed))


def test_only_the_hosts_of_late_are_known() -> None:
    turns = HostTurns(1)
    assert not turns.is_recent(A)
    assert turns.is_recent(A)
    for number in range(RECENT_HOSTS_MAX):
        assert not turns.is_recent((f"{number}", 80))
    assert not turns.is_recent(A)
