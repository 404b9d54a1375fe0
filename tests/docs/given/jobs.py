"""The tasks that pages take for granted when they do not show their own."""

from __future__ import annotations

import tq

app = tq.App()


@app.task
def square(x: int) -> int:
    return x * x


@app.task
def shout(text: str) -> str:
    return text.upper()


@app.task
def greet(name: str, city: str) -> str:
    return f"Hello {name} of {city}"
