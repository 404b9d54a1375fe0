"""What a peer that is not honest may send to a queue of plain values: it costs nobody else."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tq.common.errors import DecodeError, InvalidArgument
from tq.common.values.sort_keys import rank


def test_a_rank_that_is_none_is_refused_when_it_comes_not_when_there_is_room(bench: Any) -> None:
    queue = ("get_queue", "p", "priority", 1)
    client = bench.client()
    client.call(queue, "put", os.urandom(16), 1, b"\x01", True, rank(1))
    for wrong in (None, b"", b"\xff\xff garbage"):
        with pytest.raises((InvalidArgument, DecodeError)):
            client.call(queue, "put", os.urandom(16), 1, b"\x02", True, wrong)
    assert client.call(queue, "get", os.urandom(16)) == b"\x01"


def test_a_token_is_its_takers_alone(bench: Any) -> None:
    token, other, mine = os.urandom(16), ("get_queue", "other"), ("get_queue", "mine")
    owner, thief = bench.client(), bench.client()
    owner.call(other, "put", os.urandom(16), 1, b"secret")
    assert owner.call(other, "get", token) == b"secret"
    for queue in (other, mine):
        with pytest.raises(InvalidArgument, match="holds another item"):
            thief.call(queue, "get", token, False)
        assert thief.call(queue, "give_up_get", token) is None
    assert owner.call(other, "get", token) == b"secret"
    assert owner.call(other, "give_up_get", token) == b"secret"


def test_one_token_for_two_gets_takes_one_item(bench: Any) -> None:
    token, client = os.urandom(16), bench.client()
    calls = [client.ask(("get_queue", name), "get", token) for name in "ab"]
    bench.step()
    for name in "ab":
        client.call(("get_queue", name), "put", os.urandom(16), 1, name.encode())
    assert [client.answer(call) for call in calls] == [b"a", None]
    assert client.call("get_queue/b", "size")[0] == 1
