"""Tasks that need tasks of other queues, and note each run of those that are to run once."""

from __future__ import annotations

import tq

app = tq.App()


@app.task
def plus(number: int, more: int = 1) -> int:
    return number + more


@app.task
def double(number: int) -> int:
    return 2 * number


@app.task
def page(size: int) -> tq.Blob:
    return tq.Blob.of(bytes(size))


@app.task
def measured(content: tq.Blob) -> int:
    return len(content.read())


@app.task
def total(numbers: list[int], path: str) -> int:
    with open(path, "a", encoding="utf-8") as notes:
        notes.write(f"{len(numbers)}\n")
    return sum(numbers)
