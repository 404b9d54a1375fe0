"""Several shards behind one port: a HELLO leads to the engine of its shard, or to the address of the master that hosts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tq.common.auth.keys import Credential
from tq.common.domain.ids import IdSource
from tq.common.domain.shards import Shard, shard_of_name
from tq.common.errors import NotOwner, ProtocolError, Rejected
from tq.common.wire.frames import Kind, unpack
from tq.master.engine.accounts import Resource
from tq.master.keys.keyring import Keyring
from tq.master.net.hosted import HostedShards
from tq.master.net.server import MasterServer

from ..conftest import Bench
from .harness import Client, ServerHarness

COUNT = 3  # of the cluster; the last is hosted elsewhere
ELSEWHERE = "b.example:5000"
PAYLOAD = b"\x92\x90\x80"


class Hosted:
    """A process with the first two shards of three."""

    def __init__(self, make_bench: Callable[..., Bench], folder: Path) -> None:
        self.benches = [make_bench(shard=Shard(number, COUNT)) for number in range(2)]
        self.harness = ServerHarness(self.benches[0], folder)
        # As the composition does at a start.
        other = self.benches[1].engine
        other.store.begin()
        other.part(Keyring).take_over(self.benches[0].engine.part(Keyring).stored())
        other.store.commit()
        port = self.harness.entrance = self.harness.port
        self.second = MasterServer(other, self.benches[1].registry, port, clock=lambda: self.benches[0].now)
        self.owner: str | None = ELSEWHERE
        self.hosted = HostedShards(port, {0: self.harness.server, 1: self.second}, lambda shard: self.owner)

    def settle(self) -> None:
        while any(server.transactions.is_busy for server in self.hosted.servers.values()):
            self.harness.turn()

    def client(self, shard: int) -> Client:
        client = Client(self.harness, shard=shard)
        self.settle()
        return client

    def submit(self, client: Client, shard: int) -> object:
        call = client.ask(
            ["get_task_queue", a_queue_in(shard)],
            "submit",
            "m:f",
            {},
            [[IdSource(shard=shard).take_one(), PAYLOAD]],
        )
        self.settle()
        return client.answer(call)

    def close(self) -> None:
        self.harness.loop.run_until_complete(self.hosted.drain())
        self.second.close()
        self.harness.close()


def a_queue_in(shard: int) -> str:
    return next(name for n in range(1_000) if shard_of_name(name := f"queue-{n}", COUNT) == shard)


@pytest.fixture
def process(make_bench: Callable[..., Bench], certificate_folder: Path) -> Iterator[Hosted]:
    hosted = Hosted(make_bench, certificate_folder)
    yield hosted
    hosted.close()


def test_a_connection_goes_to_the_engine_of_the_shard_that_its_hello_names(process: Hosted) -> None:
    for shard in (1, 0):
        client = process.client(shard)
        assert process.submit(client, shard) == 1
        [welcome] = [body for kind, body in client.peer.frames if kind == Kind.WELCOME]
        assert unpack(welcome[1])[4] == COUNT
    # The harness has a session of its own in the first.
    assert [len(bench.engine.sessions.connections) for bench in process.benches] == [2, 1]


def test_a_name_of_the_other_shard_is_refused_on_the_wire(process: Hosted) -> None:
    answer = process.submit(process.client(0), 1)
    assert answer == "WrongShard"


def test_a_shard_that_is_hosted_elsewhere_is_answered_with_the_address(process: Hosted) -> None:
    peer = process.harness.connect().do_tls()
    peer.do_hello(shard=2)
    assert isinstance(peer.refusal, NotOwner)
    assert peer.refusal.owner == ELSEWHERE
    assert peer.hung_up
    process.owner = None
    peer = process.harness.connect().do_tls()
    peer.do_hello(shard=2)
    assert isinstance(peer.refusal, NotOwner)
    assert peer.refusal.owner is None
    assert "no master that hosts it is known" in str(peer.refusal)


def test_a_shard_that_the_cluster_does_not_have_is_refused(process: Hosted) -> None:
    peer = process.harness.connect().do_tls()
    peer.do_hello(shard=COUNT)
    assert isinstance(peer.refusal, ProtocolError)
    assert "there is no shard 3 in this cluster: it has 3" in str(peer.refusal)


def test_a_key_is_judged_by_the_shard_that_is_asked(process: Hosted) -> None:
    """A key that is revoked there opens no session there, and its sessions there end."""
    here, there = process.client(0), process.client(1)
    key = Credential.parse(process.harness.token)
    second = process.benches[1].engine
    second.store.begin()
    second.part(Keyring).revoke(key.key_id, list(second.sessions))
    second.store.commit()
    there.ask(["get_lock", a_queue_in(1)], "state")
    process.settle()
    assert there.hung_up
    assert not here.hung_up
    peer = process.harness.connect().do_tls()
    handshake = peer.do_hello(shard=1)
    assert handshake is not None
    challenge = next(body for kind, body in peer.frames if kind == Kind.CHALLENGE)
    assert challenge
    assert process.submit(process.client(0), 0) == 1


def test_a_wrong_key_is_refused_in_every_shard(process: Hosted) -> None:
    for shard in (0, 1):
        peer = process.harness.connect().do_tls()
        peer.prove(secret=b"w" * 32, shard=shard)
        process.harness.at(process.harness.loop.now - 1024.0 + 3.0)
        assert isinstance(peer.refusal, Rejected)


def test_a_shard_whose_disk_hangs_holds_up_no_other(process: Hosted) -> None:
    """Its transaction never ends, and the other's clients are served."""
    first, second = process.client(0), process.client(1)
    process.harness.server.transactions._committing = True
    try:
        stuck = first.ask(["get_lock", a_queue_in(0)], "state")
        for _ in range(5):
            process.harness.turn()
        call = second.ask(["get_lock", a_queue_in(1)], "state")
        while process.second.transactions.is_busy:
            process.harness.turn()
        second.peer.listen()
        answered = [body for kind, body in second.peer.frames if kind == Kind.RETURN]
        assert [id for id, _ in answered] == [call]
        first.peer.listen()
        assert not [body for kind, body in first.peer.frames if kind == Kind.RETURN]
        assert stuck
    finally:
        process.harness.server.transactions._committing = False
        process.harness.server.transactions._pump()


