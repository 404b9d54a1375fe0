"""Tasks of children that are copies of a process with preloaded modules."""

from __future__ import annotations

import os
import random

import tq

app = tq.App()


@app.task
def who() -> tuple[int, int, float]:
    """Its parent, where the preloaded module was imported, and a random number."""
    import preloaded

    return os.getppid(), preloaded.PID, random.random()  # noqa: S311 - of a test


@app.task
def die() -> None:
    os._exit(41)


@app.task
def wait(path: str) -> str:
    print("it waits")
    try:
        with open(path, "wb"):  # who has passed it may raise the limit here
            pass
        while True:
            sum(range(100))
    finally:
        print("it ends")


@app.task
async def later(number: int) -> int:
    return number + 1
