"""What the watcher takes for new, and what it keeps."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from tq.common.domain.model import State
from tq.common.errors import Unreachable
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
            await woken_by(lambda: watcher.looked(snapshot(), 1.0, 1.0)),
            await woken_by(lambda: watcher.looked(snapshot(now=2.0), 2.0, 2.0)),
            await woken_by(lambda: watcher.lost(3.0)),
            await woken_by(lambda: watcher.lost(4.0)),
            await woken_by(lambda: watcher.looked(snapshot(now=5.0), 5.0, 5.0)),
        ]

    assert asyncio.run(run()) == [True, False, True, False, True]
    assert watcher.away_since is None


def test_the_page_keeps_an_hour_and_no_more(watcher: Watcher) -> None:
    for at in range(POINTS_MAX + 10):
        watcher.looked(snapshot(), float(at), float(at))
    assert len(watcher.points) == POINTS_MAX
    assert watcher.points[0].at == 10.0


class Looks:
    """An App whose master answers at once and is counted."""

    def __init__(self) -> None:
        self.looks = 0
        self.session = SimpleNamespace(known_cluster=None, away_seconds=0.0)

    async def acall(self, *what: object) -> dict[str, Any]:
        self.looks += 1
        return snapshot()


def test_a_page_that_opens_and_one_that_urges_are_not_kept_until_the_next_rare_look() -> None:
    async def run() -> list[int]:
        app: Any = Looks()
        watcher = Watcher(app)
        watcher.start()
        counts = []
        for begins in (lambda: None, watcher.urge, lambda: watcher.seen().__enter__()):
            begins()
            for _ in range(20):
                await asyncio.sleep(0)
            counts.append(app.looks)
        watcher.leave(app)
        return counts

    assert asyncio.run(run()) == [1, 2, 3]


def test_who_waits_is_woken_by_the_end_of_the_log_in() -> None:
    async def run() -> bool:
        app: Any = Looks()
        watcher = Watcher(app)
        watcher.start()
        waiting = asyncio.create_task(watcher.changed(5.0))
        await asyncio.sleep(0)
        await asyncio.to_thread(watcher.leave, app)
        return await waiting

    assert asyncio.run(run())


def test_log_ins_of_one_key_share_the_looks_until_the_last_has_ended() -> None:
    async def run() -> tuple[list[int], list[bool]]:
        first: Any = Looks()
        second: Any = Looks()
        watcher = Watcher(first)
        joined = [watcher.join(second)]
        await watcher.look()
        watcher.leave(first)
        await watcher.look()
        watcher.leave(second)
        await watcher.look()
        joined.append(watcher.join(first))
        return [first.looks, second.looks], joined

    assert asyncio.run(run()) == ([1, 1], [True, False])


def test_a_look_whose_log_in_ended_meanwhile_says_nothing_of_the_master() -> None:
    class Closed(Looks):
        async def acall(self, *what: object) -> dict[str, Any]:
            watcher.leave(app)
            raise Unreachable("this app is closed")

    app: Any = Closed()
    watcher = Watcher(app)
    other: Any = Looks()
    assert watcher.join(other)
    asyncio.run(watcher.look())
    assert watcher.away_since is None
    asyncio.run(watcher.look())
    assert other.looks == 1


def test_an_answer_that_was_asked_for_earlier_does_not_take_the_place_of_a_later_one(
    watcher: Watcher,
) -> None:
    watcher.looked(snapshot(now=2.0), 2.0, 2.0)
    watcher.looked(snapshot(now=1.0), 3.0, 1.0)
    assert watcher.snapshot == snapshot(now=2.0)
    assert len(watcher.points) == 1


class Held(Looks):
    """Its master answers when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()

    async def acall(self, *what: object) -> dict[str, Any]:
        await self.may_answer.wait()
        return await super().acall(*what)


def test_what_was_asked_for_before_a_person_changed_something_is_stale_and_the_watcher_asks_again_at_once() -> (
    None
):
    found: list[bool] = []

    class Noting(Watcher):
        def looked(self, snapshot: dict[str, Any], now: float, asked_at: float) -> None:
            super().looked(snapshot, now, asked_at)
            found.append(self.is_stale())
            if len(found) == 2:
                both.set()

    both = asyncio.Event()

    async def run() -> None:
        app: Any = Held()
        watcher = Noting(app)
        watcher.start()
        await asyncio.sleep(0)  # it asks
        watcher.has_changed()
        app.may_answer.set()
        await both.wait()
        await asyncio.sleep(0)
        watcher.leave(app)

    asyncio.run(run())
    assert found == [True, False]
