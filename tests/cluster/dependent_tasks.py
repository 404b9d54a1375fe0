"""Tasks for the tests of tasks that need other tasks."""

from __future__ import annotations

from typing import Any

import tq

app = tq.App()


@app.task
def make(size: int, fails: bool = False) -> str:
    if fails:
        raise ValueError(f"not {size}")
    return "x" * size


@app.task
def size_of(text: str) -> int:
    return len(text)


@app.task
def gather(parts: list[Any], **others: Any) -> list[Any]:
    return [parts, others]


@app.task
def count(parts: list[Any]) -> tuple[int, int]:
    failed = [one for one in parts if isinstance(one, tq.Failed)]
    return len(parts) - len(failed), len(failed)


@app.task
def length(parts: list[str]) -> int:
    return sum(map(len, parts))
