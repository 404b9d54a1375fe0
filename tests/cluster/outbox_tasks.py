"""Tasks of an outbox: what ran, and in which attempt, they tell by lines in a file."""

from __future__ import annotations

import os

import tq

app = tq.App()


@app.task
def note(path: str, number: int) -> None:
    """A line in one write. Its first attempt, twice: it was accepted twice."""
    own = tq.current()
    assert own is not None
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{number} {own.attempt}\n".encode())
    os.close(descriptor)


@app.task
def double(x: int) -> int:
    return 2 * x
