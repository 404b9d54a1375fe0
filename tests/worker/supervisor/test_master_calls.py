"""What the agent sends to the master, and what comes of a report that the master refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from tq.common.auth.keys import Credential
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.domain.on_error import NEEDED_MAX
from tq.common.errors import InvalidArgument, ProtocolError, TqError, Unreachable
from tq.common.runtime.config import WorkerSettings
from tq.common.wire.address import Address
from tq.worker.agent.outbox import REFUSALS_MAX
from tq.worker.supervisor.master_calls import MasterCalls
from tq.worker.supervisor.master_connection import MasterConnection
from tq.worker.supervisor.masters import Masters
from tq.worker.supervisor.observer import Observer

from ..workshop import Workshop, failure_of


class RecordedConnection:
    """Keeps what it is asked to call."""

    def __init__(self) -> None:
        self.shard = 0
        self.notified: list[tuple[str, tuple[Any, ...]]] = []
        self.requested: list[tuple[str, tuple[Any, ...]]] = []
        self.refuse: Callable[[TqError], bool] | None = None

    def request(
        self,
        method: str,
        then: Callable[[Any], None],
        *args: Any,
        refused: Callable[[TqError], bool] | None = None,
    ) -> None:
        self.requested.append((method, args))
        self.refuse = refused

    def notify(self, method: str, *args: Any) -> None:
        self.notified.append((method, args))


class Desk:
    """The calls of an agent whose first job has ended, and whose finish call is under way."""

    def __init__(self) -> None:
        self.connection, self.reports = RecordedConnection(), list[tuple[str, dict[str, Any]]]()
        report = lambda action, **fields: self.reports.append((action, fields))  # noqa: E731
        observer = Observer(lambda rows: None, None, report)
        settings = WorkerSettings(connect=(Address("127.0.0.1", 1),), modules=("m",))
        masters = Masters(settings, Credential.parse("a key for tests"), report)
        masters.first = masters.all[0] = cast(MasterConnection, self.connection)
        self.calls = MasterCalls(masters, observer, report, lambda: None)
        self.shop = Workshop(slots=2)
        self.calls.agent = self.shop.agent
        self.shop.grant(2)
        self.shop.run(1)
        self.shop.finishing.clear()
        self.calls.finish(self.shop.call)


def test_a_report_that_the_master_calls_bad_is_replaced_by_a_failure_and_the_connection_stays() -> None:
    async def test() -> None:
        desk = Desk()
        assert desk.connection.refuse is not None
        assert desk.connection.refuse(InvalidArgument("a body that is no value"))
        [row] = desk.shop.finishing.popleft()
        assert "a body that is no value" in failure_of(row).message
        assert [action for action, _ in desk.reports] == ["task.report_refused"]

    asyncio.run(test())


def test_another_refusal_ends_the_connection_until_it_has_come_for_one_report_twice() -> None:
    async def test() -> None:
        desk = Desk()
        assert desk.connection.refuse is not None
        for _ in range(REFUSALS_MAX):
            assert desk.reports == []
            assert not desk.connection.refuse(Unreachable("the master is full"))
            desk.shop.agent.side.outbox.take_call()
        assert [action for action, _ in desk.reports] == ["task.report_refused"]

    asyncio.run(test())


def test_a_worker_that_gives_up_reports_first_and_releases_behind_it() -> None:
    async def test() -> None:
        desk = Desk()
        desk.shop.run(2)
        [left] = desk.shop.grant(1) if desk.shop.leases else [b""]
        for number, sim in desk.shop.sims.items():
            if sim.unstarted:
                desk.shop.begin(number)
        desk.shop.agent.drain(desk.shop.now)
        desk.calls.give_up()
        assert [method for method, _ in desk.connection.notified] == (
            ["finish", "release"] if left else ["finish"]
        )

    asyncio.run(test())


def test_a_wait_for_more_than_the_master_takes_ends_and_the_connection_stays() -> None:
    async def test() -> None:
        desk = Desk()
        desk.shop.begin(2)
        running = desk.shop.sims[2].running
        assert running is not None
        many = [IdRun(new_ids.many(1)[0], 1), IdRun(new_ids.many(2)[0], NEEDED_MAX)]
        desk.shop.agent.lending.waits(2, 1, running.ordinal, many, desk.shop.now)
        token, waiter, runs, want = desk.shop.lends.popleft()
        desk.calls.lend(token, waiter, runs, want)
        _, (_, named, _) = desk.connection.requested[-1]
        assert named == [many[0].first, [many[1].first, NEEDED_MAX - 1]]
        assert desk.connection.refuse is not None
        assert desk.connection.refuse(InvalidArgument("too much"))
        [(child, wait, why)] = desk.shop.refused
        assert (child, wait) == (2, 1)
        assert why.endswith("cannot wait here: too much")
        assert not desk.connection.refuse(ProtocolError("announce first"))

    asyncio.run(test())
