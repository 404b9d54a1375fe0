"""Tasks of tests of pools: they say in which process and thread they ran."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import tq

app = tq.App()
_here = 0
_all_here = asyncio.Event()


@app.task
async def meet(others: int) -> int:
    """Until as many run in this process at a time."""
    global _here
    _here += 1
    if _here == others:
        _all_here.set()
    await _all_here.wait()
    return os.getpid()


@app.task
def where() -> tuple[int, bool]:
    return os.getpid(), threading.current_thread() is threading.main_thread()


async def after(seconds: float) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    await over.wait()


@app.task
async def nap(seconds: float) -> int:
    await after(seconds)
    return os.getpid()


@app.task
async def hold(folder: str, number: int) -> int:
    """Until the file ``over`` is there."""
    here = Path(folder)
    (here / str(number)).touch()
    while not (here / "over").exists():
        await after(0.02)
    return os.getpid()


@app.task
def gather(folder: str, others: int) -> int:
    """Until as many run, each in a process of its own."""
    here = Path(folder)
    (here / str(os.getpid())).touch()
    while len(list(here.iterdir())) < others:
        threading.Event().wait(0.02)
    return os.getpid()


@app.task
def echo(word: str) -> str:
    return word


@app.task
def submit_others(ctx: tq.Context) -> list[str]:
    """In each way: their ids."""
    handles = [where.submit(), *(where.submit() for _ in range(5))]
    handles.append(echo.using(unique=tq.Unique()).submit(ctx.id))
    return [handle.id for handle in handles]


@app.task
async def submit_others_on_a_loop(ctx: tq.Context) -> list[str]:
    handles = await asyncio.gather(*(where.asubmit() for _ in range(5)))
    unique = echo.using(unique=tq.Unique())
    return [handle.id for handle in [*handles, await unique.asubmit(ctx.id)]]


@app.task
def both() -> tuple[int, int]:
    """Where this runs, and where another task does that it waits for."""
    other, _ = where.submit().result(timeout=30)
    return os.getpid(), other
