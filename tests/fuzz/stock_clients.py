"""Streams of stock clients, from the first byte to the last, into real connections of one gateway over one living engine.

The handshake is done as it should be, or damaged; then come requests, damaged, repeated, cut in pieces of any size, by
several clients in turns, some of which do not read. Whatever arrives, no bug of ours shows, answers are of
the protocol, and of a connection that is gone nothing is left: no place, no session, no item that it held.
"""

from __future__ import annotations

import hmac
import itertools
import pickle
import weakref
from collections import deque
from collections.abc import Callable
from multiprocessing.managers import Token
from random import Random
from types import SimpleNamespace
from typing import Any

from tq.master.engine.accounts import Accounts
from tq.master.engine.clock import Now
from tq.master.engine.core import Core
from tq.master.engine.engine import Engine
from tq.master.engine.limits import EngineLimits
from tq.master.gateway.connection import StockConnection
from tq.master.gateway.handshake import CHALLENGE, FAILURE, MODERN, WELCOME, FrameSplitter, frame
from tq.master.gateway.server import Gateway
from tq.master.gateway.writer import ERROR, RETURN, TRACEBACK, UNSERIALIZABLE
from tq.master.items.items import Items
from tq.master.keys.keyring import Keyring
from tq.master.parts import make_engine
from tq.master.store.sqlite.store import SqliteStore

from .mutation import damage

KEY = b"a key for stock clients"
KINDS = {RETURN, ERROR, TRACEBACK, UNSERIALIZABLE}
TO_SERVER: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("dummy", ()),
    ("create", ("get_task_queue",)),
    ("create", ("get_queue", "small", "fifo", 2)),
    ("create", ("get_queue", "order", "priority")),
    ("incref", ("1/q",)),
    ("decref", ("1/q",)),
    ("get_methods", (Token("get_task_queue", ("127.0.0.1", 5001), "1/q"),)),
    ("number_of_objects", ()),
    ("debug_info", ()),
    ("shutdown", ()),
)
TO_QUEUE: tuple[tuple[str, tuple[Any, ...]], ...] = (
    *(("put", (item,)) for item in (1, "text", [1, (2, {3})], {"a": b"x", 1: None}, 2**70, frozenset({(1, 2)}))),
    ("put", (1, True, 0.5)),
    ("put_nowait", (2,)),
    ("get", ()),
    ("get", (True, 2)),
    ("get", (False,)),
    ("get_nowait", ()),
    ("qsize", ()),
    ("full", ()),
    ("task_done", ()),
    ("join", ()),
    ("__str__", ()),
    ("#GETVALUE", ()),
    ("shutdown", (False,)),
)  # fmt: skip


class _Loop:
    """The loop of one thread, whose clock and turns are the test's."""

    def __init__(self) -> None:
        self.now, self.due = 1_000.0, deque[Callable[[], Any]]()
        self.timers: list[_Timer] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, job: Callable[..., Any], *args: Any) -> None:
        self.due.append(lambda: job(*args))

    def call_later(self, seconds: float, job: Callable[..., Any], *args: Any) -> _Timer:
        self.timers.append(_Timer(self.now + seconds, lambda: job(*args)))
        return self.timers[-1]

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        over = [timer for timer in self.timers if timer.at <= self.now]
        self.timers = [timer for timer in self.timers if timer.at > self.now and not timer.cancelled]
        for timer in over:
            if not timer.cancelled:
                timer.job()


class _Timer:
    def __init__(self, at: float, job: Callable[[], Any]) -> None:
        self.at, self.job, self.cancelled = at, job, False

    def cancel(self) -> None:
        self.cancelled = True


class _Plug:
    def fileno(self) -> int:
        return 9

    def setsockopt(self, *_: Any) -> None:
        """There is no socket."""


class _Client:
    """A transport and who is at its other end."""

    def __init__(self, target: StreamTarget, random: Random) -> None:
        self.loop, self.reads = target.master.loop, random.random() < 0.9
        self.connection = StockConnection(target.gateway.context)
        self.splitter, self.unread, self.gone, self.proven = FrameSplitter(), 0, False, False
        self.splitter.bytes_max = 2**24
        self.modern = random.random() < 0.5
        self.connection.connection_made(self)  # type: ignore[arg-type]

    # asyncio.Transport

    def get_extra_info(self, name: str) -> Any:
        return _Plug() if name == "socket" else ("127.0.0.1", 1)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def write(self, data: bytes) -> None:
        if self.gone:
            return
        self.splitter.feed(data)
        while found := self.splitter.next():
            body = found[0] or b""
            if self.proven and not body.startswith((WELCOME, FAILURE, MODERN)) and len(body) != 16:
                kind, _ = pickle.loads(body)  # noqa: S301 - our own
                assert kind in KINDS, kind
            elif body.startswith(CHALLENGE):
                self.challenge = body.removeprefix(CHALLENGE)
        if not self.reads:
            self.unread += len(data)
            if self.unread > 100:
                self.connection.pause_writing()

    def close(self) -> None:
        if not self.unread:
            self.abort()

    def abort(self) -> None:
        if not self.gone:
            self.gone = True
            self.loop.call_soon(self.connection.connection_lost, None)

    # the client

    def handshake(self) -> list[bytes]:
        digest = "sha256" if self.modern else "md5"
        before = MODERN if self.modern else b""
        self.proven = True
        return [
            before + hmac.digest(KEY, self.challenge, digest),
            CHALLENGE + (MODERN + b"c" * 40 if self.modern else b"c" * 20),
            WELCOME,
        ]


