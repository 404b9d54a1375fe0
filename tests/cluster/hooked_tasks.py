"""Tasks with functions around them, for test_hooks.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import tq

app = tq.App()


def note(line: str) -> None:
    """Where the test reads it, whichever process writes."""
    with Path(os.environ["HOOKS_NOTES"]).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


@app.on_child_start
def child_starts() -> None:
    os.environ["HOOKS_STARTED"] = "yes"  # stays for every task
    note("starts")


@app.on_child_start
def child_starts_badly() -> None:
    raise ValueError("no start without trouble")


@app.on_child_stop
def child_stops() -> None:
    note("stops")


@app.before
def task_begins(ctx: tq.Context) -> None:
    note(f"before {ctx.name.rpartition(':')[2]}")


@app.before
async def coroutine_begins(ctx: tq.Context) -> None:
    note(f"awaited before {ctx.name.rpartition(':')[2]}")


@app.after
def task_ends(ctx: tq.Context, ended: tq.Ended) -> None:
    note(f"after {ctx.name.rpartition(':')[2]}: {ended.outcome} {ended.result or repr(ended.error)}")
    raise RuntimeError("a hook that raises")


@app.task
def double(number: int) -> int:
    return 2 * number if os.environ.pop("HOOKS_STARTED", "") else 0


@app.task
async def double_later(number: int) -> int:
    return 2 * number


@app.task
def fail() -> Any:
    raise KeyError("nothing")
