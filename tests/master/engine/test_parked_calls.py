"""Very many calls that wait: those of one who goes cost those of others nothing."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tq.master
from tq.common.domain.ids import new_ids
from tq.master.items.items import Items
from tq.master.locks.primitives import Primitives

from ..conftest import GRACE_MS, Bench, Peer

pytestmark = pytest.mark.usefixtures("frozen")  # processor time is bounded here

CALLS = 6_000  # of each of two; a walk past the other's takes two seconds of the processor for them
SECONDS_MAX = 0.6


def token() -> bytes:
    return os.urandom(16)


def gets(peer: Peer) -> None:
    peer.ask(("get_queue", "empty"), "get", token())


def puts(peer: Peer) -> None:
    peer.ask(("get_queue", "full", "fifo", 1), "put", token(), 1, b"x")


def joins(peer: Peer) -> None:
    peer.ask(("get_queue", "full", "fifo", 1), "join")


def acquires(peer: Peer) -> None:
    peer.ask(("get_lock", "taken"), "acquire", token())


def events(peer: Peer) -> None:
    peer.ask(("get_event", "never"), "wait", token(), 0)


def barriers(peer: Peer) -> None:
    peer.ask(("get_barrier", "high", 10_000), "wait", token()) if len(peer.session.calls) < 4_000 else None


def leases(peer: Peer) -> None:
    peer.ask("get_dispatcher", "lease", 1)


KINDS = [gets, puts, joins, acquires, events, barriers, leases]


def drained(bench: Bench) -> None:
    while bench.engine.has_work:
        bench.step()


@pytest.mark.parametrize("wait", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_who_goes_costs_nothing_for_those_who_stay(bench: Bench, wait: Callable[[Peer], None]) -> None:
    holder = bench.client()
    holder.call(("get_queue", "full", "fifo", 1), "put", token(), 1, b"x")
    holder.call(("get_lock", "taken"), "acquire", token())
    peers = [bench.client() if wait is not leases else bench.worker("m:f") for _ in range(2)]
    for peer in peers:
        for _ in range(CALLS):
            wait(peer)
        drained(bench)
    stay, goes = peers
    waiting = len(stay.session.calls)
    began = time.thread_time()
    goes.close()
    drained(bench)
    assert time.thread_time() - began < SECONDS_MAX
    assert len(stay.session.calls) == waiting >= 4_000


def test_tokens_without_a_waiting_call_cost_nothing_for_those_with_one(bench: Bench) -> None:
    waits, asks = bench.client(), bench.client()
    for _ in range(CALLS):
        gets(waits)
    drained(bench)
    began = time.thread_time()
    asks.call(("get_queue", "empty"), "release", [token() for _ in range(10_000)])
    assert time.thread_time() - began < SECONDS_MAX


def test_a_release_does_not_look_through_all_conditions(bench: Bench) -> None:
    lock = ("get_lock", "l", "semaphore", 100_000)
    waits, asks = bench.client(), bench.client()
    for number in range(2_000):
        held = token()
        waits.call(lock, "acquire", held)
        waits.ask(lock, "wait", f"c{number}", held, token())
    drained(bench)
    began = time.thread_time()
    for _ in range(2_000):
        asks.ask(lock, "release", token())
    drained(bench)
    assert time.thread_time() - began < SECONDS_MAX


def test_a_condition_without_a_waiting_call_is_not_remembered(bench: Bench) -> None:
    lock, held = ("get_lock", "l"), token()
    client = bench.client()
    client.call(lock, "acquire", held)
    call = client.ask(lock, "wait", "c", held, token())
    bench.step()
    [primitive] = bench.engine.part(Primitives).by_name.values()
    assert (list(primitive.conditions), primitive.waiting) == (["c"], 1)
    bench.engine.abandoned(client.session, call)
    assert (primitive.conditions, primitive.condition_of, primitive.waiting) == ({}, {}, 0)


def test_who_watches_the_same_tasks_as_many_others_goes_alone(bench: Bench) -> None:
    clients = [bench.client() for _ in range(2)]
    ids = [new_ids() for _ in range(30)]
    clients[0].call("get_task_queue/q", "submit", "m:f", {}, [[id, b"\x92\x90\x80"] for id in ids])
    for client in clients:
        for stream in range(1_000):
            client.ask(f"get_result_queue/s{stream}", "watch", ids)
        drained(bench)
    began = time.thread_time()
    clients[0].close()
    drained(bench)
    assert time.thread_time() - began < SECONDS_MAX
    clients[1].call("get_tasks", "cancel", ids)
    assert len(clients[1].call("get_result_queue/s7", "collect")) == len(ids)


def test_very_many_who_own_a_queue_each_go_in_portions(bench: Bench) -> None:
    owners = [bench.client() for _ in range(1_500)]
    for owner in owners:
        owner.ask(("get_queue", f"own.{owner.session.node.hex()}", "fifo", 0, True), "make")
    drained(bench)
    began = time.thread_time()
    for owner in owners:
        owner.close()
    assert time.thread_time() - began < SECONDS_MAX
    bench.now = bench.now._replace(wall=bench.now.wall + GRACE_MS, mono=bench.now.mono + GRACE_MS)
    bench.step()
    assert 0 < len(bench.engine.part(Items).by_name) < len(owners)
    for _ in range(3):
        assert bench.engine.next_wakeup() <= bench.now.mono
        bench.step()
    assert not bench.engine.part(Items).by_name


def test_nothing_that_waits_is_removed_from_a_list() -> None:
    """``list.remove`` and ``deque.remove`` walk past all that came before. Not of calls: the keys whose calls wait for a
    transaction, the files of a working copy, rows of contents, the shards of a master."""
    allowed = {
        "engine/inbox.py",
        "blobs/database_files.py",
        "store/postgres/store.py",
        "observed_shards.py",
        "shared_shards.py",
    }
    root = Path(next(iter(tq.master.__path__)))
    removing = {
        str(file.relative_to(root))
        for file in root.rglob("*.py")
        if re.search(r"\.remove\((?!\))", file.read_text("utf-8"))
    }
    assert removing <= allowed
