"""A supervisor without a master, whose children are recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tq.common.auth.keys import Credential
from tq.common.runtime.config import WorkerSettings
from tq.common.runtime.pool_spec import PoolSpec
from tq.common.wire.address import Address
from tq.worker.agent.jobs import Death, Job
from tq.worker.agent.runs import JobRun
from tq.worker.pools.interface import RunnerOwner
from tq.worker.supervisor.supervisor import Supervisor
from tq.worker.supervisor.worker_pool import WorkerPool

SECONDS = 40  # of a busy machine


class RecordedChild:
    """A runner that does what the test says."""

    def __init__(self, number: int) -> None:
        self.number, self.pid = number, 0
        self.ready, self.is_retired, self.was_killed = True, False, False
        self.jobs: list[Job] = []

    def send(self, runs: list[JobRun], *, is_swift: bool) -> None:
        self.jobs += [job for run in runs for job in run.jobs()]

    def begun(self, *, for_certain: bool = False) -> int:
        return self.jobs[-1].ordinal if self.jobs else 0

    def take_back(self) -> int:
        return self.begun()

    def notify(self, ordinal: int, kind: str) -> None: ...

    def signal(self, *, kill: bool) -> None:
        self.was_killed |= kill

    def dump_stacks(self) -> None: ...

    def look(self) -> None: ...

    def answer(self, call_id: int, value: Any, error: Any) -> None: ...

    def retire(self) -> None: ...

    def end_input(self) -> None: ...


class Bench:
    """A supervisor without a master, whose children are the test's."""

    def __init__(self, *pools: PoolSpec) -> None:
        self.happened = asyncio.Event()
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self.children: list[RecordedChild] = []
        self.is_broken = False  # the code that children load
        self.tasks = [["m:f", "default", [], False, 1, b""]]
        self.refusals: list[BaseException] = []  # of the next starts
        settings = WorkerSettings(connect=(Address("127.0.0.1", 1),), modules=("m",), slots=1, pools=pools)
        self.supervisor = Supervisor(settings, Credential.parse("a key for tests"), self.report, self.make)

    @property
    def pool(self) -> WorkerPool:
        """Its one pool."""
        [pool] = self.supervisor.pools
        return pool

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
        soon = asyncio.get_running_loop().call_soon
        if self.is_broken:
            child.ready = False
            soon(owner.child_failed, child, False, "SyntaxError: its own")
            soon(owner.child_died, child, Death(0))
        else:
            soon(owner.child_hello, child, self.tasks)
        return child

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                self.happened.clear()
                await self.happened.wait()

    def give_job(self) -> None:
        id = b"i" * 16
        group = ["default", "m:f", None, [[id, 1, b"payload"]]]
        self.pool.agent.granted(b"lease", [group], asyncio.get_running_loop().time())


def on_a_bench(test: Callable[[Bench], Awaitable[None]], *pools: PoolSpec) -> None:
    async def run() -> None:
        bench = Bench(*pools)
        await bench.supervisor.load()
        await test(bench)
        bench.supervisor.stop()

    asyncio.run(run())
