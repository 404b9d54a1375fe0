"""Named values of very many small parts: what one call, and one value, may take is bounded, whatever its bytes."""

from __future__ import annotations

import struct
import time
from typing import Any

import pytest
from tq.common.errors import InvalidArgument
from tq.master.data import named_values as data_module
from tq.master.data.effort import EFFORT_MAX

from ..conftest import OpenKept
from .test_named_values import Named

pytestmark = pytest.mark.usefixtures("frozen")  # processor time is bounded here

LOOPS_MAX = 40  # what is accepted takes five, or more while others compute; what is refused took a hundred
SMALL = {
    "tuples": b"\xd4\x01\x90",
    "decimals": b"\xd4\x091",
    "paths": b"\xc7\x07\x0b\x92\xa4Path\xa0",
    "durations": b"\xd6\x08\x93\x01\x01\x01",
    "dicts": b"\x81\xa1a\x01",
    "lists": b"\x91\x01",
}


def loop_seconds() -> float:
    """Of the processor, for four million rounds of a loop, as busy as this machine is now."""
    began = time.thread_time()
    for _ in range(4_000_000):
        pass
    return time.thread_time() - began


def list_of(one: bytes, count: int) -> bytes:
    return b"\x92\x91\xdd" + struct.pack(">I", count) + one * count + b"\x80"


@pytest.mark.parametrize("one", SMALL.values(), ids=SMALL)
def test_very_many_small_parts_are_refused_before_they_are_read(bench: Any, one: bytes) -> None:
    client = bench.client()
    kept = Named(client, "list", "kept", [1])
    payload = list_of(one, 4_000_000 // len(one))
    began = time.thread_time()
    with pytest.raises(InvalidArgument, match=r"half a second.*split it into several"):
        client.call(("get_datum", "list", "new"), "make", payload)
    with pytest.raises(InvalidArgument, match="half a second"):
        client.call(kept.target, "call", kept.caller, 99, "append", payload, [])
    assert time.thread_time() - began < LOOPS_MAX * loop_seconds()
    assert kept.value == [1]


@pytest.mark.parametrize("one", [SMALL["tuples"], SMALL["paths"]], ids=["tuples", "paths"])
def test_as_many_as_may_be_take_a_second_at_most(bench: Any, one: bytes) -> None:
    client = bench.client()
    began = time.thread_time()
    client.call(("get_datum", "list", "new"), "make", list_of(one, EFFORT_MAX // 21 - 10))
    assert time.thread_time() - began < LOOPS_MAX * loop_seconds()


def test_a_value_that_grows_in_many_calls_has_the_same_bound_and_is_read_again(
    make_bench: Any, open_kept: OpenKept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_module, "EFFORT_MAX", 2_000)
    named = Named(make_bench(open_kept()).client(), "list", "x")
    taken = 0
    while taken < 1_000:
        try:
            named("append", (taken,))
        except InvalidArgument as error:
            assert "half a second" in str(error)  # noqa: PT017 - after so many
            break
        taken += 1
    assert 50 < taken < 200
    named("pop")
    named("append", "there is room for what is counted again")
    expected = named.value
    monkeypatch.setattr(data_module, "EFFORT_MAX", 100)  # of an earlier version
    named.peer = make_bench(open_kept()).client()
    assert named.value == expected
    assert len(expected) == taken


def test_calls_that_take_long_to_make_again_are_written_as_the_value(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_module, "CALLS_EFFORT_MAX", 1_000)
    named = Named(bench.client(), "list", "x", ["a"])
    for number in range(60):
        named("__setitem__", 0, (number,))
    assert len(bench.engine.store.data.read(1).calls) < 25
    assert named.value == [(59,)]


def test_a_call_of_many_arguments_is_judged_whatever_it_does(bench: Any) -> None:
    named = Named(bench.client(), "list", "x", [1])
    with pytest.raises(InvalidArgument, match="half a second"):
        named.peer.call(
            named.target, "call", named.caller, 99, "count", list_of(SMALL["tuples"], 100_000), []
        )
