"""What a worker does when a child cannot be started, and when something of its own raises what it should not."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from tq.common.auth.keys import Credential
from tq.common.errors import ConfigError
from tq.common.runtime.config import WorkerSettings
from tq.common.wire.address import Address
from tq.worker.agent.jobs import Death, Job
from tq.worker.agent.watchdog import TICK_SECONDS
from tq.worker.pools.interface import RunnerOwner
from tq.worker.supervisor import supervisor
from tq.worker.supervisor.supervisor import Supervisor

SECONDS = 10


class RecordedChild:
    """A body that does as it is told by the test."""

    def __init__(self, number: int) -> None:
        self.number, self.pid = number, 0
        self.ready, self.is_retired, self.was_killed = True, False, False
        self.jobs: list[Job] = []

    def send(self, jobs: list[Job]) -> None:
        self.jobs += jobs

    def unread(self) -> int:
        return 0

    def take_back(self) -> list[int]:
        return []

    def notify(self, ordinal: int, kind: str) -> None: ...

    def signal(self, *, kill: bool) -> None:
        self.was_killed |= kill

    def dump_stacks(self) -> None: ...

    def look(self) -> None: ...

    def answer(self, call_id: int, value: Any, error: Any) -> None: ...

    def retire(self) -> None: ...

    def close_tickets(self) -> None: ...


class Bench:
    """A supervisor without a master, whose children are the test's."""

    def __init__(self) -> None:
        self.happened = asyncio.Event()
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self.children: list[RecordedChild] = []
        self.refusals: list[BaseException] = []  # of the next starts
        settings = WorkerSettings(connect=(Address("127.0.0.1", 1),), modules=("m",), slots=1)
        self.supervisor = Supervisor(settings, Credential.parse("a key for tests"), self.report, self.make)

    def report(self, action: str, **fields: Any) -> None:
        self.reports.append((action, fields))
        self.happened.set()

    def actions(self) -> list[str]:
        return [action for action, _ in self.reports]

    def make(
        self, owner: RunnerOwner, number: int, sources: Sequence[str], allow: Sequence[str]
    ) -> RecordedChild:
        if self.refusals:
            raise self.refusals.pop(0)
        child = RecordedChild(number)
        self.children.append(child)
        asyncio.get_running_loop().call_soon(owner.child_hello, child, [["m:f", "default"]])
        return child

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                self.happened.clear()
                await self.happened.wait()

    def give_job(self) -> None:
        id = b"i" * 16
        group = ["default", "m:f", None, [[id, 1, b"payload"]]]
        self.supervisor.agent.granted(b"lease", [group], asyncio.get_running_loop().time())


def on_a_bench(test: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        bench = Bench()
        await bench.supervisor.load()
        await test(bench)
        bench.supervisor.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    "refusal",
    [
        OSError(errno.EMFILE, "Too many open files"),
        BlockingIOError(errno.EAGAIN, "no more processes"),
        RuntimeError("can't start new thread"),
        MemoryError(),
    ],
)
def test_a_child_that_cannot_be_started_is_tried_again(
    refusal: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "RESTART_SECONDS", (0.0, 0.01))

    async def test(bench: Bench) -> None:
        bench.refusals = [refusal, refusal]
        bench.supervisor.child_died(bench.children[0], Death(-9))
        await bench.until(lambda: len(bench.children) == 2)
        assert bench.actions().count("child.not_started") == 2

    on_a_bench(test)


def test_a_first_child_that_cannot_be_started_ends_the_worker_with_the_reason() -> None:
    async def run() -> None:
        bench = Bench()
        bench.refusals = [OSError(errno.EMFILE, "Too many open files")]
        with pytest.raises(ConfigError, match="Too many open files"):
            await bench.supervisor.load()

    asyncio.run(run())


def test_a_bug_in_one_tick_is_logged_and_the_next_tick_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(bench: Bench) -> None:
        ticks = 0
        agent = bench.supervisor.agent

        def tick(now: float) -> None:
            nonlocal ticks
            ticks += 1
            bench.happened.set()
            if ticks == 1:
                raise KeyError("nobody foresaw this")

        monkeypatch.setattr(agent, "tick", tick)
        bench.give_job()
        await bench.until(lambda: ticks > 2)
        [fields] = [fields for action, fields in bench.reports if action == "worker.bug"]
        assert "nobody foresaw this" in fields["error"]

    on_a_bench(test)


def test_a_worker_that_has_given_up_its_jobs_does_not_look_after_them_any_more() -> None:
    """Its children are killed and die in any order with a tick that was due."""

    async def test(bench: Bench) -> None:
        bench.give_job()
        assert bench.children[0].jobs
        bench.supervisor.stop()
        bench.supervisor.child_died(bench.children[0], Death(-9, is_ours=True))
        asyncio.get_running_loop().call_later(3 * TICK_SECONDS, bench.happened.set)
        bench.happened.clear()
        await bench.happened.wait()
        assert bench.children[0].was_killed
        assert "worker.bug" not in bench.actions()

    on_a_bench(test)
