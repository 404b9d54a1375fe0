"""``manager.Pool()``: worker processes of the manager's own, or what workers a master elsewhere has."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import tq
from tq.managers import SyncManager

from ..sampling import sampled
from .conftest import Cluster
from .programs import eventually

sys.path.insert(0, str(Path(__file__).parent))
import children_of_managers as children  # type: ignore[import-not-found]
import plain_functions as plain  # type: ignore[import-not-found]

sys.path.pop(0)
Workers = Callable[[], set[psutil.Process]]
SECONDS = 60
KEY = "a key of more than sixteen characters"


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with SyncManager(("127.0.0.1", 0), KEY) as manager:
        yield manager


@pytest.fixture
def workers() -> Callable[[], set[psutil.Process]]:
    """Those that were started since."""

    def is_worker(child: psutil.Process) -> bool:
        try:
            return "tq.worker.cli" in child.cmdline()
        except psutil.NoSuchProcess:  # it has ended meanwhile
            return False

    def running() -> set[psutil.Process]:
        return set(filter(is_worker, psutil.Process().children(recursive=True)))

    before = running()
    return lambda: running() - before


def test_each_pool_of_a_started_manager_has_processes_of_its_own(manager: Any, workers: Workers) -> None:
    one, two = manager.Pool(1), manager.Pool(2, maxtasksperchild=1)
    assert one.map(plain.square, range(5)) == two.map(plain.square, range(5)) == [0, 1, 4, 9, 16]
    assert len({one.apply(os.getpid) for _ in range(5)}) == 1
    assert len({two.apply(os.getpid) for _ in range(5)}) == 5
    two.terminate()
    two.join()
    assert list(one.imap(plain.square, [3])) == [9]
    one.close()
    one.join()
    eventually(lambda: not workers())


def test_the_processes_of_a_pool_end_with_the_manager(manager: Any, workers: Workers) -> None:
    pool = manager.Pool(1)
    assert pool.apply(plain.square, (3,)) == 9
    manager.shutdown()
    assert not workers()
    with pytest.raises(tq.BrokenCluster):
        pool.apply(plain.square, (3,))
    pool.terminate()


def test_a_connected_manager_has_the_workers_there_are(doors: Cluster, workers: Workers) -> None:
    host, _, port = doors.master.address.rpartition(":")
    manager: Any = SyncManager((host, int(port)), doors.master.authkey)
    manager.connect()
    with manager.Pool() as pool:
        assert sum(pool.imap_unordered(plain.square, range(10), chunksize=3)) == 285
    assert not workers()
    manager.app.close()


@pytest.mark.parametrize("method", sampled(["spawn", "forkserver", "fork"], ["spawn"]))
def test_a_pool_that_is_passed_to_a_child_runs_on_the_same_workers(
    manager: Any, workers: Workers, method: str
) -> None:
    context, answers = multiprocessing.get_context(method), manager.Queue()
    pool = manager.Pool(1)
    mine = pool.apply(os.getpid)
    for target, args in ((children.use_pool, (pool, answers)), (children.terminate_pool, (pool,))):
        child = context.Process(target=target, args=args)
        child.start()
        child.join(SECONDS)
        assert child.exitcode == 0
    assert answers.get(timeout=SECONDS) == [1, [3, 2, 1], [7], "<tq.Pool"]
    assert pool.apply(os.getpid) == mine  # its workers are there for who made it
    assert len(workers()) == 1
    pool.terminate()
    pool.join()
    eventually(lambda: not workers())


def test_a_pool_that_only_a_child_has_goes_on_until_the_manager_ends(manager: Any, workers: Workers) -> None:
    """A Process forgets its arguments when it has started."""
    answers = manager.Queue()
    child = multiprocessing.get_context("spawn").Process(
        target=children.use_pool, args=(manager.Pool(1), answers)
    )
    child.start()
    gc.collect()
    assert answers.get(timeout=SECONDS)[0] == 1
    child.join(SECONDS)
    assert child.exitcode == 0
    manager.shutdown()
    assert not workers()


def test_a_pool_that_no_manager_made_cannot_be_passed_on(doors: Cluster) -> None:
    with (
        tq.Pool(app=doors.app) as pool,
        pytest.raises(NotImplementedError, match="pool objects cannot be passed between processes"),
    ):
        pickle.dumps(pool)


def test_what_a_pool_cannot_have_is_refused_and_leaves_nothing_behind(manager: Any, workers: Workers) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        manager.Pool(0)
    with pytest.raises(ValueError, match="maxtasksperchild must be a positive int"):
        manager.Pool(1, maxtasksperchild=0)
    with pytest.raises(tq.InvalidArgument, match="cannot initialise the processes of workers"):
        manager.Pool(1, print)
    assert not workers()
