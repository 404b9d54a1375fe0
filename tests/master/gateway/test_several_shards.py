"""A gateway before several shards: over one connection each call goes to the shard of its queue, or is refused with where that is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tq.common.domain.shards import Shard, shard_of_name
from tq.master.gateway.context import KEY_ID
from tq.master.items.items import Items
from tq.master.keys.keyring import Keyring
from tq.master.net.server import MasterServer

from ..conftest import Bench
from ..new_store import NewStore
from .peers import GatewayHarness

COUNT = 4  # of the cluster: the first two of them are here
PORTS = (7001, 7002)  # of two processes


@pytest.fixture
def make() -> Iterator[Callable[..., GatewayHarness]]:
    """The stores are in memory: which kind they are, the gateway does not know."""
    made: list[GatewayHarness] = []
    stores: list[NewStore] = []

    def make(**options: Any) -> GatewayHarness:
        stores.extend(NewStore() for _ in range(2))
        benches = [Bench(store, shard=Shard(number, COUNT)) for number, store in enumerate(stores[-2:])]
        made.append(GatewayHarness(*benches, **options))
        return made[-1]

    yield make
    for one in (*made, *stores):
        one.close()


def stores_of(harness: GatewayHarness) -> list[Any]:
    return [server.engine.store for _, server in sorted(harness.hosted.servers.items())]


def in_shard(shard: int) -> str:
    return next(name for n in range(1_000) if shard_of_name(name := f"queue-{n}", COUNT) == shard)


def queues_of(harness: GatewayHarness, shard: int) -> dict[str, int]:
    items = harness.hosted.servers[shard].engine.part(Items)
    return {name: queue.waiting for name, queue in items.by_name.items()}


def test_each_call_over_one_connection_goes_to_the_shard_of_its_queue(
    make: Callable[..., GatewayHarness],
) -> None:
    harness = make()
    client = harness.admitted()
    for shard in range(2):
        assert client.call_of(in_shard(shard), "put", shard) == ("#RETURN", None)
    assert [queues_of(harness, shard) for shard in range(2)] == [{in_shard(0): 1}, {in_shard(1): 1}]
    assert [client.call_of(in_shard(shard), "get") for shard in range(2)] == [("#RETURN", 0), ("#RETURN", 1)]


def test_a_request_about_another_shard_says_that_the_last_item_has_arrived(
    make: Callable[..., GatewayHarness],
) -> None:
    harness = make()
    client = harness.admitted()
    for number in range(2):
        client.call_of(in_shard(0), "put", number)
    client.call_of(in_shard(0), "get")
    client.call_of(in_shard(1), "qsize")
    client.call_of(in_shard(0), "get")
    client.socket.close()
    # The first is its for good; the second comes back, for it asked for nothing more.
    harness.until(
        lambda: queues_of(harness, 0) == {in_shard(0): 1} and not harness.gateway.context.connections
    )
    assert harness.admitted().call_of(in_shard(0), "get") == ("#RETURN", 1)


def test_a_queue_that_another_process_has_is_refused_with_the_address_to_use(
    make: Callable[..., GatewayHarness],
) -> None:
    client = make(ports=PORTS).admitted()
    for shard in (2, 3):
        name = in_shard(shard)
        for kind, words in (
            client.call_of(name, "put", 1),
            client.call_of(name, "get_nowait"),
        ):
            assert kind == "#TRACEBACK"
            assert f"queue {name!r} is in another process of this tq-master" in words
            assert f"address=('127.0.0.1', {PORTS[shard % 2]})" in words
            assert "{shop}in" in words
    assert client.call_of(in_shard(1), "put", 1) == ("#RETURN", None)  # the connection goes on


def test_a_queue_of_another_master_is_refused_with_what_is_known_of_it(
    make: Callable[..., GatewayHarness],
) -> None:
    kind, words = make().admitted().call_of(in_shard(2), "qsize")
    assert kind == "#TRACEBACK"
    assert f"queue {in_shard(2)!r} is in shard 2 of this cluster, which no master has at this moment" in words
    assert "ask again in some seconds" in words


def let_go(harness: GatewayHarness, shard: int) -> MasterServer:
    """As when another master is to have it, which is known."""
    harness.hosted.owner = lambda number: "b.example:5000"
    server = harness.hosted.remove(shard)
    drained = harness.loop.create_task(server.drain(f"shard {shard} goes to another master"))
    harness.until(drained.done)
    assert drained.result()
    return server


def test_a_shard_that_goes_to_another_master_ends_the_call_that_waits_there_and_nothing_else(
    make: Callable[..., GatewayHarness],
) -> None:
    harness = make()
    client, waiting = harness.admitted(), harness.admitted(in_shard(1))
    client.call_of(in_shard(0), "put", "kept")
    waiting.say(waiting.request("get"))
    harness.until(lambda: queues_of(harness, 1) == {in_shard(1): 0})
    harness.settle()
    server = let_go(harness, 1)
    kind, words = waiting.answer()
    assert (kind, "went to another master before the call was answered" in words) == ("#TRACEBACK", True)
    port = harness.address.port
    for one in (waiting, client):
        kind, words = one.call_of(in_shard(1), "qsize")
        assert kind == "#TRACEBACK"
        assert (
            f"queue {in_shard(1)!r} is in shard 1 of this cluster, which another master has now, b.example:5000"
            in words
        )
        assert f"address=('b.example', {port})" in words
        assert one.call_of(in_shard(0), "qsize") == ("#RETURN", 1)  # over the same connection
    server.close()


def test_over_a_connection_that_was_open_a_shard_is_reached_again_when_it_has_come_back(
    make: Callable[..., GatewayHarness],
) -> None:
    harness = make()
    client = harness.admitted(in_shard(1))
    for number in range(2):
        client.call("put", number)
    assert client.call("get") == ("#RETURN", 0)
    store = stores_of(harness)[1]
    let_go(harness, 1).close()
    assert client.call("get")[0] == "#TRACEBACK"
    again = Bench(store, shard=Shard(1, COUNT))
    harness.hosted.add(1, harness.serve(again))
    # What was given and not confirmed when the shard went comes again, once the grace of its taker is over.
    assert client.call("get") == ("#RETURN", 1)


def test_a_key_that_was_revoked_stays_so_in_a_shard_that_comes_later(
    make: Callable[..., GatewayHarness],
) -> None:
    harness = make()
    for shard in range(2):
        harness.hosted.servers[shard].engine.part(Keyring).revoke(KEY_ID, [])
    stores = stores_of(harness)
    for shard in range(2):
        let_go(harness, shard).close()
    harness.hosted.add(1, harness.serve(Bench(stores[1], shard=Shard(1, COUNT))))
    assert harness.gateway.context.is_revoked


def test_the_key_is_refused_as_soon_as_one_shard_knows_that_it_is_revoked(
    make: Callable[..., GatewayHarness],
) -> None:
    harness = make()
    client = harness.admitted()
    harness.hosted.servers[1].engine.part(Keyring).revoke(KEY_ID, [])
    client.say(client.request_of(f"1/{in_shard(0)}", "qsize"))

    def hung_up() -> bool:
        client.listen()
        return client.hung_up

    harness.until(hung_up)
    assert "revoked" in harness.logged_errors()


def test_the_queues_of_the_tutorial_are_in_one_shard_as_the_docs_say() -> None:
    for shards, where in ((2, 1), (4, 1), (8, 5), (16, 13)):
        assert {shard_of_name(name, shards) for name in ("default", "results")} == {where}
