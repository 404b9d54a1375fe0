"""Named values: what is called of them is there after a restart, and done once however often it is asked."""

from __future__ import annotations

import contextlib
import itertools
import os
from array import array
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tq.common.domain.model import Role
from tq.common.errors import (
    DecodeError,
    InvalidArgument,
    NotSerializable,
    RemoteError,
    StoreError,
    TqError,
    UnknownObject,
)
from tq.common.values.codec import decode, encode_call
from tq.common.values.failure import Failure
from tq.master.data import named_values as data_module
from tq.master.data.named_values import (
    ANSWERS_BYTES_MAX,
    BYTES_MAX,
    CALLERS_MAX,
    CALLS_BYTES_MIN,
    NamedValues,
)
from tq.master.store.sqlite.store import SqliteStore

from ...properties import examples
from ..conftest import Bench


class Named:
    """A program's proxy of a named value: it numbers its calls."""

    def __init__(self, peer: Any, type: str, name: str, *args: Any, **kwargs: Any) -> None:
        self.peer, self.target = peer, ("get_datum", type, name)
        self.caller, self.numbers = os.urandom(16), itertools.count(10)
        understood(peer.call(self.target, "make", encode_call(args, kwargs)))

    def __call__(self, method: str, *args: Any, slices: list[int] | None = None, number: int = 0) -> Any:
        payload = encode_call(args, {})
        call = self.caller, number or next(self.numbers), method, payload, slices or []
        return understood(self.peer.call(self.target, "call", *call))

    @property
    def value(self) -> Any:
        return self("#GETVALUE")


def understood(answer: bytes) -> Any:
    kind, *rest = decode(answer)
    if kind == "error":
        failure = Failure.decode(rest[0])
        raise LookupError(f"{failure.type}: {failure.message}")
    return rest[0] if kind == "value" else rest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tq.db"


# what is there after a start


