"""Submits of tasks that need some of other shards, over lines that are made by hand: every shard keeps the tasks that reached it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, cast

import pytest
import tq
from tq.client.core import needed_first, shard_lines
from tq.client.core.pending_calls import PendingCall, PendingCalls
from tq.client.core.shard_line import ShardLine
from tq.client.core.shard_lines import ShardLines
from tq.client.tasks.outcomes import OutcomeBox
from tq.common.contract.dependencies import MISSING_TASKS_MAX
from tq.common.contract.routes import needs_of_rows, runs_of_rows, tasks_made
from tq.common.domain.id_runs import IdRun, ids_named
from tq.common.domain.ids import new_ids
from tq.common.domain.shards import id_in, shard_of_name

SHARDS = 3
QUEUES = [next(f"q{n}" for n in range(99) if shard_of_name(f"q{n}", SHARDS) == shard) for shard in range(3)]


class ShardByHand:
    """A line, and the shard behind it: its tasks, and what it was asked in which order."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pending = PendingCalls("default")
        self.away_seconds = self.trying_seconds = self.silent_seconds = 0.0
        self.on_the_way: list[PendingCall] = []
        self.tasks = set[bytes]()
        self.asked: list[str] = []
        self.refuses: tq.TqError | None = None
        self.is_full = False
        self.waiting: list[PendingCall] = []  # for room
        self.early = list[bytes]()  # tasks that came before what they need

    def flush(self) -> None:
        self.on_the_way += self.pending.take_outgoing()
        for ticket, value, error in self.pending.take_settled():
            shard_lines.settle(ticket, value, error)
        for box, _, error in self.pending.take_deliveries():
            if error is not None:
                box.fail(error)

    def perform(self, has: Callable[[bytes], bool]) -> None:
        """What has arrived first."""
        call = self.on_the_way.pop(0)
        if call.ticket is None:
            self.asked.append(call.method)
            return
        self.asked.append(call.method)
        value: Any = None
        rows = tasks_made(call.target, call.method, call.args)
        if rows and self.is_full:
            self.waiting.append(call)
            return
        if rows and self.refuses is not None:
            self.pending.refused(call.number, self.refuses)
            self.flush()
            return
        if rows:
            made = [id for run in runs_of_rows(rows) for id in run.ids()]
            if not all(has(id) for run in needs_of_rows(rows) for id in run.ids()):
                self.early += [id for id in made if id not in self.tasks]
            self.tasks.update(made)
        elif call.method == "missing":
            value = [id for id in ids_named(call.args[0]) if id not in self.tasks]
        elif call.method == "states":
            value = [[id, 0] for id in ids_named(call.args[0]) if id in self.tasks]
        self.pending.answered(call.number, value)
        self.flush()


