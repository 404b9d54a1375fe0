"""Objects of managers: the user's classes, served with exactly what they expose, and the shared types of data."""

from __future__ import annotations

import copy
import datetime
import enum
import http
import multiprocessing
import multiprocessing.managers
import pickle
import queue
import sys
from array import array
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tq
from tq.managers import BaseProxy, DictProxy, ListProxy, SyncManager

from .programs import eventually

sys.path.insert(0, str(Path(__file__).parent))
import objects_of_managers as ours  # type: ignore[import-not-found]

sys.path.pop(0)
KEY = multiprocessing.current_process().authkey


class GeneratorProxy(BaseProxy):
    _exposed_ = ("__next__",)

    def __iter__(self) -> GeneratorProxy:
        return self

    def __next__(self) -> Any:
        return self._callmethod("__next__")


class Manager(SyncManager):
    pass


Manager.register("Foo", ours.Foo)
Manager.register("Few", ours.Foo, exposed=("add", "_hidden"))
Manager.register("Numbers", ours.Numbers, method_to_typeid={"up_to": "Iterator"})
Manager.register("squares", ours.squares, proxytype=GeneratorProxy)
Manager.register("get_jobs", ours.get_jobs)
Manager.register("attributes", ours.Foo, exposed=("__getattribute__",))
Manager.register("get_settings", ours.get_settings, DictProxy)
Manager.register("get_scores", ours.get_scores, ListProxy)


@pytest.fixture(scope="module")
def manager() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        running = Manager()
        running.start()
    yield running
    running.shutdown()


def other(manager: Any) -> Any:
    guest: Any = Manager(manager.address, KEY)
    guest.connect()
    return guest


class Colour(enum.Enum):
    """The master never imports this module."""

    RED = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@pytest.mark.parametrize("named", [False, True])
def test_members_of_an_enum_are_kept_wherever_data_is(manager: Any, named: bool) -> None:
    def name(what: str) -> dict[str, str]:
        return {"name": f"colours-{what}"} if named else {}

    both = Access.READ | Access.WRITE
    ours = manager.dict({"c": Colour.RED}, **name("dict"))
    ours[Colour.RED] = both
    assert (ours.copy(), ours[Colour.RED]) == ({"c": Colour.RED, Colour.RED: both}, both)
    with pytest.raises(KeyError) as caught:
        ours[Access.READ]
    assert caught.value.args == (Access.READ,)
    several = manager.list([Colour.RED], **name("list"))
    several.append([both])
    assert (several[:], several.index([both]), Colour.RED in several) == ([Colour.RED, [both]], 1, True)
    space = manager.Namespace(c=Colour.RED, **name("space"))
    space.access = both
    value = manager.Value("i", Colour.RED, **name("value"))
    assert (space.c, space.access, value.value) == (Colour.RED, both, Colour.RED)
    value.value = http.HTTPStatus.OK  # the master does have this one
    assert (value.value, str(value)) == (http.HTTPStatus.OK, "Value('i', <HTTPStatus.OK>)")


@pytest.mark.parametrize("name", [None, "of-keys"])
@pytest.mark.parametrize("key", [datetime.date(2020, 1, 1), ("a", ("b", 1)), 2**64, frozenset({1})])
def test_a_key_of_any_type_that_is_not_there_is_a_key_error(manager: Any, name: str | None, key: Any) -> None:
    scores = manager.dict({"a": 1}) if name is None else manager.dict({"a": 1}, name=name)
    for ask in (lambda: scores[key], lambda: scores.pop(key)):
        with pytest.raises(KeyError) as caught:
            ask()
        assert caught.value.args == (key,)


def test_a_class_is_served_with_its_public_methods_each_call_a_new_object(manager: Any) -> None:
    one, two = manager.Foo(10), manager.Foo()
    assert (one.add(1), two.add(1), one.add(1)) == (11, 1, 12)
    assert repr(one).startswith("<AutoProxy[Foo] object, typeid 'Foo' at 0x")
    assert "Foo object" in str(one)
    with pytest.raises(AttributeError, match="not exposed"):
        one._callmethod("_hidden")
    with pytest.raises(AttributeError, match="not exposed"):
        one._callmethod("__getattribute__", ("total",))


def test_exposed_names_are_all_there_is(manager: Any) -> None:
    few = manager.Few()
    assert few._hidden() == "hidden"
    assert not hasattr(few, "fail")
    with pytest.raises(AttributeError, match="not exposed"):
        few._callmethod("fail")
    assert manager.attributes(3)._callmethod("__getattribute__", ("total",)) == 3


