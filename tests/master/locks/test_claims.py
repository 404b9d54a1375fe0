"""Claims: a repeated call has one effect, a claim belongs to its node, and a bounded number is remembered."""

from __future__ import annotations

from typing import Any

from tq.master.locks.claims import HELD_MAX, REMEMBERED_MAX
from tq.master.locks.primitives import Primitives

from .test_locks import LOCK, token, waiting


def test_an_acquire_that_is_asked_again_is_the_same_acquisition(bench: Any) -> None:
    client, mine = bench.client(), token()
    assert [client.call(LOCK, "acquire", mine) for _ in range(2)] == [1, 1]
    assert [client.call(LOCK, "release", mine) for _ in range(2)] == [True, True]
    assert client.call(LOCK, "acquire", mine) is None, "it is over, whatever comes late"
    assert client.call(LOCK, "state") == [1, 0, 1]


def test_no_client_releases_what_another_holds(bench: Any) -> None:
    client, thief, mine = bench.client(), bench.client(), token()
    client.call(LOCK, "acquire", mine)
    assert thief.call(LOCK, "release", mine) is False
    assert thief.call(LOCK, "held", mine) is False
    assert client.call(LOCK, "held", mine) is True


def test_a_bounded_number_is_kept(bench: Any) -> None:
    target = ("get_lock", "signals", "semaphore", HELD_MAX + 10)
    client = bench.client()
    for _ in range(HELD_MAX + 10):
        client.ask(target, "acquire", token())
    while bench.engine.has_work:
        bench.step()
    primitive = bench.engine.part(Primitives).by_name[("lock", "signals")]
    assert len(primitive.held) == HELD_MAX
    for _ in range(REMEMBERED_MAX + 5):
        mine = token()
        client.call(LOCK, "acquire", mine)
        client.call(LOCK, "release", mine)
    assert len(bench.engine.part(Primitives).by_name[("lock", "x")].remembered) == REMEMBERED_MAX


def test_one_token_for_two_calls_disturbs_no_other_client(bench: Any) -> None:
    client, twice = bench.client(), token()
    _, _, waits = waiting(bench, client)
    mine = token()
    client.call(LOCK, "acquire", mine)
    client.ask(LOCK, "acquire", waits)
    client.ask(LOCK, "notify", "c", mine, 1)
    client.ask(LOCK, "acquire", twice)
    client.ask(LOCK, "wait", "c", mine, twice)
    client.call(LOCK, "release", mine)
    client.call(LOCK, "release", waits)
    client.call(LOCK, "release", twice)
    assert not bench.reports
