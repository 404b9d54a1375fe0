"""Transactions go on after a bug in their loop, and draining ends though a disk does not answer. Real sockets and threads."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest
from tq.master.net.transactions import DRAIN_SECONDS_MAX, STORE_PAUSE_SECONDS, UNCERTAIN_PAUSE_SECONDS

from tests.master.net.harness import Client, ServerHarness, actions, is_served

TOKEN = b"t" * 16
LOCK = ["get_lock", "held"]


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("planted")


@pytest.mark.parametrize("method", ["run", "committed", "next_wakeup"])
def test_the_master_goes_on_answering_after_a_bug_in_its_loop(
    harness: ServerHarness, bench: Any, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    client = Client(harness)
    with monkeypatch.context() as plant:
        plant.setattr(bench.engine, method, broken)
        client.ask(LOCK, "state")
        while "master.bug" not in actions(harness):  # the test's time limit ends it
            harness.turn()
    harness.at(STORE_PAUSE_SECONDS * 2)
    assert is_served(client)


def test_a_timer_that_is_early_enough_is_kept_and_a_nearer_moment_replaces_it(
    harness: ServerHarness, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, runner = Client(harness), harness.server.transactions
    moment = bench.engine.now.mono + 10_000  # sooner than what the first write has set
    monkeypatch.setattr(bench.engine, "next_wakeup", lambda: moment)
    client.ask(LOCK, "state")
    harness.settle()
    first = runner._timer
    assert first is not None
    moment += 1_000
    client.ask(LOCK, "state")
    harness.settle()
    assert runner._timer is first
    moment -= 2_000
    client.ask(LOCK, "state")
    harness.settle()
    assert first.cancelled()
    assert runner._timer is not first


def test_while_another_master_may_have_taken_over_nothing_is_answered(
    harness: ServerHarness, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, certain = Client(harness), False
    harness.settle()
    with monkeypatch.context() as plant:
        plant.setattr(type(bench.engine.store), "is_certain", property(lambda store: certain))
        number = client.ask(LOCK, "state")
        for pauses in range(5):
            harness.at(2 * pauses * UNCERTAIN_PAUSE_SECONDS)
        with contextlib.suppress(BlockingIOError):
            client.peer.listen()
        assert number not in [id for _, (id, *_) in client.peer.frames]
        assert harness.server.transactions.is_busy, "it looks again"
        certain = True
        harness.at(10 * UNCERTAIN_PAUSE_SECONDS)
        assert isinstance(client.answer(number), list)


def test_draining_has_an_end_though_the_disk_does_not_answer(
    harness: ServerHarness, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, began = threading.Event(), threading.Event()

    def hang() -> None:
        began.set()
        disk.wait()

    client = Client(harness)
    harness.settle()
    commit = bench.engine.store.commit
    monkeypatch.setattr(harness.server.transactions._committer, "_here_seconds_max", 0.0)
    monkeypatch.setattr(bench.engine.store, "commit", hang)
    try:
        client.ask(LOCK, "acquire", TOKEN)
        harness.turn()
        assert began.wait(10)
        draining = harness.loop.create_task(harness.server.drain())
        harness.turn()
        harness.at(DRAIN_SECONDS_MAX - 0.125)
        assert not draining.done()
        harness.at(DRAIN_SECONDS_MAX)
        assert draining.done()
        assert draining.result() is False
        assert client.hung_up
    finally:
        disk.set()
        monkeypatch.setattr(bench.engine.store, "commit", commit)
        harness.settle()


def test_who_waits_for_transactions_here_is_not_held_up_by_a_pause_of_a_clock_that_stands_still(
    harness: ServerHarness, bench: Any
) -> None:
    uncertain = iter([True] * 3)
    with pytest.MonkeyPatch.context() as plant:
        plant.setattr(
            type(bench.engine.store), "is_certain", property(lambda store: not next(uncertain, False))
        )
        harness.server.wake()
        harness.settle()
        assert not harness.server.transactions.is_busy
        assert not next(uncertain, False)
