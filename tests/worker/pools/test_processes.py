"""Children that are copies of a process in which modules were imported once: as any other, and refused where a fork would break them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.model import OutcomeNumber
from tq.common.values.codec import decode
from tq.worker.agent.jobs import Death
from tq.worker.pools.concurrent import ConcurrentHandle
from tq.worker.pools.process import ChildHandle
from tq.worker.pools.processes import Preloaded

from .test_process import SECONDS, Nursery, failure, gate, pass_gate

__all__ = ["gate"]

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="children are forked on Linux alone")
FOLDER = Path(__file__).parent
Reports = list[tuple[str, dict[str, Any]]]


class Copies:
    """A template, and children of it."""

    def __init__(self, *modules: str) -> None:
        self.reports: Reports = []
        self._reported = asyncio.Event()
        self.template = Preloaded(modules, self.report)

    def report(self, action: str, **fields: Any) -> None:
        self.reports.append((action, fields))
        self._reported.set()

    async def something_reported(self) -> None:
        self._reported.clear()
        await self._reported.wait()

    async def child(self, handle: type[ChildHandle] = ChildHandle) -> Nursery:
        start: Any = partial(handle, start=self.template.start)
        one = Nursery(str(FOLDER / "template_tasks.py"), handle=start, module="template_tasks")
        await asyncio.wait_for(one.tasks, SECONDS)
        return one

    @property
    def pid(self) -> int:
        return [fields["pid"] for action, fields in self.reports if action == "preload.ready"][-1]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(folders))


def with_copies(test: Callable[[Copies], Awaitable[None]]) -> None:
    async def run() -> None:
        copies = Copies("preloaded")
        await asyncio.wait_for(copies.template.load(), SECONDS)
        try:
            await test(copies)
        finally:
            copies.template.close()

    asyncio.run(run())


def test_children_are_copies_in_which_the_module_was_imported_before_and_end_as_any_child_does(
    gate: Path,
) -> None:
    async def test(copies: Copies) -> None:
        first, second = await copies.child(), await copies.child()
        said = [decode((await one.run("who")).body or b"") for one in (first, second)]
        assert [pids for *pids, _ in said] == [[copies.pid, copies.pid]] * 2
        assert said[0][2] != said[1][2]  # each has random numbers of its own
        [ordinal] = first.send(("wait", str(gate)), timeout=1.0)
        await pass_gate(gate, os.O_RDONLY)
        first.child.notify(ordinal, "timeout")
        report = await first.report(ordinal)
        assert (report.outcome, failure(report).type) == (OutcomeNumber.TIMEOUT, "TimeLimit")
        assert first.output[ordinal] == b"it waits\nit ends\n"
        second.send(("die",))
        assert await second.died() == Death(41)
        assert second.remains.peak_bytes > 2**20
        first.child.end_input()
        assert await first.died() == Death(0)
        third = await copies.child()
        third.child.signal(kill=True)
        assert await third.died() == Death(-signal.SIGKILL)

    with_copies(test)


def test_a_child_that_runs_many_is_a_copy_as_well() -> None:
    async def test(copies: Copies) -> None:
        one = await copies.child(ConcurrentHandle)
        ordinals = one.send(*(("later", number) for number in range(50)))
        assert [decode((await one.report(each)).body or b"") for each in ordinals] == list(range(1, 51))
        parent, *_ = decode((await one.run("who")).body or b"")
        assert parent == copies.pid
        one.child.end_input()
        assert await one.died() == Death(0)

    with_copies(test)


def test_when_the_process_with_the_modules_is_killed_its_copies_go_with_it_and_it_is_started_again() -> None:
    async def test(copies: Copies) -> None:
        one, before = await copies.child(), copies.pid
        os.kill(before, signal.SIGKILL)
        async with asyncio.timeout(SECONDS):
            while copies.reports[-1][0] != "preload.died":
                await copies.something_reported()
        # At once: a second later it is started again, and the death of its copy may be known later than that.
        with pytest.raises(OSError, match="it is started again"):
            copies.template.start(None)  # type: ignore[arg-type] - nothing is started
        assert await one.died() == Death(-signal.SIGKILL)
        async with asyncio.timeout(SECONDS):
            while copies.pid == before:
                await copies.something_reported()
        another = await copies.child()
        assert (await another.run("later", 1)).outcome == OutcomeNumber.SUCCESS
        another.child.end_input()
        await another.died()

    with_copies(test)
