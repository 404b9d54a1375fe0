"""Proxies in other processes: as arguments, through queues and executors, with the standard library's rule for keys."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tq
from tq.managers import SyncManager

from ..sampling import sampled
from .programs import eventually

sys.path.insert(0, str(Path(__file__).parent))
import children_of_managers as children  # type: ignore[import-not-found]
import objects_of_managers as ours  # type: ignore[import-not-found]

sys.path.pop(0)
SECONDS = 60


class Manager(SyncManager):
    pass


Manager.register("Foo", ours.Foo)


@pytest.fixture(scope="module")
def manager() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        with Manager(authkey=b"a key that is not the process's") as manager:
            yield manager


@pytest.fixture(params=["spawn", "fork"])
def context(request: pytest.FixtureRequest) -> Any:
    return multiprocessing.get_context(request.param)


@pytest.fixture
def run(context: Any) -> Iterator[Callable[..., Any]]:
    """Start a child that does this; they all have to end well."""
    started = []

    def start(function: Callable[..., Any], *arguments: Any) -> Any:
        child = context.Process(target=function, args=arguments)
        child.start()
        started.append(child)
        return child

    yield start
    for child in started:
        child.join(SECONDS)
        assert child.exitcode == 0


@pytest.fixture
def authkey(manager: Any) -> Iterator[None]:
    """This process's is the manager's, meanwhile."""
    process = multiprocessing.current_process()
    before, process.authkey = process.authkey, manager._authkey.encode()
    yield
    process.authkey = before


QUEUES = ["Queue", "JoinableQueue", "LifoQueue", "PriorityQueue", "SimpleQueue"]
LOCKS = ["Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition"]


@pytest.mark.parametrize("kind", sampled(QUEUES, ["Queue", "SimpleQueue"]))
def test_a_queue_as_an_argument_is_the_same_queue_in_the_child(
    manager: Any, run: Callable[..., Any], kind: str
) -> None:
    source, target = getattr(manager, kind)(), manager.Queue(name=f"target-{kind}")
    for number in range(3):
        source.put((number,))
    child = run(children.move, source, target, 3)
    assert sorted(target.get(timeout=SECONDS) for _ in range(3)) == [(0,), (1,), (2,)]
    child.join(SECONDS)
    assert (source.qsize(), target.qsize()) == (0, 0)


def test_items_of_parent_and_child_are_distinguished(manager: Any, run: Callable[..., Any]) -> None:
    """Each numbers its puts; after a fork both would have gone on with the same author and numbers."""
    source, both = manager.Queue(), manager.Queue()
    both.put("before")
    source.put("of the child")
    run(children.move, source, both, 1).join(SECONDS)
    both.put("of the parent")
    assert [both.get(timeout=SECONDS) for _ in range(3)] == ["before", "of the child", "of the parent"]
    assert source.join() is None


def test_a_child_that_ends_at_once_has_taken_what_it_took(manager: Any, run: Callable[..., Any]) -> None:
    source, target = manager.Queue(), manager.Queue()
    for number in range(20):
        source.put(number)
    for _ in range(2):
        run(children.move, source, target, 10).join(SECONDS)
    assert sorted(target.get(timeout=SECONDS) for _ in range(20)) == list(range(20))


@pytest.mark.parametrize("kind", sampled(LOCKS, ["RLock", "Condition"]))
def test_children_take_turns(manager: Any, run: Callable[..., Any], kind: str) -> None:
    lock, shared = getattr(manager, kind)(), manager.dict(sum=0)
    check_turns(run, lock, shared)


def test_children_use_what_has_a_name(manager: Any, context: Any, run: Callable[..., Any]) -> None:
    name = f"sums.{context.get_start_method()}"
    check_turns(run, manager.Lock(name=name), manager.dict({"sum": 0}, name=name))
    assert manager.dict(name=name).copy() == {"sum": 30}


def check_turns(run: Callable[..., Any], lock: Any, shared: Any) -> None:
    running = [run(children.take_part, lock, shared, 10) for _ in range(2)]
    children.take_part(lock, shared, 10)
    for child in running:
        child.join(SECONDS)
    assert shared["sum"] == 30


def test_events_barriers_and_semaphores_are_the_same_in_children(
    manager: Any, run: Callable[..., Any]
) -> None:
    barrier, event, semaphore, answers = (
        manager.Barrier(3),
        manager.Event(),
        manager.Semaphore(0),
        manager.Queue(),
    )
    for _ in range(2):
        run(children.meet, barrier, event, semaphore, answers)
    event.set()
    places = [barrier.wait(SECONDS), *(answers.get(timeout=SECONDS) for _ in range(2))]
    assert sorted(places) == [0, 1, 2]
    for _ in range(2):
        assert semaphore.acquire(timeout=SECONDS)


def test_a_condition_notifies_a_child(manager: Any, run: Callable[..., Any]) -> None:
    condition, ready, answers = manager.Condition(), manager.Event(), manager.Queue()
    run(children.wait_for, condition, ready, answers)
    assert ready.wait(SECONDS)
    with condition:
        condition.notify()
    assert answers.get(timeout=SECONDS) is True


def test_an_object_of_the_users_as_an_argument(manager: Any, run: Callable[..., Any]) -> None:
    foo = manager.Foo(1)
    run(children.add, foo, 2).join(SECONDS)
    assert foo.add(0) == 3


def test_a_lock_is_its_processs_and_its_depth_the_threads(manager: Any, context: Any) -> None:
    lock, recursive = manager.Lock(), manager.RLock()
    with ProcessPoolExecutor(
        1, mp_context=context, initializer=children.set_authkey, initargs=(manager._authkey.encode(),)
    ) as pool:
        with lock, recursive:
            assert pool.submit(children.try_lock, lock).result(SECONDS) == (False, "release unlocked lock")
            had, words = pool.submit(children.try_lock, recursive).result(SECONDS)
            assert (had, words) == (False, "cannot release un-acquired lock")
            assert lock.held
            assert recursive.held
        assert pool.submit(children.recurse, recursive).result(SECONDS) == [True, True]


def test_a_proxy_through_a_queue_of_multiprocessing(
    manager: Any, context: Any, run: Callable[..., Any], authkey: None
) -> None:
    """It is not pickled for a child that is being started, so the key is the receiving process's own."""
    pipe, items, answers = context.Queue(), manager.Queue(), manager.Queue()
    items.put("there")
    pipe.put(items)
    run(children.receive, pipe, answers)
    assert answers.get(timeout=SECONDS) == "there"
    pipe.close()
    pipe.join_thread()