def test_exceptions_arrive_as_their_own_type_with_the_remote_traceback(manager: Any) -> None:
    foo = manager.Foo()
    with pytest.raises(KeyError) as caught:
        foo.fail()
    assert "in fail" in str(caught.value.__cause__)
    with pytest.raises(tq.RemoteError, match="Odd"):
        foo.fail_oddly()


def test_generators_and_results_named_in_method_to_typeid_come_as_proxies(manager: Any) -> None:
    assert list(manager.squares(4)) == [0, 1, 4, 9]
    assert list(manager.Numbers().up_to(4)) == [0, 1, 4, 9]


def test_a_callable_that_gives_a_queue_is_a_durable_queue_of_its_kind(manager: Any) -> None:
    jobs = manager.get_jobs()
    jobs.put(1)
    jobs.put(2)
    with pytest.raises(queue.Full):
        jobs.put(3, block=False)
    guest = other(manager)
    assert [guest.get_jobs().get(timeout=60) for _ in range(2)] == [2, 1]
    guest.app.close()


@pytest.mark.parametrize("nameless", [lambda: None, partial(ours.Foo, 1), ours.Foo().add])
def test_what_has_no_name_is_refused_where_it_is_registered(nameless: Any) -> None:
    with pytest.raises(tq.NotNamed):
        Manager.register("nameless", nameless)


def test_a_dict_and_a_list_of_a_program_have_the_proxies_of_a_dict_and_a_list(manager: Any) -> None:
    settings, scores = manager.get_settings(), manager.get_scores()
    settings["b"] = 2
    assert (list(settings), settings | {"c": 3}) == (["a", "b"], {"a": 1, "b": 2, "c": 3})
    assert manager.get_settings().copy() == {"a": 1, "b": 2}
    scores.sort()
    assert (list(scores), scores * 2, scores[1:]) == ([1, 2, 3], [1, 2, 3, 1, 2, 3], [2, 3])


class StockProxy(multiprocessing.managers.BaseProxy):
    pass


@pytest.mark.parametrize(
    ("proxytype", "remedy"),
    [
        (multiprocessing.managers.DictProxy, "from tq.managers import DictProxy"),
        (multiprocessing.managers.AutoProxy, "from tq.managers import AutoProxy"),  # type: ignore[attr-defined]
        (multiprocessing.managers.AcquirerProxy, "SyncManager has locks"),  # type: ignore[attr-defined]
        (StockProxy, "derive it from BaseProxy of tq.managers"),
    ],
)
def test_proxies_of_the_standard_library_are_refused_where_they_are_registered(
    proxytype: Any, remedy: str
) -> None:
    with pytest.raises(tq.InvalidArgument, match=remedy):
        Manager.register("theirs", dict, proxytype)


def test_an_unknown_typeid_and_one_without_a_callable_say_so(manager: Any) -> None:
    class Asking(Manager):
        pass

    Asking.register("nothing")
    guest: Any = Asking(manager.address, KEY)
    guest.connect()
    with pytest.raises(tq.UnknownObject, match="no typeid 'nothing'"):
        guest.nothing()
    guest.app.close()


def test_a_dict_behaves_as_one(manager: Any) -> None:
    shared = manager.dict({"a": 1}, b=2)
    shared["c"] = (3, "x")
    assert (len(shared), "a" in shared, shared["c"], shared.get("z", 0)) == (3, True, (3, "x"), 0)
    assert (list(shared), shared.keys(), shared.pop("a")) == (["a", "b", "c"], ["a", "b", "c"], 1)
    with pytest.raises(KeyError):
        shared["a"]
    assert copy.deepcopy(shared) == shared.copy() == {"b": 2, "c": (3, "x")}
    assert str(shared) == "{'b': 2, 'c': (3, 'x')}"


def test_a_list_behaves_as_one(manager: Any) -> None:
    shared = manager.list([3, 1, 2])
    shared.sort()
    shared += [4]
    shared[1:2] = [7, 8]
    assert (list(shared), shared[::2], shared * 2) == ([1, 7, 8, 3, 4], [1, 8, 4], [1, 7, 8, 3, 4] * 2)
    assert shared.__add__([5]) == [1, 7, 8, 3, 4, 5]
    shared *= 2
    assert len(shared) == 10
    with pytest.raises(IndexError):
        shared[99]
    with pytest.raises(ValueError, match="not in list"):
        shared.remove(99)
    with pytest.raises(tq.InvalidArgument, match="limit"):
        shared *= 10**12
    with pytest.raises(tq.InvalidArgument, match="would run your function"):
        shared.sort(key=len)


