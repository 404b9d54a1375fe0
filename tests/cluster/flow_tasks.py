"""Tasks for flows."""

from __future__ import annotations

from typing import Any

import tq

app = tq.App()


@app.task
def double(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return 2 * number


@app.task
def spread(numbers: int) -> str:
    with app.current_flow() or app.flow():
        double.map(range(numbers))
    return "spread"


@app.task
def note(flow: dict[str, Any]) -> str:
    return f"{flow['name']} {flow['state']} {flow['succeeded']}/{flow['total']}"
