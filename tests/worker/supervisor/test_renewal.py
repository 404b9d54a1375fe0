"""New code for a worker that runs: tried in one child, shown when it is broken, and taken over without ending a task."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from tq.common.runtime.config import WorkerSettings
from tq.common.runtime.pool_spec import parse_pool
from tq.worker.agent.reports import JobReport
from tq.worker.supervisor.renewal import CodeWatch

from .bench import Bench, on_a_bench

TURNS = 20  # of the loop, in which children are started and say that they are ready


async def turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


def test_when_the_new_code_has_loaded_idle_children_go_and_one_that_runs_a_task_finishes_it() -> None:
    async def test(bench: Bench) -> None:
        pool = bench.pool
        pool.start_rest()
        await turns()
        bench.give_job()
        busy = next(child for child in bench.children if child.jobs)
        bench.tasks = [["m:new", "default", [], False, 1, b""]]
        pool.runners.renewal.begin()
        await turns()
        children = pool.agent.children
        usable = {number for number, child in children.items() if not children.is_used_up(child)}
        assert len(usable) == 2
        assert usable.isdisjoint({1, 2})
        assert children[busy.number].jobs  # not ended, and gets no more
        assert bench.supervisor.tasks == [["m:new", "default"]]
        assert "code.loaded" in bench.actions()
        report = JobReport(busy.jobs[0].ordinal, 0, b"", 0.0, 0.1, None)
        pool.runners.child_reported(busy, [report])
        assert not children[busy.number].ready
        assert len(bench.children) == 4  # none is started in its place once more

    on_a_bench(test, parse_pool("process:2"))


def test_code_that_cannot_be_loaded_is_logged_each_time_and_changes_nothing_until_it_is_mended() -> None:
    async def test(bench: Bench) -> None:
        pool = bench.pool
        bench.is_broken = True
        for _ in range(2):
            pool.runners.renewal.begin()
            await turns()
        assert bench.actions().count("child.import_failed") == 2
        assert "code.loaded" not in bench.actions()
        assert [child.ready for child in pool.agent.children.values()] == [True]
        assert 1 in pool.agent.children
        await turns()
        assert len(bench.children) == 3
        bench.is_broken = False
        pool.runners.renewal.begin()
        await turns()
        assert {number for number, child in pool.agent.children.items() if child.ready} == {4}

    on_a_bench(test)


def test_a_change_while_one_is_tried_is_tried_behind_it() -> None:
    async def test(bench: Bench) -> None:
        renewal = bench.pool.runners.renewal
        renewal.begin()
        renewal.begin()
        renewal.begin()
        await turns()
        assert len(bench.children) == 3
        assert renewal.trial == 0

    on_a_bench(test)


def test_a_source_file_that_has_changed_is_noticed_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "tasks.py"
    file.write_text("a = 1")
    reports: list[dict[str, Any]] = []
    changed = asyncio.Event()

    async def test() -> None:
        settings = WorkerSettings(modules=("tasks",), watch=True)
        watch = CodeWatch(settings, lambda _, **fields: reports.append(fields), changed.set)
        watching = asyncio.create_task(watch.run())
        file.write_text("a = 1000")
        (tmp_path / "note.txt").write_text("no code")
        await asyncio.wait_for(changed.wait(), 20)
        watching.cancel()

    asyncio.run(test())
    assert reports == [{"files": "tasks.py"}]
    assert os.getcwd() == str(tmp_path)
