"""That another master has taken over is acted on once, whenever it is learnt."""

from __future__ import annotations

import asyncio
import threading

from tq.master.standby.displacement import Displacement


def acted(displacement: Displacement, *, before: bool) -> list[str]:
    async def run() -> list[str]:
        done: list[str] = []
        seen = asyncio.Event()

        def act() -> None:
            done.append(displacement.reason)
            seen.set()

        thread = threading.Thread(target=displacement.happened, args=["b has taken over"])
        if before:
            thread.start()
            thread.join()
        displacement.watch(asyncio.get_running_loop(), act)
        if not before:
            thread.start()
        await asyncio.wait_for(seen.wait(), 10)
        thread.join()
        displacement.happened("and again")
        await asyncio.sleep(0)
        return done

    return asyncio.run(run())


def test_it_is_acted_on_once_with_the_first_reason() -> None:
    assert acted(Displacement(), before=False) == ["b has taken over"]


def test_what_was_learnt_before_the_loop_ran_is_not_forgotten() -> None:
    assert acted(Displacement(), before=True) == ["b has taken over"]


def test_after_the_loop_has_ended_nothing_is_called() -> None:
    displacement = Displacement()

    async def watch() -> None:
        displacement.watch(asyncio.get_running_loop(), lambda: None)

    asyncio.run(watch())
    displacement.happened("late")
    assert displacement.reason == "late"
