"""Functions with names, for tests that submit."""

from __future__ import annotations

import tq


def double(x: int, *, plus: int = 0) -> int:
    return 2 * x + plus


def add(x: int, y: int) -> int:
    return x + y


def fail(message: str) -> None:
    raise ValueError(message)


def where(ctx: tq.Context, x: int, y: int = 0) -> list[int]:
    return [ctx.attempt, x, y]
