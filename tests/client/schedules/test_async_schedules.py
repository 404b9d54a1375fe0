"""``app.schedules`` in an event loop: what is refused, and which twin a method that blocks names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import tq

APP = tq.App("tq://127.0.0.1:1", "secret", connect_timeout=0.1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda one: one.aadd("s", "report", every=5), "is not a task's name"),
        (lambda one: one.aadd("s", "m:f", cron="0 25 * * *"), "hour"),
        (lambda one: one.abackfill("s", datetime(2026, 1, 1), datetime.now(UTC)), "with a time zone"),
    ],
)
def test_what_is_wrong_is_refused_before_the_master_is_asked(
    call: Callable[[tq.Schedules], Awaitable[Any]], words: str
) -> None:
    async def wait() -> None:
        await call(APP.schedules)

    with pytest.raises(tq.InvalidArgument, match=words):
        asyncio.run(wait())


def test_a_method_that_blocks_the_loop_names_its_twin() -> None:
    async def block() -> None:
        APP.schedules.run_now("s")

    with (
        pytest.warns(RuntimeWarning, match=r"await app.schedules.arun_now\(…\)"),
        pytest.raises(tq.Unreachable),
    ):
        asyncio.run(block())


def test_each_method_has_a_twin() -> None:
    names = {name for name in dir(tq.Schedules) if not name.startswith("_")}
    plain = {name for name in names if f"a{name}" in names}
    assert names == plain | {f"a{name}" for name in plain}
