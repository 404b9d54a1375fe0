"""What the measured worker serves."""

from __future__ import annotations

import time
from typing import Any

import tq

app = tq.App()


@app.task
def nothing(value: Any) -> Any:
    return value


@app.task(coalesce=tq.Coalesce(100, seconds=0.05))
def nothing_of_many(values: list[Any]) -> list[Any]:
    return values


@app.task
async def nothing_later(value: Any) -> Any:
    return value


@app.task
def total(values: list[Any]) -> int:
    return len(values)


@app.task
def add(one: int, other: int) -> int:
    return one + other


@app.task
def sleep(seconds: float) -> None:
    time.sleep(seconds)


@app.task
def moment() -> float:
    """When it was started."""
    return time.time()


@app.task
def fails_once(fails: bool, ctx: tq.Context) -> None:
    """At its first attempt, if it is to fail."""
    if fails and ctx.attempt == 1:
        raise ValueError("the first attempt")