@pytest.mark.parametrize(
    ("type", "args", "calls", "value"),
    [
        ("dict", [{"a": 1}], [("__setitem__", (1, "b"), [2]), ("pop", "a")], {(1, "b"): [2]}),
        ("list", [[3, 1]], [("append", 2), ("sort",), ("pop", 0)], [2, 3]),
        ("Namespace", [], [("__setattr__", "x", 1), ("__setattr__", "y", 2), ("__delattr__", "x")], {"y": 2}),
        ("Value", ["i", 1], [("set", 7)], 7),
        ("Array", ["i", [1, 2, 3]], [("__setitem__", 0, 9)], array("i", [9, 2, 3])),
    ],
)
@pytest.mark.parametrize("outgrown", [False, True])
def test_a_value_is_there_after_a_restart(
    make_bench: Any,
    path: Path,
    type: str,
    args: list[Any],
    calls: list[Any],
    value: Any,
    outgrown: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if outgrown:
        monkeypatch.setattr(data_module, "CALLS_BYTES_MIN", 0)
    bench = make_bench(SqliteStore(path))
    named = Named(bench.client(), type, "x", *args)
    for method, *arguments in calls:
        named(method, *arguments)
    bench = make_bench(SqliteStore(path))
    again = Named(bench.client(), type, "x", "these arguments are", "for a new one")
    assert dict(again("items")) == value if type == "dict" else again.value == value


def test_calls_that_outgrow_the_value_become_a_new_value(make_bench: Any, path: Path) -> None:
    bench = make_bench(SqliteStore(path))
    counts = Named(bench.client(), "dict", "counts")
    for number in range(2_000):
        counts("__setitem__", "n", number)
    (row,) = bench.engine.store.data.load()
    assert row.size_bytes < CALLS_BYTES_MIN
    bench = make_bench(SqliteStore(path))
    assert Named(bench.client(), "dict", "counts").value == {"n": 1_999}


def test_a_call_that_raises_half_way_leaves_the_same_behind_as_before(make_bench: Any, path: Path) -> None:
    bench = make_bench(SqliteStore(path))
    named = Named(bench.client(), "dict", "x")
    with pytest.raises(LookupError, match="TypeError"):
        named("update", [["a", 1], 5])
    assert named.value == {"a": 1}
    bench = make_bench(SqliteStore(path))
    assert Named(bench.client(), "dict", "x").value == {"a": 1}


def test_a_transaction_that_fails_leaves_nothing_in_memory(make_bench: Any, path: Path) -> None:
    bench = make_bench(SqliteStore(path))
    client = bench.client()
    named = Named(client, "list", "x", [1])

    def full() -> None:
        raise StoreError("disk full")

    call = client.ask(named.target, "call", named.caller, 7, "append", encode_call((2,), {}), [])
    bench.step(commit=full)
    with pytest.raises(StoreError, match="disk full"):
        client.answer(call)
    assert named.value == [1]
    assert named("append", 3, number=8) is None
    assert named("copy", number=9) == [1, 3]


def test_slices_travel_as_three_numbers(bench: Any) -> None:
    named = Named(bench.client(), "list", "x", [0, 1, 2, 3])
    assert named("__getitem__", [1, 3, None], slices=[0]) == [1, 2]
    named("__setitem__", [0, 2, None], [9], slices=[0])
    assert named.value == [9, 2, 3]
    with pytest.raises(InvalidArgument, match="is not a slice"):
        named("__getitem__", [1, 3, None], slices=[5])


def test_what_is_used_longest_ago_is_not_kept_in_memory_and_read_when_it_is_asked_for(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_module, "RESIDENT_BYTES_MAX", 3_000)
    client = bench.client()
    many = [Named(client, "list", f"n{number}", [b"x" * 1_000]) for number in range(6)]
    in_memory = [one.name for one in bench.engine.part(NamedValues).by_name.values() if one.datum is not None]
    assert 0 < len(in_memory) <= 3
    assert [len(one.value) for one in many] == [1] * 6


# once


def test_a_call_that_is_asked_again_is_answered_again_and_done_once(make_bench: Any, path: Path) -> None:
    bench = make_bench(SqliteStore(path))
    named = Named(bench.client(), "list", "x", [1, 2, 3])
    assert [named("pop", number=1), named("pop", number=1)] == [3, 3]
    bench = make_bench(SqliteStore(path))
    named.peer = bench.client()
    assert [named("pop", number=1), named.value] == [3, [1, 2]]


def test_the_same_holds_when_the_value_was_rewritten_in_between(
    make_bench: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_module, "CALLS_BYTES_MIN", 0)
    bench = make_bench(SqliteStore(path))
    named, other = Named(bench.client(), "list", "x", [1, 2, 3]), Named(bench.client(), "list", "x")
    assert named("pop", number=1) == 3
    for value in range(9):
        other("append", value)
    assert bench.engine.store.data.read(1).calls == []
    bench = make_bench(SqliteStore(path))
    named.peer = bench.client()
    assert [named("pop", number=1), len(named.value)] == [3, 11]


def test_an_answer_that_is_forgotten_is_not_made_up_and_its_call_not_done_again(bench: Any) -> None:
    named = Named(bench.client(), "list", "x", [b"x" * (ANSWERS_BYTES_MAX + 1), b"y"])
    named("pop", 0, number=1)
    others = [Named(named.peer, "list", "x") for _ in range(2)]
    for other in others:
        other("append", 1)
    with pytest.raises(RemoteError, match="took effect"):
        named("pop", 0, number=1)
    assert named("copy", number=2) == [b"y", 1, 1]


def test_callers_of_long_ago_are_forgotten(bench: Any) -> None:
    client = bench.client()
    for _ in range(CALLERS_MAX + 5):
        Named(client, "Value", "x", "i", 0)("set", 1)
    assert len(bench.engine.part(NamedValues).by_name["x"].last) == CALLERS_MAX


# refusals


def test_one_name_is_one_type(bench: Any) -> None:
    client = bench.client()
    named = Named(client, "dict", "x")
    with pytest.raises(InvalidArgument, match="'x' is a dict already, not a list; use another name"):
        Named(client, "list", "x")
    named.target = ("get_datum", "list", "x")
    with pytest.raises(InvalidArgument, match="'x' is a dict, not a list"):
        named("append", 1)
    with pytest.raises(UnknownObject, match="a 'tuple' cannot be named; these can: dict, list"):
        Named(client, "tuple", "y")
    with pytest.raises(LookupError, match="TypeError"):
        Named(client, "dict", "y", 7)


@pytest.mark.parametrize("name", ["", "a b", "x" * 256, "own.x"])
def test_a_name_can_be_typed_and_is_not_one_that_belongs_to_a_program(bench: Any, name: str) -> None:
    with pytest.raises(InvalidArgument):
        Named(bench.client(), "dict", name)


def test_a_key_for_some_queues_is_for_those_names(bench: Any) -> None:
    Named(bench.client(queues=("img.*",)), "dict", "img.sizes")
    with pytest.raises(TqError, match=r"may use the queues img\.\*"):
        Named(bench.client(queues=("img.*",)), "dict", "mail")


def test_what_is_not_exposed_is_not_called(bench: Any) -> None:
    named = Named(bench.client(), "dict", "x")
    for method in ("__class__", "__reduce__", "fromkeys", "append", "_x", "#"):
        with pytest.raises(LookupError, match="not exposed"):
            named(method)


def test_one_has_a_bound_and_what_would_pass_it_is_refused_whole(bench: Any) -> None:
    named = Named(bench.client(), "list", "x")
    named("extend", [b"x" * (BYTES_MAX // 2)])
    with pytest.raises(InvalidArgument, match="the limit"):
        named("append", b"x" * (BYTES_MAX // 2))
    named("pop")
    named("append", b"x" * (BYTES_MAX // 2))
    with pytest.raises(InvalidArgument, match="the limit"):
        Named(bench.client(), "dict", "y", {"k": b"x" * BYTES_MAX})
    with pytest.raises(InvalidArgument, match="the limit"):
        named("repeated", 10**9)


@pytest.mark.parametrize(
    "strange", [msgpack.Timestamp(1), msgpack.ExtType(15, bytes(40))], ids=["timestamp", "blob"]
)
def test_what_no_tq_sends_is_refused_before_it_is_in(bench: Any, strange: Any) -> None:
    client = bench.client()
    named = Named(client, "list", "x")
    payload = msgpack.packb([[strange], {}])
    with pytest.raises(NotSerializable):
        client.call(named.target, "call", named.caller, 1, "append", payload, [])
    assert named.value == []


def test_what_is_kept_can_be_read_however_deep_it_is(make_bench: Any, path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(data_module, "CALLS_BYTES_MIN", 0)
    deep: Any = 1
    for _ in range(61):
        deep = [deep]
    bench = make_bench(SqliteStore(path))
    named = Named(bench.client(), "list", "x")
    named("append", deep)
    with pytest.raises(NotSerializable, match="deeper"):
        named("append", [deep])
    assert not [one for one in bench.reports if one[0] == "master.bug"]
    again = Named(make_bench(SqliteStore(path)).client(), "list", "x")
    assert again("pop", number=9) == deep


def test_a_value_that_cannot_be_read_affects_no_other_and_stays(make_bench: Any, path: Path) -> None:
    bench = make_bench(SqliteStore(path))
    Named(bench.client(), "dict", "bad")
    Named(bench.client(), "dict", "good", {"k": 1})
    bench.engine.store.begin()
    bench.engine.store.data.replace(bench.engine.part(NamedValues).by_name["bad"].number, b"\xc1", b"\x90")
    bench.engine.store.commit()
    bench = make_bench(SqliteStore(path))
    bad = Named(bench.client(), "dict", "bad")
    for _ in range(2):
        with pytest.raises(DecodeError, match="dict 'bad' cannot be read in this master"):
            bad("copy")
    assert Named(bench.client(), "dict", "good").value == {"k": 1}


# for operators


def test_they_are_listed_printed_and_deleted(bench: Any) -> None:
    client, admin = bench.client(), bench.client(role=Role.ADMIN)
    counts = Named(client, "dict", "counts", {"a": 1})
    Named(client, "Array", "array", "i", [1, 2])
    listed = admin.call("get_data", "list")
    assert [(row["name"], row["type"]) for row in listed["rows"]] == [("array", "Array"), ("counts", "dict")]
    assert (listed["left_out"], bench.client(queues=("a*",)).call("get_data", "list")["rows"][1:]) == (0, [])
    assert decode(admin.call("get_data", "show", "counts")["parts"]) == ["a", 1]
    assert decode(admin.call("get_data", "show", "array")["parts"]) == ["i", array("i", [1, 2])]
    assert admin.call("get_data", "delete", "counts") == "dict"
    with pytest.raises(UnknownObject, match=r"no value is named 'counts' .any more.; create it"):
        counts("copy")
    with pytest.raises(UnknownObject):
        admin.call("get_data", "delete", "counts")
    assert Named(client, "list", "counts").value == []


def test_a_value_that_is_deleted_in_the_transaction_of_a_call_is_gone(bench: Any) -> None:
    client, admin = bench.client(), bench.client(role=Role.ADMIN)
    named = Named(client, "list", "x")
    call = client.ask(named.target, "call", named.caller, 1, "append", encode_call((1,), {}), [])
    gone = admin.ask("get_data", "delete", "x")
    bench.step()
    assert (understood(client.answer(call)), admin.answer(gone)) == (None, "list")
    assert bench.engine.store.data.load() == []


# any calls

KEYS = st.integers(0, 5) | st.text(max_size=2) | st.tuples(st.integers(0, 2), st.text(max_size=1))
VALUES = (
    st.none() | st.integers() | st.floats(allow_nan=False) | st.binary(max_size=5) | st.lists(st.integers())
)
DICT_CALLS = st.one_of(
    st.tuples(st.just("__setitem__"), KEYS, VALUES),
    st.tuples(st.just("__delitem__"), KEYS),
    st.tuples(st.just("pop"), KEYS, VALUES),
    st.tuples(st.just("popitem")),
    st.tuples(st.just("setdefault"), KEYS, VALUES),
    st.tuples(st.just("update"), st.lists(st.tuples(KEYS, VALUES), max_size=3)),
    st.tuples(st.just("clear")),
)
PLACES = st.integers(-4, 4)
LIST_CALLS = st.one_of(
    st.tuples(st.just("append"), VALUES),
    st.tuples(st.just("extend"), st.lists(VALUES, max_size=3)),
    st.tuples(st.just("insert"), PLACES, VALUES),
    st.tuples(st.just("__setitem__"), PLACES, VALUES),
    st.tuples(st.just("__delitem__"), PLACES),
    st.tuples(st.just("pop"), PLACES),
    st.tuples(st.just("remove"), VALUES),
    st.tuples(st.just("sort")),
    st.tuples(st.just("reverse")),
)
STEPS = st.lists(st.sampled_from(["call", "call", "call", "again", "fail", "restart"]), max_size=30)


@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.data(), st.sampled_from(["dict", "list"]), STEPS, st.booleans())
def test_any_calls_with_restarts_in_between_give_the_same_as_in_one_process(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    drawn: st.DataObject,
    type: str,
    steps: list[str],
    small: bool,
) -> None:
    monkeypatch.setattr(data_module, "CALLS_BYTES_MIN", 0 if small else CALLS_BYTES_MIN)
    file = tmp_path_factory.mktemp("data") / "tq.db"
    with contextlib.ExitStack() as stores:  # an example may be given up anywhere

        def start() -> Bench:
            stores.close()
            return Bench(stores.enter_context(contextlib.closing(SqliteStore(file))))

        check_story(start, drawn, type, steps)


def check_story(start: Callable[[], Bench], drawn: st.DataObject, type: str, steps: list[str]) -> None:
    model: Any = OrderedDict() if type == "dict" else []
    named = Named(start().client(), type, "x")
    number, last = 0, ("ok", None)

    def disk_full() -> None:
        raise StoreError("disk full")

    for step in steps:
        if step == "restart":
            named.peer = start().client()
        elif step == "again" and number:
            assert outcome(lambda: named("copy", number=number)) == last  # noqa: B023 - called at once
        else:
            method, *args = drawn.draw(DICT_CALLS if type == "dict" else LIST_CALLS)
            number += 1
            if step == "fail":
                call = named.caller, number, method, encode_call(tuple(args), {}), []
                named.peer.ask(named.target, "call", *call)
                named.peer.bench.step(commit=disk_full)
                number -= 1
            else:
                last = outcome(lambda: named(method, *args, number=number))  # noqa: B023 - called at once
                assert last == outcome(lambda: getattr(model, method)(*args))  # noqa: B023
    got = named("items", number=number + 1) if type == "dict" else named("copy", number=number + 1)
    assert list(got) == (list(model.items()) if type == "dict" else model)


def outcome(call: Any) -> tuple[str, Any]:
    """What a call gives, or the type of what it raises."""
    try:
        return "ok", call()
    except LookupError as error:
        return "raised", (
            str(error).partition(":")[0] if type(error) is LookupError else type(error).__name__
        )
    except (TypeError, ValueError) as error:
        return "raised", type(error).__name__