def test_a_master_of_the_only_shard_looks_nowhere_else(harness: ServerHarness) -> None:
    hosted = HostedShards(harness.port, {0: harness.server})
    assert hosted._entrance._context is hosted.first.context
    assert hosted.first.context.in_shard(0) is harness.server.context


def test_what_a_key_holds_is_counted_over_all_shards_of_the_process(process: Hosted) -> None:
    sessions = [process.client(shard).peer for shard in (0, 1)]
    account = process.harness.server.context.accounts.of(Credential.parse(process.harness.token).key_id)
    assert account.held[Resource.SESSIONS] == len(sessions)


def test_who_comes_for_a_shard_that_is_on_its_way_waits_and_is_served_when_it_is_there(
    process: Hosted,
) -> None:
    process.hosted.remove(1)
    process.owner = None
    arrivals = process.harness.port.arrivals
    arrivals.expect(1)
    waiting, gone = (process.harness.connect().do_tls() for _ in range(2))
    handshake = waiting.do_hello(shard=1)
    gone.do_hello(shard=1)
    gone.socket.close()
    process.harness.turn()
    assert waiting.frames == []
    process.hosted.add(1, process.second)
    arrivals.settled(1)
    waiting.listen()
    [(kind, _)] = waiting.frames
    assert kind == Kind.CHALLENGE
    assert handshake is not None
    process.settle()


def test_who_waits_for_a_shard_that_does_not_come_is_sent_to_the_master_that_has_it(process: Hosted) -> None:
    arrivals = process.harness.port.arrivals
    arrivals.expect(2)
    waiting, other = (process.harness.connect().do_tls() for _ in range(2))
    waiting.do_hello(shard=2)
    other.do_hello(shard=1)
    assert (waiting.frames, other.frames[0][0]) == ([], Kind.CHALLENGE)
    arrivals.settled(2)
    assert isinstance(waiting.refusal, NotOwner)
    assert waiting.refusal.owner == ELSEWHERE