class _Master:
    """As much of ``master.net.server.MasterServer`` as a gateway asks for."""

    def __init__(self, engine: Engine, report: Callable[..., None]) -> None:
        self.engine, self.loop = engine, _Loop()
        keyring = engine.part(Keyring)
        self.context = SimpleNamespace(keys=keyring, accounts=Accounts())
        port = SimpleNamespace(
            loop=self.loop,
            report=report,
            descriptors=SimpleNamespace(max=10_000, has_room=lambda _: True),
            identity=SimpleNamespace(shards=1),
        )
        # And of ``master.net.hosted.HostedShards``.
        self.hosted = SimpleNamespace(
            port=port, servers={0: self}, server_of=lambda shard: self, accept=keyring.add_unstored
        )

    def wake(self) -> None:
        """It runs after every turn."""


class StreamTarget:
    """Clients in turns; what a client leaves behind meets the next."""

    CHECK_EVERY = 100

    def __init__(self) -> None:
        counter = itertools.count(1)
        self._store, self._cases = SqliteStore(None, "memory"), 0
        weakref.finalize(self, self._store.close)
        engine = make_engine(
            Core(
                self._store,
                EngineLimits(),
                random=lambda: 0.5,
                random_bytes=lambda size: next(counter).to_bytes(size, "big"),
                report=self._report,
            )
        )
        engine.start(Now(1_700_000_000_000, 1_000_000))
        self.master = _Master(engine, self._report)
        self.gateway = Gateway(self.master.hosted, KEY)  # type: ignore[arg-type]
        self.gateway.context.random_bytes = lambda size: next(counter).to_bytes(size, "big")

    def __call__(self, random: Random) -> None:
        clients = [_Client(self, random) for _ in range(random.choice((1, 1, 1, 2, 3)))]
        streams = [self._stream(client, random) for client in clients]
        while any(streams):
            number = random.randrange(len(clients))
            client, stream = clients[number], streams[number]
            size = random.choice((1, 5, 40, 1_000, len(stream)))
            if client.gone:
                streams[number] = b""
            elif stream:
                client.connection.data_received(stream[:size])
                streams[number] = stream[size:]
            self._turn(random)
        for client in clients:
            if random.random() < 0.3 and not client.gone:
                client.unread = 0
                client.connection.resume_writing()
                self._turn(random)
            client.abort()
        self._turn(random)
        self._check()

    def _stream(self, client: _Client, random: Random) -> bytes:
        frames = client.handshake()
        if random.random() < 0.8:
            frames.append(pickle.dumps((None, "accept_connection", ("name",), {}), random.randint(2, 5)))
        for _ in range(random.randint(1, 12)):
            table, ident = (TO_QUEUE, f"1/{random.choice(('q', 'small', 'order', 'x'))}")
            if random.random() < 0.1:
                table, ident = TO_SERVER, ""
            method, args = random.choice(table)
            if method == "shutdown" and random.random() < 0.9:
                continue
            frames.append(pickle.dumps((ident or None, method, args, {}), random.randint(2, 5)))
        first = 0 if random.random() < 0.1 else 4
        for _ in range(random.randint(0, 2)):
            victim = random.randrange(first, len(frames)) if first < len(frames) else 0
            frames[victim] = damage(frames[victim], random)
        stream = b"".join(map(frame, frames))
        return damage(stream, random) if random.random() < 0.1 else stream

    def _turn(self, random: Random) -> None:
        """The loop and the engine until nothing is left to do; now and then time passes."""
        if random.random() < 0.1:
            self.master.loop.pass_time(random.choice((0.3, 3, 11)))
        engine = self.master.engine
        while self.master.loop.due or engine.has_work:
            while self.master.loop.due:
                self.master.loop.due.popleft()()
            now = int(self.master.loop.now * 1_000)
            batch = engine.run(Now(1_700_000_000_000 + now, 1_000_000 + now))
            if batch.changed:
                self._store.commit()
            engine.committed(batch)

    def _check(self) -> None:
        """Everybody is gone."""
        engine = self.master.engine
        assert not self.gateway.context.connections
        assert not len(self.gateway.context.admission)
        assert not self.gateway.context.unread
        assert not engine.sessions
        self._cases += 1
        if self._cases % self.CHECK_EVERY:
            return
        picture = self._store.items.load()
        assert not picture.held
        assert not picture.putters
        for row in picture.queues:
            queue = engine.part(Items).by_name[row.name]
            assert (queue.waiting, queue.unfinished) == (row.waiting, row.unfinished)
            assert not any((queue.getters, queue.putters, queue.joiners))
            self._store.begin()
            self._store.items.drop_waiting(row.queue)
            self._store.commit()
            queue.waiting = 0

    def _report(self, action: str, **fields: Any) -> None:
        if action in ("master.bug", "store.failed"):
            raise AssertionError(str(fields.get("error")))
