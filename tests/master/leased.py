"""The answer to a lease call, task by task."""

from __future__ import annotations

from typing import Any

from tq.common.domain.id_runs import IdRun


def each(groups: list[list[Any]]) -> list[list[Any]]:
    """``[id, attempt, payload, …]`` of each task, whether it is leased by itself or in a slice."""
    entries: list[list[Any]] = []
    for _, _, _, granted, *_ in groups:  # behind them the units that a task has
        for id, attempt, payload, *rest in granted:
            payloads = payload if isinstance(payload, list) else [payload]
            ids = IdRun(id, len(payloads)).ids()
            entries += [[id, attempt, one, *rest] for id, one in zip(ids, payloads, strict=True)]
    return entries


def each_outcome(rows: list[list[Any]]) -> list[list[Any]]:
    """``[id, state, body]`` of each task of an answer to a collect."""
    entries: list[list[Any]] = []
    for id, state, body in rows:
        bodies = body if isinstance(body, list) else [body]
        ids = IdRun(id, len(bodies)).ids()
        entries += [[id, state, one] for id, one in zip(ids, bodies, strict=True)]
    return entries
