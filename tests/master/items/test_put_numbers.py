"""Numbers of puts: a repeated put is stored once, and numbers of programs that are gone are forgotten."""

from __future__ import annotations

from typing import Any

from tq.master.items.put_numbers import FORGET_EVERY_MS, FORGOTTEN_AT_ONCE, PUTTER_TTL_MS

from .test_items import Putter, take, take_all


def test_a_put_that_comes_twice_is_taken_once_even_when_it_is_long_gone(bench: Any) -> None:
    client = bench.client()
    putter = Putter(client)
    putter.put(b"a", number=7)
    assert putter.put(b"a", number=7) is True
    assert take_all(client) == [b"a"]
    assert putter.put(b"a", number=7) is True
    assert take_all(client) == []


def test_a_put_that_was_refused_and_is_repeated_is_tried_again(bench: Any) -> None:
    target = ("get_queue", "small", "fifo", 1)
    client = bench.client()
    first, other = Putter(client, target), Putter(client, target)
    assert first.put(b"a") is True
    assert first.put(b"b", wait=False, number=2) is False  # its answer is lost
    assert take(client, target) == b"a"
    assert other.put(b"c") is True
    assert first.put(b"b", wait=False, number=2) is False
    assert take(client, target) == b"c"
    assert first.put(b"b", wait=False, number=2) is True
    assert take_all(client, target) == [b"b"]


def test_giving_up_a_put_answers_for_certain_whether_it_was_stored(bench: Any) -> None:
    target = ("get_queue", "small", "fifo", 1)
    client = bench.client()
    putter = Putter(client, target)
    putter.put(b"a")
    parked = putter.ask(b"b", number=5, step=True)
    assert client.call(target, "give_up_put", putter.name, 5) is False
    assert client.answer(parked) is False
    assert client.call(target, "give_up_put", putter.name, 1) is True
    assert take_all(client, target) == [b"a"]


def putters(bench: Any) -> int:
    return len(bench.engine.store.items.load().putters)


def test_who_has_put_nothing_for_a_day_is_forgotten_and_puts_on_all_the_same(bench: Any) -> None:
    here, gone = Putter(bench.client()), Putter(bench.client())
    for putter in (here, gone):
        putter.put(b"first")
    bench.advance(PUTTER_TTL_MS / 2_000)
    here.put(b"second")
    assert putters(bench) == 2
    bench.advance(PUTTER_TTL_MS / 2_000 + FORGET_EVERY_MS / 1_000)
    here.put(b"third")
    assert putters(bench) == 1
    assert here.put(b"third", number=3) is True  # again, and not once more
    gone.put(b"fourth")
    assert take_all(here.peer) == [b"first", b"first", b"second", b"third", b"fourth"]


def test_many_who_are_gone_are_forgotten_in_portions(bench: Any) -> None:
    store = bench.engine.store
    store.begin()
    queue = store.items.add_queue("old", "fifo", 0, None)
    rows = [(queue, number.to_bytes(16, "big"), 1, 0) for number in range(FORGOTTEN_AT_ONCE + 5)]
    store.items.put_putters(rows)
    bench.engine._load()
    store.commit()
    bench.step()
    assert putters(bench) == 5
    bench.step()
    assert putters(bench) == 0
