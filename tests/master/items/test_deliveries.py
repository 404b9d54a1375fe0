"""Gets: items are given in turn, held by their token, confirmed, released, and returned when their node is lost."""

from __future__ import annotations

from typing import Any

from tq.common.domain.model import Role

from .test_items import GRACE_SECONDS, QUEUE, Putter, take, take_all, token


def test_a_get_waits_for_an_item_and_those_who_wait_are_served_in_turn(bench: Any) -> None:
    first, second, putter = bench.client(), bench.client(), Putter(bench.client())
    one, two = first.ask(QUEUE, "get", token()), second.ask(QUEUE, "get", token())
    bench.step()
    assert (first.answers, second.answers) == ({}, {})
    putter.put(b"a")
    putter.put(b"b")
    assert (first.answer(one), second.answer(two)) == (b"a", b"b")


def test_a_get_that_is_asked_again_is_given_the_same_item(bench: Any) -> None:
    client, mine = bench.client(), token()
    putter = Putter(client)
    putter.put(b"a")
    putter.put(b"b")
    assert client.call(QUEUE, "get", mine) == b"a"
    assert client.call(QUEUE, "get", mine) == b"a"
    client.call(QUEUE, "confirm", [mine])
    client.call(QUEUE, "confirm", [mine])
    assert take_all(client) == [b"b"]


def test_giving_up_a_get_answers_for_certain_whether_it_had_an_item(bench: Any) -> None:
    client, putter = bench.client(), Putter(bench.client())
    early, late = token(), token()
    parked = client.ask(QUEUE, "get", early)
    bench.step()
    assert client.call(QUEUE, "give_up_get", early) is None
    assert client.answer(parked) is None
    parked = client.ask(QUEUE, "get", late)
    bench.step()
    putter.put(b"a")
    assert client.call(QUEUE, "give_up_get", late) == b"a"
    assert client.answer(parked) == b"a"


def test_what_a_vanished_client_had_not_confirmed_stands_where_it_stood(bench: Any) -> None:
    gone, putter = bench.client(), Putter(bench.client())
    putter.put(b"a")
    putter.put(b"b")
    gone.call(QUEUE, "get", token())
    waiting = bench.client()
    gone.close()
    assert take(waiting) == b"b"
    parked = waiting.ask(QUEUE, "get", token())
    bench.advance(GRACE_SECONDS + 1)
    assert waiting.answer(parked) == b"a"


def test_a_client_that_comes_back_in_time_keeps_what_it_has(bench: Any) -> None:

    from ..conftest import Peer

    client, mine = bench.client(), token()
    Putter(client).put(b"a")
    client.call(QUEUE, "get", mine)
    client.close()
    bench.advance(GRACE_SECONDS - 1)
    back = Peer(bench, Role.CLIENT, client.session.node)
    bench.advance(GRACE_SECONDS * 2)
    assert take(bench.client()) is None
    assert back.call(QUEUE, "get", mine) == b"a"


def test_an_item_that_is_released_is_the_next(bench: Any) -> None:
    client, mine = bench.client(), token()
    putter = Putter(client)
    putter.put(b"a")
    putter.put(b"b")
    client.call(QUEUE, "get", mine)
    client.call(QUEUE, "release", [mine])
    assert take_all(client) == [b"a", b"b"]


def test_no_client_confirms_or_releases_what_another_holds(bench: Any) -> None:
    client, thief, mine = bench.client(), bench.client(), token()
    Putter(client).put(b"a")
    client.call(QUEUE, "get", mine)
    thief.call(QUEUE, "confirm", [mine])
    thief.call(QUEUE, "release", [mine])
    assert client.call(QUEUE, "get", mine) == b"a"
