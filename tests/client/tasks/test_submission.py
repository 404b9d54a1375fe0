"""What is submitted inside a task names it as its parent, though one I/O thread sends the tasks of all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
import tq
from tq.common.domain import context
from tq.common.domain.ids import parse_id, show_id

from .. import jobs
from ..conftest import MasterInMemory, each

MINE, OTHER = bytes(15) + b"\x01", bytes(15) + b"\x02"
_running: ContextVar[bytes | None] = ContextVar("running", default=None)


class ManyAtOnce:
    """A child that runs many tasks: which one asks is known by a context variable, as in the child."""

    owns_process = False

    def context(self) -> tq.Context | None:
        id = _running.get()
        if id is None:
            return None
        return tq.Context(id=show_id(id), attempt=1, queue="q", name="n", token=id.hex(), deadline=None)

    def lend_slot(self, runs: Any) -> None:
        return None


@pytest.fixture(autouse=True)
def child() -> Iterator[None]:
    context.provide(ManyAtOnce())  # type: ignore[arg-type] # it has what is asked for here
    yield
    context.provide(None)


@pytest.fixture
def double(app: tq.App, master: MasterInMemory) -> Any:
    task = app.task(jobs.double)
    master.functions[task.name] = jobs.double
    return task


def inside(id: bytes | None, do: Callable[..., Any], *args: Any) -> Any:
    variables = copy_context()
    variables.run(_running.set, id)
    return variables.run(do, *args)


def parents(master: MasterInMemory) -> dict[bytes, bytes | None]:
    """Of each task that was submitted."""
    found: dict[bytes, bytes | None] = {}
    for _, method, args in master.calls:
        if method == "submit":
            parent = args[7] if len(args) > 7 else None
            assert parent is None or parent[0] == parent[1], "the lease is that of the parent"
            found.update((id, parent and parent[0]) for id, _ in each(args[2]))
    return found


class HeldUp:
    """The I/O thread of an app, which does nothing inside the block: what is submitted meanwhile comes together."""

    def __init__(self, app: tq.App) -> None:
        self._link, self._go_on, self._is_held = app.session.link, threading.Event(), threading.Event()

    def __enter__(self) -> None:
        def hold() -> None:
            self._is_held.set()
            self._go_on.wait(20)

        # By no task: which one wakes the thread does not count.
        inside(None, self._link.post, hold)
        assert self._is_held.wait(20)

    def __exit__(self, *error: object) -> None:
        self._go_on.set()


WHO = [MINE, OTHER, None, OTHER, OTHER, MINE]


@pytest.mark.parametrize("unique", [None, tq.Unique(by="{x}")])
def test_each_of_many_tasks_is_the_parent_of_what_it_submits_itself(
    app: tq.App, double: Any, master: MasterInMemory, unique: tq.Unique | None
) -> None:
    kind = double if unique is None else double.using(unique=unique)

    async def submit() -> list[tq.Handle[int]]:
        def begin(number: int) -> asyncio.Task[Any]:
            return asyncio.ensure_future(kind.asubmit(number))

        with HeldUp(app):
            tasks = [inside(who, begin, number) for number, who in enumerate(WHO)]
            await asyncio.sleep(0)  # each runs up to its wait
        return await asyncio.gather(*tasks)

    handles = asyncio.run(submit())
    assert parents(master) == {parse_id(one.id): who for one, who in zip(handles, WHO, strict=True)}


def test_each_of_many_tasks_is_the_parent_of_what_it_submits_by_an_executor(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    with tq.Executor(app=app) as executor:
        first = executor.submit(double, 7)  # the first one asks the master before it is sent
        assert first.result(20) == 14
        with HeldUp(app):
            futures: list[Any] = [inside(who, executor.submit, double, n) for n, who in enumerate(WHO)]
        assert [one.result(20) for one in futures] == [0, 2, 4, 6, 8, 10]
    assert parents(master) == {
        one.task: who for one, who in zip([first, *futures], [None, *WHO], strict=True)
    }


@pytest.mark.parametrize("what", ["map", "batch"])
def test_a_task_is_the_parent_of_all_that_it_submits_together(
    app: tq.App, double: Any, master: MasterInMemory, what: str
) -> None:
    def submit() -> None:
        if what == "map":
            double.map(range(3))
            return
        with app.batch():
            for number in range(3):
                double.submit(number)

    inside(MINE, submit)
    assert list(parents(master).values()) == [MINE] * 3
