"""Calls of children go to the shard that they name; one that names none that there is, is refused."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from tq.common.auth.keys import Credential
from tq.common.domain.ids import new_ids
from tq.common.domain.shards import with_shard
from tq.common.errors import ProtocolError
from tq.common.runtime.config import WorkerSettings
from tq.common.wire.address import Address
from tq.common.wire.connection import CallerConnection
from tq.common.wire.protocol import Request
from tq.worker.child.shard_routes import at_shard, of_task
from tq.worker.pools.interface import Runner
from tq.worker.supervisor.masters import Masters
from tq.worker.supervisor.relays import Relays

SHARDS = 3


class ShardConnection:
    is_closed = False

    def __init__(self) -> None:
        self.called: list[tuple[list[Any], str]] = []

    def call(self, target: list[Any], method: str, *args: Any, child: bytes) -> asyncio.Future[Any]:
        self.called.append((target, method))
        return asyncio.get_running_loop().create_future()

    def announce_child(self, node: bytes, *, here: bool) -> None: ...


class AnsweredChild:
    def __init__(self) -> None:
        self.answers: list[Any] = []

    def answer(self, call_id: int, value: Any, error: Any) -> None:
        self.answers.append(error or value)


class Owner:
    def __init__(self) -> None:
        self.divided = 0

    def divide(self, shards: int) -> None:
        self.divided = shards


class Desk:
    def __init__(self, shards: int = SHARDS) -> None:
        settings = WorkerSettings(connect=(Address("127.0.0.1", 1),), modules=("m",))
        self.masters = Masters(settings, Credential.parse("a key for tests"), lambda action, **fields: None)
        self.masters.owner = cast(Any, Owner())
        self.relays, self.child = Relays(self.masters), AnsweredChild()
        self.welcome(shards)

    def welcome(self, shards: int) -> None:
        self.masters.welcomed(shards)
        self.masters.stop_connecting()
        self.connections = [ShardConnection() for _ in self.masters.all]
        for master, connection in zip(self.masters.all, self.connections, strict=True):
            master.current = cast(CallerConnection, connection)

    def ask(self, target: Any, method: str = "states") -> None:
        request = Request(1, tuple(target), method, [], {}, None, 100)
        self.relays.called(cast(Runner, self.child), request)

    @property
    def called(self) -> list[list[tuple[list[Any], str]]]:
        return [one.called for one in self.connections]


def test_calls_go_where_they_say() -> None:
    async def story() -> None:
        desk = Desk()
        id = with_shard(int.from_bytes(new_ids(), "big"), 2).to_bytes(16, "big")
        desk.ask(("get_tasks",))
        desk.ask(at_shard(1, ("get_task_queue", "q")), "size")
        desk.ask(of_task(id, ("get_steps",)), "record")
        assert desk.called == [
            [(["get_tasks"], "states")],
            [(["get_task_queue", "q"], "size")],
            [(["get_steps"], "record")],
        ]
        assert desk.child.answers == []

    asyncio.run(story())


def test_with_one_shard_the_id_of_a_task_says_nothing() -> None:
    """Programs that make ids of their own may have any bits there."""

    async def story() -> None:
        desk = Desk(shards=1)
        desk.ask(of_task(b"\xff" * 16, ("get_steps",)))
        assert desk.called == [[(["get_steps"], "states")]]

    asyncio.run(story())


@pytest.mark.parametrize(
    "target",
    [
        ("at_shard", SHARDS, "get_tasks"),
        ("at_shard", 1),
        ("at_shard", "1", "get_tasks"),
        ("of_task", b"", "get_tasks"),
    ],
)
def test_a_call_to_no_shard_is_refused(target: tuple[Any, ...]) -> None:
    async def story() -> None:
        desk = Desk()
        desk.ask(target)
        [error] = desk.child.answers
        assert isinstance(error, ProtocolError)
        assert desk.called == [[], [], []]

    asyncio.run(story())


def test_calls_to_a_shard_that_is_away_wait_for_it_and_hold_up_no_others() -> None:
    async def story() -> None:
        desk = Desk()
        back, desk.masters.all[1].current = desk.connections[1], None
        desk.ask(at_shard(1, ("get_tasks",)))
        desk.ask(at_shard(2, ("get_tasks",)))
        assert [len(one) for one in desk.called] == [0, 0, 1]
        desk.relays.connected(1, cast(CallerConnection, back))
        assert [len(one) for one in desk.called] == [0, 1, 1]

    asyncio.run(story())


def test_a_child_that_asks_how_many_shards_there_are_is_answered_as_soon_as_that_is_known() -> None:
    async def story() -> None:
        settings = WorkerSettings(connect=(Address("127.0.0.1", 1),), modules=("m",))
        masters = Masters(settings, Credential.parse("a key for tests"), lambda action, **fields: None)
        masters.owner, child = cast(Any, Owner()), AnsweredChild()
        Relays(masters).say_shards(cast(Runner, child), Request(1, ("slot",), "shards", [], {}, None, 9))
        await asyncio.sleep(0)
        assert child.answers == []
        masters.welcomed(1)
        await asyncio.sleep(0)
        assert child.answers == [1]

    asyncio.run(story())
