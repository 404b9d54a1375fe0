"""The types of data: a dishonest call disturbs no other client, and the same calls give the same value in any process."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from tq.common.errors import InvalidArgument
from tq.common.values.codec import encode
from tq.master.data import named_values as data_module
from tq.master.data.named_values import NamedValues

from ..conftest import Bench, OpenKept
from .test_named_values import Named


def bugs(bench: Bench) -> list[Any]:
    return [fields for action, fields in bench.reports if action == "master.bug"]


@pytest.mark.parametrize(
    ("type", "made_of", "method", "args", "at"),
    [
        ("list", [], "append", ((0, 1, None),), 0),
        ("list", [[1]], "__setitem__", (0, (0, 1, None)), 1),
        ("list", [], "insert", (0, (0, 1, None)), 1),
        ("dict", [], "setdefault", ("k", (0, 1, None)), 1),
        ("dict", [], "__setitem__", ((0, 1, None), 5), 0),  # Python 3.12 can hash one
        ("Value", ["i", 0], "set", ((0, 1, None),), 0),
        ("Namespace", [], "__setattr__", ("x", (0, 1, None)), 1),
        ("Array", ["i", [1]], "__setitem__", (0, (0, 1, None)), 1),
    ],
)
def test_a_slice_is_refused_where_it_is_no_place(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, type: str, made_of: Any, method: str, args: Any, at: int
) -> None:
    """Kept, it could not be stored with the value: from then on each transaction of that value would have failed."""
    monkeypatch.setattr(data_module, "CALLS_BYTES_MIN", 0)
    named = Named(bench.client(), type, "x", *made_of)
    before = named.value
    with pytest.raises(InvalidArgument, match=f"argument {at} of {method} cannot be a slice; send a tuple"):
        named(method, *args, slices=[at])
    assert (named.value, bugs(bench)) == (before, [])


@pytest.mark.filterwarnings(
    "ignore:The 'u' type code is deprecated:DeprecationWarning"
)  # from Python 3.13 on
@pytest.mark.parametrize(
    ("content", "error"),
    [(b"\xff" * 4, "raises ValueError"), (b"\x00\xd8\x00\x00", "raises UnicodeEncodeError")],
)
def test_an_array_of_what_are_no_characters_is_refused_and_nothing_else_fails(
    bench: Bench, content: bytes, error: str
) -> None:
    with pytest.raises(Exception, match=error):
        Named(bench.client(), "Array", "x", "u", content)
    assert (bugs(bench), bench.engine.part(NamedValues).by_name) == ([], {})


@pytest.mark.parametrize(
    ("type", "method", "args", "slices"),
    [
        ("list", "extend", [{"a", "b"}], []),
        ("list", "extend", [frozenset("ab")], []),
        ("list", "__setitem__", [(0, 0, None), {"a", "b"}], [0]),
        ("dict", "update", [{("a", 1), ("b", 2)}], []),
        ("dict", "update", [[{"a", "b"}]], []),
    ],
)
def test_what_has_no_order_is_not_taken_apart(
    bench: Bench, type: str, method: str, args: list[Any], slices: list[int]
) -> None:
    """Each process has another order of a set of texts: after a restart the list would have been another one."""
    named = Named(bench.client(), type, "x")
    with pytest.raises(InvalidArgument, match=rf"{method} takes no (frozen)?set; send list\(value\)"):
        named(method, *args, slices=slices)
    assert not named.value


def test_an_array_of_numpy_is_not_taken_apart_by_the_master(bench: Bench) -> None:
    """Each number would take twelve times its bytes."""
    numpy = pytest.importorskip("numpy")
    named = Named(bench.client(), "list", "x")
    with pytest.raises(InvalidArgument, match="takes no ndarray"):
        named("extend", numpy.zeros(5, "u1"))
    named("append", numpy.zeros(5, "u1"))
    assert len(named.value) == 1


def test_an_attribute_with_the_name_of_a_method_does_not_replace_it(bench: Bench) -> None:
    space = Named(bench.client(), "Namespace", "x")
    for name in ("__getattribute__", "__setattr__", "__delattr__", "__repr__"):
        space("__setattr__", name, 1)
    space("__setattr__", "y", 2)
    space("__delattr__", "__repr__")
    assert (space("__getattribute__", "y"), space("__repr__")) == (2, "Namespace(y=2)")


def test_a_stored_value_that_is_none_of_its_type_is_refused_to_who_asks_for_it(
    make_bench: Any, open_kept: OpenKept
) -> None:
    """A type code that another version of Python has, or what a damaged disk has left."""
    bench = make_bench(open_kept())
    client = bench.client()
    array = Named(client, "Array", "array", "i", [1])
    odd = Named(client, "dict", "odd", {"a": 1})
    store = bench.engine.store
    store.begin()
    store.data.replace(bench.engine.part(NamedValues).by_name["array"].number, b"\x92\xa1?\x01", b"\x90")
    store.data.replace(bench.engine.part(NamedValues).by_name["odd"].number, b"\x91\x01", b"\x90")
    store.commit()
    bench = make_bench(open_kept())
    for named in (array, odd):
        named.peer = bench.client()
        with pytest.raises(Exception, match="cannot be read in this master"):
            named("__len__")
    assert bugs(bench) == []


def test_an_array_that_an_older_master_stored_by_its_elements_is_read(
    make_bench: Any, open_kept: OpenKept
) -> None:
    bench = make_bench(open_kept())
    numbers = Named(bench.client(), "Array", "numbers", "i", [1])
    bench.engine.store.begin()
    bench.engine.store.data.replace(
        bench.engine.part(NamedValues).by_name["numbers"].number, encode(["i", 5, 6]), b"\x90"
    )
    bench.engine.store.commit()
    numbers.peer = make_bench(open_kept()).client()
    assert numbers.value == array("i", [5, 6])


@pytest.mark.parametrize(
    "value", [{10**5_000: 1}, [(1, {10**5_000: [2]})], {(10**5_000,): 1}], ids=["key", "deep", "in a key"]
)
def test_a_number_that_python_does_not_write_out_may_be_a_key(bench: Bench, value: Any) -> None:
    """A client of another make may send one. Nothing writes it out on its way in."""
    client = bench.client()
    named = Named(client, "list", "x")
    payload = encode([[value], {}])
    client.call(named.target, "call", named.caller, 1, "append", payload, [])
    assert (named.value, bugs(bench)) == ([value], [])
