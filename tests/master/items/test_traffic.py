"""What is seen of a queue of items from outside: its first items, and how many come and go."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, InvalidArgument
from tq.master.items.calls import PEEK_BYTES, PEEK_MAX

from ..conftest import Bench
from .test_items import QUEUE, Putter, take


def row(bench: Bench) -> Any:
    [found] = bench.client().call("get_queues", "list")
    return found["item_queue"]


def test_the_first_items_are_seen_and_stay_where_they_are(bench: Bench) -> None:
    putter, viewer = Putter(bench.client()), bench.client(role=Role.VIEWER)
    for number in range(5):
        putter.put(b"%d" % number)
    take(putter.peer)
    for _ in range(2):
        assert viewer.call(QUEUE, "peek", 3) == [[1, b"1"], [1, b"2"], [1, b"3"]]
    assert viewer.call(QUEUE, "size")[0] == 4


def test_of_large_items_the_size_alone_is_seen(bench: Bench) -> None:
    putter = Putter(bench.client())
    putter.put(b"x" * (PEEK_BYTES // 10))
    putter.put(b"x" * (PEEK_BYTES // 10 + 1))
    share = PEEK_BYTES // 10
    assert bench.client(role=Role.VIEWER).call(QUEUE, "peek") == [[share, b"x" * share], [share + 1, None]]


@pytest.mark.parametrize("limit", [0, PEEK_MAX + 1, "1", None])
def test_no_more_is_looked_at_than_a_person_reads(bench: Bench, limit: Any) -> None:
    Putter(bench.client()).put(b"x")
    with pytest.raises(InvalidArgument, match="limit"):
        bench.client().call(QUEUE, "peek", limit)


def test_a_look_makes_no_queue_and_sees_none_of_another_program_or_of_another_key(bench: Bench) -> None:
    with pytest.raises(InvalidArgument, match="there is no queue of items"):
        bench.client().call(QUEUE, "peek")
    owner = bench.client()
    owner.call(("get_queue", "mine", "fifo", 0, True), "put", os.urandom(16), 1, b"x")
    with pytest.raises(InvalidArgument, match="there is no queue of items"):
        bench.client().call(("get_queue", "mine"), "peek")
    Putter(bench.client()).put(b"x")
    with pytest.raises(Forbidden):
        bench.client(role=Role.VIEWER, queues=("other",)).call(QUEUE, "peek")


def test_what_is_put_comes_and_what_is_confirmed_is_gone(bench: Bench) -> None:
    putter = Putter(bench.client())
    for number in range(20):
        putter.put(b"%d" % number)
    assert row(bench)["come"] > 0
    assert row(bench)["gone"] == 0
    token = os.urandom(16)
    putter.peer.call(QUEUE, "get", token)
    assert row(bench)["gone"] == 0, "it may come back"
    putter.peer.call(QUEUE, "confirm", [token])
    bench.step()
    assert row(bench)["gone"] > 0
