"""What the watcher takes for new, and what it keeps."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tq.common.domain.model import State
from tq.web.watching import POINTS_MAX, Watcher, point_of, version_of

ROW = {
    **dict.fromkeys(map(str, State), 0),
    "name": "mail",
    "ready": 3,
    "rate": 1.04,
    "oldest_ready_seconds": 1.0,
}
WORKER = {"slots": 4, "connected": True, "last_seen": 1.0, "memory_bytes": 10, "rate": 0.0}


def snapshot(**changed: Any) -> dict[str, Any]:
    return {
        "now": 1.0,
        "rate": 2.0,
        "queues": [ROW],
        "workers": [WORKER],
        "running": [],
        "failing": [],
        **changed,
    }


@pytest.fixture
def watcher() -> Watcher:
    app: Any = None
    return Watcher(app)


@pytest.mark.parametrize(
    "later",
    [
        {"now": 9.0},
        {"rate": 9.0},
        {"queues": [{**ROW, "oldest_ready_seconds": 9.0, "rate": 1.01}]},
        {"workers": [{**WORKER, "last_seen": 9.0, "memory_bytes": 99}]},
    ],
)
def test_that_time_went_by_is_nothing_new(later: dict[str, Any]) -> None:
    assert version_of(snapshot(**later)) == version_of(snapshot())


@pytest.mark.parametrize(
    "later", [{"queues": [{**ROW, "ready": 4}]}, {"workers": []}, {"running": [{"id": b"1"}]}]
)
def test_that_something_happened_is_new(later: dict[str, Any]) -> None:
    assert version_of(snapshot(**later)) != version_of(snapshot())


def test_a_point_sums_up_what_there_is() -> None:
    away = {**WORKER, "connected": False}
    point = point_of(snapshot(queues=[ROW, {**ROW, "failed": 2, "dead": 1}], workers=[WORKER, away]), 5.0)
    assert point == (5.0, 2.0, 6, 0, 4, 3)


def test_who_waits_is_woken_by_news_by_a_loss_and_by_the_return(watcher: Watcher) -> None:
    async def woken_by(happens: Any) -> bool:
        waiting = asyncio.create_task(watcher.changed(0.05))
        await asyncio.sleep(0)
        happens()
        return await waiting

    async def run() -> list[bool]:
        return [
            await woken_by(lambda: watcher.looked(snapshot(), 1.0)),
            await woken_by(lambda: watcher.looked(snapshot(now=2.0), 2.0)),
            await woken_by(lambda: watcher.lost(3.0)),
            await woken_by(lambda: watcher.lost(4.0)),
            await woken_by(lambda: watcher.looked(snapshot(now=5.0), 5.0)),
        ]

    assert asyncio.run(run()) == [True, False, True, False, True]
    assert watcher.away_since is None


def test_the_page_keeps_an_hour_and_no_more(watcher: Watcher) -> None:
    for at in range(POINTS_MAX + 10):
        watcher.looked(snapshot(), float(at))
    assert len(watcher.points) == POINTS_MAX
    assert watcher.points[0].at == 10.0
