"""Tasks for flows."""

from __future__ import annotations

import asyncio
from typing import Any

import tq

app = tq.App()


@app.task
def double(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return 2 * number


@app.task
def spread(ctx: tq.Context, numbers: int) -> str:
    with ctx.flow:
        double.map(range(numbers))
    return "spread"


@app.task
async def spread_async(ctx: tq.Context, numbers: int) -> str:
    flow = await app.acurrent_flow()
    assert flow is not None
    async with flow:
        await double.amap(range(numbers))
    assert await asyncio.to_thread(lambda: ctx.flow.id) == flow.id
    return "spread"


@app.task
def note(flow: dict[str, Any]) -> str:
    return f"{flow['name']} {flow['state']} {flow['succeeded']}/{flow['total']}"


@app.task
def counted(values: list[Any]) -> list[int]:
    """How many there are, and how many of them failed."""
    return [len(values), sum(isinstance(value, tq.Failed) for value in values)]
