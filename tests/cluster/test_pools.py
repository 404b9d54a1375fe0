"""Pools of a worker, with real programs."""

from __future__ import annotations

import importlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import tq
from tq.common.domain.ids import parse_id, show_id

from .programs import eventually

pytestmark = pytest.mark.usefixtures("template")

WAIT_SECONDS = 60.0


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module as a user's program finds it: by its own name."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("pool_tasks")


def test_hundreds_of_coroutines_run_at_once_in_one_child_and_its_death_loses_none(
    tasks: Any, tmp_path: Path
) -> None:
    with tq.throwaway_cluster(tasks.app, pools=["async:500"]):
        handles = [tasks.meet.submit(500) for _ in range(500)]
        [pid] = {handle.result(WAIT_SECONDS) for handle in handles}
        handles = [tasks.hold.submit(str(tmp_path), number) for number in range(40)]
        eventually(lambda: len(list(tmp_path.iterdir())) == 40, WAIT_SECONDS)
        os.kill(pid, signal.SIGKILL)
        (tmp_path / "over").touch()
        assert pid not in {handle.result(WAIT_SECONDS) for handle in handles}


def test_each_pool_of_a_worker_runs_its_own_and_one_that_is_full_holds_up_no_other(
    tasks: Any,
) -> None:
    with tq.throwaway_cluster(tasks.app, pools=["process:1", "async:2", "thread:3@threads"]):
        held = [tasks.nap.submit(60) for _ in range(3)]  # one more than there is room for
        began = time.monotonic()
        process, is_main = tasks.where.submit().result(WAIT_SECONDS)
        thread, is_main_of_threads = tasks.where.using(queue="threads").submit().result(WAIT_SECONDS)
        assert time.monotonic() - began < 50
        assert (is_main, is_main_of_threads) == (True, False)
        assert process != thread
        assert tasks.nap.using(queue="threads").submit(0).result(WAIT_SECONDS) == thread
        for handle in held:
            handle.cancel()
        ended = {tasks.nap.submit(0).result(WAIT_SECONDS)}
        assert not ended & {process, thread}


def test_what_a_task_submits_is_its_own_though_others_submit_in_the_same_process(tasks: Any) -> None:
    with tq.throwaway_cluster(tasks.app, pools=["async:20", "thread:20@threads"]):
        handles = [
            *(tasks.submit_others_on_a_loop.submit() for _ in range(10)),
            *(tasks.submit_others.using(queue="threads").submit() for _ in range(10)),
        ]
        for handle in handles:
            for id in handle.result(WAIT_SECONDS):
                found = tasks.app.session.call(("get_tasks",), "show", parse_id(id))
                assert show_id(found["parent"]) == handle.id


def test_a_pool_grows_to_what_waits_beside_one_of_greenlets(tasks: Any, tmp_path: Path) -> None:
    with tq.throwaway_cluster(tasks.app, pools=["process:1-3", "gevent:20@web"]):
        gathering = [tasks.gather.submit(str(tmp_path), 3) for _ in range(3)]
        pids = {handle.result(WAIT_SECONDS) for handle in gathering}
        assert len(pids) == 3
        greenlets = {tasks.where.using(queue="web").submit().result(WAIT_SECONDS)[0] for _ in range(10)}
        assert len(greenlets) == 1
        assert greenlets.isdisjoint(pids)
        with pytest.raises(tq.TaskError, match="a task in a gevent pool cannot call its App"):
            tasks.both.using(queue="web").submit().result(WAIT_SECONDS)