class Cluster:
    def __init__(self) -> None:
        self.shards: dict[int, ShardByHand] = {}
        self.lines = ShardLines(SHARDS, cast(ShardLine, self._new(0)), self._new, self._spawn)
        for shard in range(SHARDS):
            self.lines.line(shard)
            self.shards[shard].pending.connected()

    def _new(self, shard: int) -> ShardLine:
        self.shards[shard] = ShardByHand(shard)
        return cast(ShardLine, self.shards[shard])

    @staticmethod
    def _spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work)

    def submit(
        self, id: bytes, *needs: bytes | IdRun, box: OutcomeBox | None = None, flow: bytes | None = None
    ) -> Future[Any]:
        row: list[Any] = [id, b""]
        if needs:
            row.append([0, [one if isinstance(one, bytes) else one.to_wire() for one in needs]])
        queue = QUEUES[shard_lines_of(id)]
        args: list[Any] = ["m:f", {}, [row], None]
        if flow is not None:
            args += [None, None, flow]
        stored: Future[Any] = Future()
        self.lines.call(
            stored,
            ("get_task_queue", queue),
            "submit",
            args,
            repeatable=True,
            runs=[IdRun(id, 1)],
            **({} if box is None else {"listener": box}),
        )
        self.lines.flush()
        return stored

    def call(self, target: Sequence[Any], method: str, *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.lines.call(future, target, method, args, repeatable=True)
        self.lines.flush()
        return future

    def has(self, id: bytes) -> bool:
        return any(id in shard.tasks for shard in self.shards.values())

    async def perform(self, shard: int) -> None:
        self.shards[shard].perform(self.has)
        await asyncio.sleep(0)

    async def settle(self) -> None:
        """All that is under way arrives, the last shard first: the worst order for who needs a task of the first."""
        while True:
            await asyncio.sleep(0)
            some = [shard for shard, one in sorted(self.shards.items(), reverse=True) if one.on_the_way]
            if not some:
                await asyncio.sleep(0)
                if not any(one.on_the_way for one in self.shards.values()):
                    return
                continue
            await self.perform(some[0])


def shard_lines_of(id: bytes) -> int:
    return (id[6] & 0xF) << 8 | id[7]


def an_id(shard: int) -> bytes:
    return id_in(new_ids(), shard)


def run(work: Callable[[Cluster], Coroutine[Any, Any, None]]) -> Cluster:
    async def whole() -> Cluster:
        cluster = Cluster()
        await asyncio.wait_for(work(cluster), 30)
        return cluster

    return asyncio.run(whole())


def test_a_task_is_sent_when_the_shards_of_what_it_needs_have_it_and_not_before() -> None:
    needed, task = an_id(0), an_id(2)

    async def work(cluster: Cluster) -> None:
        first, then = cluster.submit(needed), cluster.submit(task, needed)
        await asyncio.sleep(0)
        assert cluster.shards[2].on_the_way == []
        await cluster.settle()
        assert (first.result(0), then.result(0)) == (None, None)

    cluster = run(work)
    assert cluster.shards[0].asked == ["submit", "missing"]  # one question, behind the submit
    assert cluster.shards[2].asked == ["submit"]
    assert not any(one.early for one in cluster.shards.values())


def test_what_needs_tasks_of_its_own_shard_alone_is_asked_nothing_about() -> None:
    needed, task = an_id(1), an_id(1)

    async def work(cluster: Cluster) -> None:
        cluster.submit(needed)
        cluster.submit(task, needed)
        await cluster.settle()

    assert run(work).shards[1].asked == ["submit", "submit"]


def test_a_task_that_needs_what_is_not_there_is_refused_and_never_sent() -> None:
    needed, task, box = an_id(0), an_id(2), OutcomeBox()

    async def work(cluster: Cluster) -> None:
        stored = cluster.submit(task, needed, box=box)
        await cluster.settle()
        with pytest.raises(tq.InvalidArgument, match=r"no task has the id .*, which is needed"):
            stored.result(0)

    assert run(work).shards[2].asked == ["missing"]  # whether the task itself is there already
    with pytest.raises(tq.InvalidArgument, match="which is needed"):
        box.wait(1, 5)


def test_very_many_that_are_needed_are_asked_about_in_portions_and_all_must_be_there() -> None:
    needed, task = an_id(0), an_id(2)
    pages = IdRun(needed[:-4] + bytes(4), 2 * MISSING_TASKS_MAX + 1)

    async def work(cluster: Cluster) -> None:
        cluster.shards[0].tasks.update(pages.ids())
        stored = cluster.submit(task, pages)
        for _ in range(3):
            assert not cluster.shards[2].asked
            asked = cluster.shards[0].on_the_way[0].args[0]
            assert len(list(ids_named(asked))) <= MISSING_TASKS_MAX
            await cluster.perform(0)
        await cluster.settle()
        assert stored.result(0) is None
        cluster.shards[0].tasks.remove(pages.ends()[1])
        stored = cluster.submit(an_id(2), pages)
        await cluster.settle()
        with pytest.raises(tq.InvalidArgument, match="which is needed"):
            stored.result(0)

    cluster = run(work)
    assert cluster.shards[0].asked == ["missing"] * 6
    assert cluster.shards[2].asked == ["submit", "missing"]


def test_a_submit_that_comes_again_finds_its_task_whatever_has_become_of_what_it_needed() -> None:
    needed, task = an_id(0), an_id(2)

    async def work(cluster: Cluster) -> None:
        cluster.shards[2].tasks.add(task)
        stored = cluster.submit(task, needed)
        await cluster.settle()
        assert stored.result(0) is None

    assert run(work).shards[2].asked == ["missing", "submit"]


def test_a_shard_that_is_given_up_fails_what_needs_its_tasks() -> None:
    needed, task, box = an_id(0), an_id(2), OutcomeBox()

    async def work(cluster: Cluster) -> None:
        stored = cluster.submit(task, needed, box=box)
        await asyncio.sleep(0)
        cluster.shards[0].pending.give_up(tq.Unreachable("no listener"))
        cluster.shards[0].flush()
        await cluster.settle()
        with pytest.raises(tq.Unreachable, match="no listener"):
            stored.result(0)

    assert run(work).shards[2].asked == []
    with pytest.raises(tq.Unreachable, match="no listener"):
        box.wait(1, 5)


def test_a_lost_connection_leaves_the_question_behind_the_submit() -> None:
    needed, task = an_id(0), an_id(2)

    async def work(cluster: Cluster) -> None:
        cluster.submit(needed)
        stored = cluster.submit(task, needed)
        await asyncio.sleep(0)
        first = cluster.shards[0]
        first.on_the_way.clear()  # neither arrived
        first.pending.disconnected()
        first.flush()
        first.pending.connected()
        first.flush()
        await cluster.settle()
        assert stored.result(0) is None

    cluster = run(work)
    assert cluster.shards[0].asked == ["submit", "missing"]
    assert not cluster.shards[2].early


def test_calls_about_a_held_task_are_made_behind_it_and_others_are_not_held() -> None:
    needed, task, flow = an_id(0), an_id(2), an_id(2)
    other = an_id(2)

    async def work(cluster: Cluster) -> None:
        cluster.submit(needed)
        cluster.submit(task, needed, flow=flow)
        cluster.call(("get_tasks",), "show", other)
        state = cluster.call(("get_tasks",), "states", [task])
        cluster.call(("get_flows",), "seal", flow)
        cluster.lines.watch(OutcomeBox(), [IdRun(task, 1), IdRun(other, 1)])
        next_one = cluster.submit(an_id(1), task)  # which is to ask shard 2
        await cluster.settle()
        assert state.result(0) == [[task, 0]]
        assert next_one.result(0) is None

    cluster = run(work)
    asked = cluster.shards[2].asked
    assert asked.index("show") < asked.index("submit")
    behind = asked[asked.index("submit") :]
    assert {"states", "seal", "missing", "watch"} < set(behind)
    assert "watch" in asked[: asked.index("submit")]  # of the other task
    assert not any(one.early for one in cluster.shards.values())


def test_a_listener_that_is_dropped_while_its_task_is_held_does_not_watch_it() -> None:
    needed, task, box = an_id(0), an_id(2), OutcomeBox()

    async def work(cluster: Cluster) -> None:
        cluster.submit(needed)
        cluster.submit(task, needed, box=box)
        cluster.lines.forget(box)
        await cluster.settle()
        assert cluster.shards[2].pending.watched_tasks == 0

    assert task in run(work).shards[2].tasks


def test_a_refused_call_fails_its_caller_and_those_who_need_its_tasks() -> None:
    needed, task = an_id(0), an_id(2)

    async def work(cluster: Cluster) -> None:
        cluster.shards[0].refuses = tq.Full("no room")
        first, then = cluster.submit(needed), cluster.submit(task, needed)
        await cluster.settle()
        with pytest.raises(tq.Full):
            first.result(0)
        with pytest.raises(tq.InvalidArgument, match="which is needed"):
            then.result(0)

    assert not run(work).shards[2].tasks


def test_a_task_whose_need_waits_for_room_in_its_queue_waits_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needed_first, "PAUSE_SECONDS_MIN", 0.0)
    needed, task = an_id(0), an_id(2)

    async def work(cluster: Cluster) -> None:
        first = cluster.shards[0]
        first.is_full = True
        cluster.submit(needed)
        stored = cluster.submit(task, needed)
        while first.asked.count("missing") < 3:
            await asyncio.sleep(0)
            if first.on_the_way:
                await cluster.perform(0)
        first.is_full = False
        first.on_the_way += first.waiting
        while not stored.done():
            await cluster.settle()
        assert stored.result(0) is None

    assert not run(work).shards[2].early


