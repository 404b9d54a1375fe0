"""Named values and what may be sent to be kept: it costs who sends it, and what was accepted is there after a restart."""

from __future__ import annotations

import enum
import http
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import msgpack
import pytest
from tq.common.errors import DecodeError, InvalidArgument, TqError
from tq.common.values.codec import decode, encode_call
from tq.common.values.hashing import ALIKE_MAX, CHOSEN_MAX
from tq.master.data import named_values as data_module
from tq.master.data.named_values import NamedValues
from tq.master.store.sqlite.store import SqliteStore

from ...common.values.chained import chained
from .test_named_values import Named, understood

ALIKE = list(itertools.product((-1, -2), repeat=8))  # hash(-1) is hash(-2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tq.db"


def ext(code: int, *fields: Any) -> msgpack.ExtType:
    return msgpack.ExtType(code, msgpack.packb(fields))


HOSTILE = {
    "a folder of zones": ext(7, 1, 2, 3, 4, 0, "Europe"),
    "a long zone": ext(7, 1, 2, 3, 4, 0, "x" * 4096),
    "a path as a zone": ext(5, 1, 1, 1, 1, 1, 1, 1, 0, "../../etc/passwd"),
    "a dtype that does not end": ext(13, "(((", [1], b"x"),
    "a scalar of objects": ext(14, "|O", b"12345678"),
    "a time unit of nothing": ext(14, "<M8[0s]", b"12345678"),
    "a shape without end": ext(13, "<i4", [2**62, 2**62], b"1234"),
    "an enum of modules": ext(12, "sys:modules", "os"),
    "alike": ext(3, *[ext(1, *key) for key in ALIKE]),
    "a chain": dict.fromkeys(range(CHOSEN_MAX + 1)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_value_raises_costs_the_call_that_sent_it(bench: Any, name: str) -> None:
    """It was taken for a bug of the master: everybody's transaction was void, and who watched or worked was hung up on."""
    client, watcher, worker = bench.client(), bench.client(), bench.worker("m:f")
    kept = Named(client, "list", "kept", [1])
    watcher.call("get_result_queue", "watch", [b"i" * 16])
    payload = msgpack.packb([[[HOSTILE[name]]], {}])
    calls = [
        client.ask(("get_datum", "list", "new"), "make", payload),
        client.ask(kept.target, "call", kept.caller, 99, "append", payload, []),
        client.ask(kept.target, "call", kept.caller, 100, "count", payload, []),
    ]
    good = watcher.ask(kept.target, "call", b"o" * 16, 1, "append", encode_call((2,), {}), [])
    bench.step()
    for call in calls:
        with pytest.raises(TqError, match=r"^(?!.*bug)"):
            understood(client.answer(call))
    assert understood(watcher.answer(good)) is None
    assert (client.disconnected, watcher.disconnected, worker.disconnected) == ("", "", "")
    assert [action for action, _ in bench.reports] == ["worker.joined"]
    assert 2 in kept.value


@pytest.mark.parametrize("outgrown", [False, True])
def test_keys_of_one_hash_are_refused_when_they_are_set_and_those_before_are_there_after_a_restart(
    make_bench: Any, path: Path, monkeypatch: pytest.MonkeyPatch, outgrown: bool
) -> None:
    monkeypatch.setattr(data_module, "CALLS_BYTES_MIN", 0 if outgrown else 2**20)
    board = Named(make_bench(SqliteStore(path)).client(), "dict", "board")
    for key in ALIKE[:ALIKE_MAX]:
        board("__setitem__", key, "v")
    refused = (
        ("__setitem__", ALIKE[ALIKE_MAX], 1),
        ("setdefault", ALIKE[ALIKE_MAX], 1),
        ("update", {"first": 1, ALIKE[0]: "changed", ALIKE[ALIKE_MAX]: 1}),
        ("update", [("first", 1), (ALIKE[ALIKE_MAX], 1)]),
    )
    for call in refused:
        with pytest.raises(InvalidArgument, match="64 keys of the same hash"):
            board(*call)
    accepted = dict.fromkeys(ALIKE[:ALIKE_MAX], "v")
    assert board.value == accepted
    board.peer = make_bench(SqliteStore(path)).client()
    assert board.value == accepted
    board("__delitem__", ALIKE[0])
    board("pop", ALIKE[1])
    board("__setitem__", ALIKE[-1], 1)
    board("setdefault", ALIKE[-2], 1)
    with pytest.raises(InvalidArgument, match="of the same hash"):
        board("__setitem__", ALIKE[-3], 1)
    board("clear")
    board("update", [(key, 1) for key in ALIKE[-ALIKE_MAX:]])
    board("popitem")
    board("__setitem__", ALIKE[0], 1)


def test_as_many_numbers_as_may_be_in_one_dict_may_be_in_a_named_one(
    make_bench: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.master.data.shared_dict.CHOSEN_MAX", 100)
    counts = Named(make_bench(SqliteStore(path)).client(), "dict", "counts", dict.fromkeys(range(99), 1))
    counts("__setitem__", 1.5, 1)
    counts("update", [(2, 2), ("text", 2), (b"bytes", 2)])
    with pytest.raises(InvalidArgument, match="this dict has 100 keys that are neither text nor bytes"):
        counts("update", [("text", 3), (-1, 2)])
    counts.peer = make_bench(SqliteStore(path)).client()
    assert counts.value == {**dict.fromkeys(range(99), 1), 1.5: 1, 2: 2, "text": 2, b"bytes": 2}


@pytest.mark.usefixtures("frozen")
def test_a_chain_of_numbers_blocks_no_other_client_neither_when_it_is_sent_nor_when_it_is_read_again(
    make_bench: Any, path: Path
) -> None:
    chain = chained(14, 5_400, 4_600)
    bench = make_bench(SqliteStore(path))
    board = Named(bench.client(), "list", "board")
    payload = encode_call((dict.fromkeys(chain),), {})

    def to_make_one() -> float:
        began = time.thread_time()
        dict.fromkeys(chain)
        return time.thread_time() - began

    before = to_make_one()
    began = time.thread_time()
    for number in range(1, 11):
        understood(board.peer.call(board.target, "call", b"c" * 16, number, "append", payload, []))
    board.peer = make_bench(SqliteStore(path)).client()
    assert board("__len__") == 10
    seconds = time.thread_time() - began  # of this thread: others of the process may be at work
    # A busy machine makes both slower, and not at the same moments. Made at each call and at each reading, it would be 20.
    assert seconds < 15 * max(before, to_make_one())
    assert board("__getitem__", 0) == dict.fromkeys(chain)


@pytest.mark.parametrize("outgrown", [False, True])
def test_what_is_kept_is_given_out_as_it_came_though_the_master_does_not_make_it(
    make_bench: Any, path: Path, monkeypatch: pytest.MonkeyPatch, outgrown: bool
) -> None:
    monkeypatch.setattr(data_module, "CALLS_BYTES_MIN", 0 if outgrown else 2**20)
    large = [
        {number: {number} for number in range(1_000)},
        set(range(1_000)),
        {(n, 1): {n: 1} for n in range(100)},
    ]
    frozen = frozenset(range(1_000))
    bench = make_bench(SqliteStore(path))
    some = Named(bench.client(), "list", "some", large)
    of_keys = Named(bench.client(), "dict", "of-keys", large[0])
    for one in large:
        some("append", one)
    some("extend", large[0])
    of_keys("update", large[2])
    of_keys("__setitem__", frozen, frozen)
    one = Named(bench.client(), "Value", "one", "i", large[1])
    space = Named(bench.client(), "Namespace", "space", x=large[0])
    for _ in range(2):
        assert some("copy") == [*large, *large, *large[0]]
        assert (some("count", large[1]), some("index", large[2])) == (2, 2)
        assert of_keys("copy") == {**large[0], **large[2], frozen: frozen}
        assert of_keys("__getitem__", frozen) == frozen
        assert (one("get"), space("__getattribute__", "x")) == (large[1], large[0])
        client = make_bench(SqliteStore(path)).client()
        some.peer = of_keys.peer = one.peer = space.peer = client


class Gone(enum.Enum):
    A = 1


def test_an_enum_whose_module_is_not_loaded_is_taken_and_given_out_all_the_same(
    make_bench: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = Named(make_bench(SqliteStore(path)).client(), "list", "some", [http.HTTPStatus.OK, Gone.A])
    some("append", Gone.A)
    some.peer = make_bench(SqliteStore(path)).client()
    payload = encode_call((), {})
    with monkeypatch.context() as restarted:
        restarted.delitem(sys.modules, __name__)
        some("append", Gone.A)  # as from a client of a master that never had the module
        answer = some.peer.call(some.target, "call", some.caller, 999, "copy", payload, [])
        assert "Gone.A" in some("__repr__")
        with pytest.raises(DecodeError, match="is not known here"):
            decode(answer)
    assert understood(answer) == [http.HTTPStatus.OK, Gone.A, Gone.A, Gone.A]


def test_what_an_older_master_took_is_read(make_bench: Any, path: Path) -> None:
    """Rules for what comes are made after what is there."""
    bench = make_bench(SqliteStore(path))
    Named(bench.client(), "dict", "old")
    parts = [part for key in ALIKE[:-1] for part in (ext(1, *key), "v")]
    bench.engine.store.begin()
    bench.engine.store.data.replace(
        bench.engine.part(NamedValues).by_name["old"].number, msgpack.packb(parts), b"\x90"
    )
    bench.engine.store.commit()
    old = Named(make_bench(SqliteStore(path)).client(), "dict", "old")
    payload = encode_call((), {})
    answer = old.peer.call(old.target, "call", old.caller, 1, "copy", payload, [])
    assert decode(answer, judged=True) == ["value", dict.fromkeys(ALIKE[:-1], "v")]
    with pytest.raises(InvalidArgument, match="of the same hash"):
        old("__setitem__", ALIKE[-1], 1)


def test_a_refusal_that_python_cannot_put_into_words_is_still_a_refusal_after_a_restart(
    make_bench: Any, path: Path
) -> None:
    """A dict takes 64 keys of one hash; what is said of the 65th, an int of 5,000 digits, must not make it a call that was
    done: a master that starts makes those again without judging them."""
    modulus = sys.hash_info.modulus
    one_too_many = 7 + modulus * 10**5_000
    bench = make_bench(SqliteStore(path))
    shared = Named(bench.client(), "dict", "d")
    for number in range(ALIKE_MAX):
        shared("__setitem__", 7 + (number + 8) * modulus * 2**10, number)
    for call in (
        ("__setitem__", one_too_many, 1),
        ("update", [("before", 1), (one_too_many, 2), ("behind", 3)]),
    ):
        with pytest.raises(InvalidArgument, match="keys of the same hash as <an int of"):
            shared(*call)
    assert shared("__len__") == ALIKE_MAX
    bench.engine.store.close()
    again = Named(make_bench(SqliteStore(path)).client(), "dict", "d")
    assert (again("__len__"), again("__contains__", one_too_many)) == (ALIKE_MAX, False)
