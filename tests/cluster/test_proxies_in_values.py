"""Proxies inside values: in lists and dicts of managers, in items, in the arguments and results of tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tq
from tq.client.items.queue import ItemQueue
from tq.common.values.references import Reference
from tq.managers import BaseProxy, SyncManager

from .programs import Master, run_program

sys.path.insert(0, str(Path(__file__).parent))
import children_of_managers as children  # type: ignore[import-not-found]
import objects_of_managers as ours  # type: ignore[import-not-found]

sys.path.pop(0)
SECONDS = 30


class CounterProxy(BaseProxy):
    _exposed_ = ("add",)

    def add(self, amount: int) -> Any:
        return self._callmethod("add", (amount,))


class Manager(SyncManager):
    pass


Manager.register("Foo", ours.Foo)
Manager.register("Counter", ours.Foo, proxytype=CounterProxy)


@pytest.fixture(scope="module")
def manager() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        with Manager(authkey=b"a key of more than sixteen characters") as manager:
            yield manager


def test_shared_objects_can_be_nested(manager: Any) -> None:
    inner = manager.dict(a=1)
    outer = manager.list([inner, {"deep": (inner,)}])
    outer[0]["b"] = 2
    assert inner.copy() == {"a": 1, "b": 2}
    assert outer[1]["deep"][0]["b"] == 2
    tree = manager.dict()
    tree["numbers"] = manager.list(range(3))
    tree["numbers"].append(3)
    del inner
    assert (tree["numbers"][:], outer[0].copy()) == ([0, 1, 2, 3], {"a": 1, "b": 2})
    assert str(outer) == "[<dict of a manager>, {'deep': (<dict of a manager>,)}]"
    space = manager.Namespace(foo=manager.Foo(10))
    assert space.foo.add(1) == 11


@pytest.mark.parametrize("make", ["Queue", "SimpleQueue", "Lock", "RLock", "Semaphore", "Event"])
def test_every_kind_of_proxy_can_be_an_item(manager: Any, make: str) -> None:
    queue, proxy = manager.Queue(), getattr(manager, make)()
    queue.put([proxy])
    [arrived] = queue.get(timeout=SECONDS)
    assert (type(arrived), repr(arrived)) == (type(proxy), repr(proxy))


def test_barriers_conditions_and_objects_of_ones_own_can_be_items(manager: Any) -> None:
    queue = manager.Queue()
    queue.put((manager.Barrier(1, timeout=SECONDS), manager.Condition(), manager.Counter(5)))
    barrier, condition, counter = queue.get(timeout=SECONDS)
    assert barrier.wait() == 0
    with condition:
        condition.notify_all()
    assert (type(counter), counter.add(2)) == (CounterProxy, 7)


def test_tasks_of_a_pool_use_them(manager: Any) -> None:
    lock, shared, answers = manager.Lock(), manager.dict(sum=0), manager.Queue()
    with manager.Pool(2) as pool:
        pool.starmap(children.take_part, [(lock, shared, 5)] * 4, chunksize=1)
        assert shared["sum"] == 20
        answers.put(1)
        moved = manager.Queue()
        pool.apply(children.move, (answers, moved, 1))
        assert moved.get(timeout=SECONDS) == 1
        assert pool.apply(children.same, (shared,)).copy() == {"sum": 20}


def test_what_stays_keeps_only_what_stays(manager: Any) -> None:
    tree = manager.dict(name="tree")
    tree["branch"] = manager.list([1], name="branch")
    assert manager.dict(name="tree")["branch"][:] == [1]
    for passing in (manager.list(), manager.Queue(), manager.Lock()):
        with pytest.raises(
            tq.InvalidArgument, match=r"which goes with the program that made it.*give it a name"
        ):
            tree["leaf"] = [passing]
    assert list(tree) == ["branch"]


def test_a_proxy_of_a_master_that_is_not_known_here_is_refused_and_its_item_stays(
    manager: Any, master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _, port = master.address.rpartition(":")
    elsewhere: Any = SyncManager((host, int(port)), master.authkey)
    elsewhere.connect()
    queue = elsewhere.Queue(name="q")
    queue.put(manager.dict(a=1))
    assert queue.get(timeout=SECONDS)["a"] == 1
    queue.put(manager.dict(a=1))
    with monkeypatch.context() as patch:
        patch.setattr("tq.client.stdlib.references.every_session", lambda: [elsewhere.app.session])
        with pytest.raises(
            tq.TqError, match=r"<dict of a manager> is at a master that this process has no connection to"
        ):
            queue.get(timeout=SECONDS)
    assert queue.qsize() == 1
    elsewhere.app.close()


def test_a_program_without_a_manager_reads_those_of_its_own_master(
    manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.Queue(name="shown.q").put(manager.dict({"a": 1}, name="shown.d"))
    host, port = manager.address
    with tq.App(f"tq://{host}:{port}", "a key of more than sixteen characters") as app:
        monkeypatch.setattr("tq.client.stdlib.references.every_session", lambda: [app.session])
        assert ItemQueue(app.session, "shown.q").get(timeout=SECONDS)["a"] == 1


def test_the_commands_print_values_that_hold_them(manager: Any, tmp_path: Path) -> None:
    """They use none of it, and need no line to any master but their own."""
    host, port = manager.address
    key = "a key of more than sixteen characters"
    settings = {"TQ_URL": f"tq://{host}:{port}", "TQ_AUTHKEY": key}
    counts = manager.dict(name="shown.counts")
    manager.dict({counts: [counts]}, name="shown.dict")
    with tq.App(settings["TQ_URL"], key) as app:
        id = app.named("unserved:task").submit([counts]).id
    for arguments in (("data", "show", "shown.dict"), ("show", id), ("show", id, "--json"), ("why", id)):
        done = run_program("tq", *arguments, home=tmp_path, environment=settings)
        assert (done.returncode, done.stderr) == (0, "")
        assert "why" in arguments or "<dict 'shown.counts' of a manager>" in done.stdout


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("object", ("Foo", b"i" * 16, ("__init__",), None)),
        ("object", ("Foo", b"i" * 16, ("add", "__del__"), None)),
        ("object", ("Foo", b"i" * 16, ("_callmethod",), None)),
        ("object", ("Foo", b"i" * 16, 7, None)),
        ("queue", ("ItemQueue", "q", "fifo", None)),
    ],
)
def test_a_forged_one_is_no_value_and_its_item_stays(manager: Any, kind: str, where: tuple[Any, ...]) -> None:
    items = manager.Queue()
    items.put([Reference(kind, where, manager.app.cluster_id())])
    for _ in range(2):
        with pytest.raises(tq.DecodeError):
            items.get(timeout=SECONDS)
    assert items.qsize() == 1