def test_an_id_of_no_shard_of_this_cluster_is_refused() -> None:
    async def work(cluster: Cluster) -> None:
        stored = cluster.submit(an_id(2), an_id(9))
        with pytest.raises(tq.UnknownTask, match="a task of another cluster"):
            stored.result(0)

    run(work)


@pytest.mark.parametrize("seed", range(60))
def test_in_no_order_of_arrival_and_of_lost_connections_does_a_task_come_before_what_it_needs(
    seed: int,
) -> None:
    dice = random.Random(seed)  # noqa: S311

    async def work(cluster: Cluster) -> None:
        made: list[bytes] = []
        stored: list[Future[Any]] = []
        for _ in range(40):
            match dice.randrange(5):
                case 0 | 1:
                    needs = dice.sample(made, min(len(made), dice.randrange(4)))
                    made.append(an_id(dice.randrange(SHARDS)))
                    stored.append(cluster.submit(made[-1], *needs))
                case 2 | 3:
                    shard = dice.randrange(SHARDS)
                    if cluster.shards[shard].on_the_way:
                        await cluster.perform(shard)
                case _:
                    one = cluster.shards[dice.randrange(SHARDS)]
                    del one.on_the_way[dice.randrange(len(one.on_the_way) + 1) :]
                    arrived, one.on_the_way = one.on_the_way, []
                    one.pending.disconnected()
                    # What arrived before the loss is done, and its answer lost.
                    one.tasks.update(
                        id
                        for call in arrived
                        for made_run in runs_of_rows(tasks_made(call.target, call.method, call.args))
                        for id in made_run.ids()
                    )
                    one.flush()
                    one.pending.connected()
                    one.flush()
        await cluster.settle()
        assert [one.result(0) for one in stored] == [None] * len(stored)
        assert all(map(cluster.has, made))

    assert not any(one.early for one in run(work).shards.values())
