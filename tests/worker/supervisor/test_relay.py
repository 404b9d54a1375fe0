"""The line that children share: calls at once, chunks a few at a time, all of it again after a lost connection."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from tq.common.domain.model import NODE_ID_BYTES
from tq.common.errors import Unreachable
from tq.common.wire.connection import CallerConnection
from tq.common.wire.protocol import Request
from tq.worker.pools.interface import Runner
from tq.worker.supervisor.relay import CHUNKS_UNDER_WAY, Relay


class Line:
    """A connection that answers when the test says so."""

    def __init__(self) -> None:
        self.is_closed = False
        self.calls: list[tuple[str, asyncio.Future[Any]]] = []
        self.nodes: list[bytes] = []  # who made them
        self.words: list[tuple[bytes, bool]] = []  # of children

    def call(self, target: list[Any], method: str, *args: Any, child: bytes) -> asyncio.Future[Any]:
        assert len(child) == NODE_ID_BYTES
        self.nodes.append(child)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.calls.append((method, future))
        return future

    def announce_child(self, node: bytes, *, here: bool) -> None:
        self.words.append((node, here))

    def open_calls(self) -> list[str]:
        return [method for method, future in self.calls if not future.done()]

    async def answer(self, count: int = 1) -> None:
        for _, future in [one for one in self.calls if not one[1].done()][:count]:
            future.set_result("answer")
        await asyncio.sleep(0)

    async def break_down(self) -> None:
        self.is_closed = True
        for _, future in self.calls:
            if not future.done():
                future.set_exception(Unreachable("it broke"))
        await asyncio.sleep(0)


class RecordedChild:
    def __init__(self) -> None:
        self.answers: list[Any] = []

    def answer(self, call_id: int, value: Any, error: Any) -> None:
        self.answers.append(error or value)


class Desk:
    def __init__(self) -> None:
        self.relay = Relay()
        self.line = Line()
        self.relay.connected(cast(CallerConnection, self.line))

    def ask(self, child: RecordedChild, method: str, target: str = "get_blobs") -> None:
        request = Request(1, (target,), method, [], {}, None, 100)
        self.relay.forward(cast(CallerConnection, self.line), cast(Runner, child), request)

    def connect(self) -> Line:
        self.line = Line()
        self.relay.connected(cast(CallerConnection, self.line))
        return self.line


def test_chunks_of_all_children_stand_in_line_and_other_calls_pass_them() -> None:
    async def story() -> None:
        desk, children = Desk(), [RecordedChild() for _ in range(10)]
        for child in children:
            for method in ("put", "get"):
                desk.ask(child, method)
        desk.ask(children[0], "submit", "get_task_queue")
        desk.ask(children[0], "ask")
        assert len(desk.line.open_calls()) == CHUNKS_UNDER_WAY + 2
        assert desk.line.open_calls()[-2:] == ["submit", "ask"]
        for _ in range(30):
            await desk.line.answer()
            assert len(desk.line.open_calls()) <= CHUNKS_UNDER_WAY + 2
        assert [len(child.answers) for child in children] == [4] + [2] * 9

    asyncio.run(story())


def test_what_was_under_way_fails_and_what_stood_in_line_goes_by_the_next_connection() -> None:
    async def story() -> None:
        desk, child = Desk(), RecordedChild()
        for _ in range(CHUNKS_UNDER_WAY + 3):
            desk.ask(child, "get")
        await desk.line.break_down()
        assert [type(one) for one in child.answers] == [Unreachable] * CHUNKS_UNDER_WAY
        desk.ask(child, "put")
        line = desk.connect()
        assert line.open_calls() == ["get"] * 3 + ["put"]
        await line.answer(4)
        assert child.answers[CHUNKS_UNDER_WAY:] == ["answer"] * 4

    asyncio.run(story())


def test_a_dead_childs_chunks_leave_the_line_and_give_their_places_back() -> None:
    async def story() -> None:
        desk, dead, alive = Desk(), RecordedChild(), RecordedChild()
        for _ in range(2 * CHUNKS_UNDER_WAY):
            desk.ask(dead, "put")
        desk.relay.forget(cast(Runner, dead))
        desk.ask(alive, "get")
        await asyncio.sleep(0)  # the master answers a dead child no more
        assert desk.line.open_calls() == ["get"]
        assert dead.answers == []

    asyncio.run(story())


def test_each_child_is_a_node_of_its_own_that_is_named_again_on_the_next_connection_until_it_dies() -> None:
    async def story() -> None:
        desk, one, two, silent = Desk(), RecordedChild(), RecordedChild(), RecordedChild()
        for child in (one, two, one):
            desk.ask(child, "acquire", "get_lock")
        first, second, third = desk.line.nodes
        assert (first == third, first == second, desk.line.words) == (True, False, [])
        await desk.line.break_down()
        line = desk.connect()
        assert line.words == [(first, True), (second, True)]
        for child in (one, silent):
            desk.relay.forget(cast(Runner, child))
        assert line.words[2:] == [(first, False)]
        assert desk.connect().words == [(second, True)]

    asyncio.run(story())
