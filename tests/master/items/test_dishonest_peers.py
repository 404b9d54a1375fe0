"""What a dishonest peer may send to an item queue: no other client suffers from it."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tq.common.errors import DecodeError, InvalidArgument
from tq.common.values.sort_keys import rank
from tq.master.engine.portions import GIVEN_BYTES_MAX
from tq.master.items.items import Items


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


def test_a_put_that_turns_out_bad_when_there_is_room_costs_that_put_alone(bench: Any) -> None:
    target = ("get_queue", "p", "priority", 2)
    client, other = bench.client(), bench.client()
    for number in (1, 9):
        client.call(target, "put", os.urandom(16), 1, bytes([number]), True, rank(number))
    waits = [
        other.ask(target, "put", os.urandom(16), 1, bytes([number]), True, rank(number)) for number in (2, 3)
    ]
    bench.step()
    putters = bench.engine.part(Items).by_name["p"].putters
    name, putter = next(iter(putters.items()))
    putters[name] = putter._replace(put=putter.put._replace(rank=b"garbage"))
    assert client.call(target, "get", os.urandom(16)) == b"\x01"
    with pytest.raises(DecodeError):
        other.answer(waits[0])
    assert other.answer(waits[1]) is True


def test_gets_that_wait_for_what_is_given_back_are_served_a_few_megabytes_at_a_time(bench: Any) -> None:
    """Items that one peer takes and gives back all at once were answered in one transaction, however large."""
    queue, size, count = ("get_queue", "q"), 512 * 1024, 40
    holder, waiter, putter = bench.client(), bench.client(), os.urandom(16)
    payloads = [bytes([number]) * size for number in range(count)]
    for number, payload in enumerate(payloads, 1):
        holder.call(queue, "put", putter, number, payload)
    tokens = [os.urandom(16) for _ in payloads]
    assert [holder.call(queue, "get", token) for token in tokens] == payloads
    waits = [waiter.ask(queue, "get", os.urandom(16)) for _ in payloads]
    bench.step()
    holder.call(queue, "release", tokens)
    assert len(waiter.answers) == GIVEN_BYTES_MAX // size
    holder.call(queue, "put", putter, count + 1, b"new")
    while bench.engine.next_wakeup() is not None and bench.engine.next_wakeup() <= bench.now.mono:
        bench.step()
    assert [waiter.answer(call) for call in waits] == payloads, "in their order, and before what came later"
    assert holder.call(queue, "size")[0] == 1
