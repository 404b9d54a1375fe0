"""A module with schedules in its code, as workers serve it."""

from __future__ import annotations

import tq

app = tq.App()


@app.every(seconds=1, name="each-second", misfire="all")
@app.task
def tick() -> None:
    """It is counted in the history."""


@app.cron("0 3 * * *", tz="Europe/Prague", args=("reports",))
@app.task
def greet(whom: str = "world") -> str:
    return f"hello {whom}"