def test_a_process_with_another_authkey_is_refused(manager: Any) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(children.name_of_error, manager.Queue(), b"wrong").result(SECONDS) == "Rejected"


def test_the_key_is_in_no_pickle_that_is_not_for_a_child_being_started(manager: Any) -> None:
    for proxy in (manager.Queue(), manager.Lock(), manager.Condition(), manager.Barrier(2), manager.Foo()):
        assert manager._authkey.encode() not in pickle.dumps(proxy)


def test_what_is_ones_own_is_gone_for_all_with_its_maker(manager: Any) -> None:
    maker = Manager(manager.address, manager._authkey)
    maker.connect()
    items, lock = maker.Queue(), maker.Lock()
    passed = pickle.loads(pickle.dumps((items, lock)))  # noqa: S301 - our own
    for proxy in passed:
        proxy._session = manager.app.session
    assert passed[0].qsize() == 0
    maker.app.close()

    def is_gone(ask: Callable[[], Any]) -> bool:
        try:
            ask()
        except tq.InvalidArgument as error:
            return "is gone with the program that made it" in str(error)
        return False

    eventually(lambda: is_gone(lambda: passed[0].put(1)))
    eventually(lambda: is_gone(passed[0].qsize))
    eventually(lambda: is_gone(passed[1].locked))
