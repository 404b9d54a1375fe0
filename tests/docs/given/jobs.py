"""The tasks that pages take for granted when they do not show their own."""

from __future__ import annotations

import tq

app = tq.App()


@app.task
def square(x: int) -> int:
    return x * x