def test_data_is_made_and_grows_from_any_iterable(manager: Any) -> None:
    numbers = manager.list(range(3))
    numbers.extend(number for number in (3, 4))
    numbers[:1] = iter([8, 9])
    numbers += map(abs, [-5])
    assert (numbers[:], numbers.copy()) == ([8, 9, 1, 2, 3, 4, 5], [8, 9, 1, 2, 3, 4, 5])
    numbers.clear()
    assert len(numbers) == 0
    pairs = manager.dict(zip("ab", [1, 2], strict=True), c=3)
    pairs.update({"d": 4}.items(), e=5)
    pairs |= manager.dict(f=6)
    assert list(reversed(pairs)) == list("fedcba")
    assert (pairs | {"a": 0}, {"z": 1} | pairs) == ({**pairs.copy(), "a": 0}, {"z": 1, **pairs.copy()})
    assert manager.Array("i", (number for number in (1, 2)))[:] == array("i", [1, 2])
    assert manager.Array("b", b"\x01\x02")[:] == array("b", [1, 2])
    with pytest.raises(TypeError, match="'int' object is not iterable"):
        manager.list(5)


def test_namespace_value_and_array(manager: Any) -> None:
    space, value, numbers = manager.Namespace(x=1), manager.Value("i", 5), manager.Array("i", [1, 2, 3])
    space.y = space.x + 1
    del space.x
    value.value += 1
    numbers[0] = 9
    assert (space.y, value.value, numbers[:], len(numbers)) == (2, 6, array("i", [9, 2, 3]), 3)
    assert (str(space), str(value)) == ("Namespace(y=2)", "Value('i', 6)")
    with pytest.raises(AttributeError, match="'Namespace' object has no attribute 'x'"):
        space.x  # noqa: B018 - it is gone
    with pytest.raises(tq.RemoteError, match=r"^result: a type cannot be sent"):
        space._callmethod("__getattribute__", ("__class__",))
    with pytest.raises(TypeError):
        numbers[0] = "text"


@pytest.mark.parametrize("named", [False, True])
def test_slices_of_an_array_are_the_standard_librarys(manager: Any, named: bool) -> None:
    """Each step is done to a real one, too."""
    shared = manager.Array("i", range(10), **({"name": "sliced"} if named else {}))
    real = array("i", range(10))
    for one in (shared, real):
        one[2:4] = array("i", [7, 8, 9])
        one[::2] = array("i", range(6))
        one[-1:] = array("i")
        one[0] = http.HTTPStatus.OK
    for where in (slice(None), slice(2, 4), slice(None, None, -3), slice(50, 60)):
        assert (type(shared[where]), shared[where]) == (array, real[where])
    assert (list(shared), str(shared), len(shared)) == (list(real), str(real), len(real))
    for value in ([1], (1,), range(1), b"\0\0\0\0", array("d", [1.0])):
        errors = []
        for one in (shared, real):
            with pytest.raises(TypeError) as caught:
                one[2:3] = value
            errors.append(str(caught.value))
        assert errors[0] == errors[1]
    with pytest.raises(ValueError, match="attempt to assign array of size 1 to extended slice"):
        shared[::2] = array("i", [1])
    assert shared[:] == real
    assert copy.deepcopy(shared) == real


def test_arrays_are_kept_in_data_and_returned_by_objects(manager: Any) -> None:
    several = manager.list([array("d", [0.5])])
    several.append(array("B", b"ab"))
    assert several[:] == [array("d", [0.5]), array("B", b"ab")]
    assert [one.typecode for one in several] == ["d", "B"]


def test_a_pickled_proxy_is_the_same_object(manager: Any) -> None:
    shared = manager.dict()
    pickle.loads(pickle.dumps(shared))["k"] = 1  # noqa: S301 - our own
    foo = pickle.loads(pickle.dumps(manager.Foo(1)))  # noqa: S301 - our own
    assert (shared["k"], foo.add(1)) == (1, 2)


def test_objects_go_with_the_program_that_made_them(manager: Any) -> None:
    guest = other(manager)
    proxy = guest.dict(a=1)
    mine = pickle.loads(pickle.dumps(proxy))  # noqa: S301 - our own
    assert mine["a"] == 1
    guest.app.close()
    kept: Any = BaseProxy(mine._token, manager=manager)

    def is_gone() -> bool:
        try:
            kept._getvalue()
        except tq.UnknownObject:
            return True
        return False

    eventually(is_gone)
