"""A master: the shipped server with its pump, engine, registry and session codec, on simulated sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tq.common.auth.keys import Verifier
from tq.common.domain.model import Role
from tq.common.errors import ProtocolError
from tq.common.wire.address import Address
from tq.common.wire.frames import FRAME_BYTES_MAX, FrameReader
from tq.common.wire.protocol import PONG, Abandoned, Answerer, Goodbye, Ping, Request, goodbye
from tq.common.wire.protocol import Child as ChildEvent
from tq.master.engine.clock import Now
from tq.master.engine.core import Core
from tq.master.engine.limits import EngineLimits
from tq.master.engine.session import Call, Session
from tq.master.keys.keyring import Keyring
from tq.master.net.context import PortContext, ServerIdentity
from tq.master.net.server import MasterServer
from tq.master.parts import make_engine, make_registry
from tq.master.store.interface.store import Inconsistent
from tq.master.store.recording import RecordingStore

from . import arranged
from .disk import TROUBLE, Disk, WatchedStore
from .network import MASTER, End, Network
from .oracle import Broken, Oracle
from .world import SECOND, Process, World

LEASE_SECONDS, GRACE_SECONDS, HEARTBEAT_SECONDS = 4.0, 1.0, 1.0
SILENT_HEARTBEATS_MAX = 4
# The first commit goes to the thread, all after it are made on the loop; infinity would never be undercut.
ALWAYS_HERE_SECONDS = 1e9
TROUBLES_OF_DATABASE = ("the database", "the working copy", "has taken over", "no space left")


class Greeting(NamedTuple):
    """What a handshake has shown by the time the session begins."""

    role: Role
    node: bytes
    key: str = ""  # empty: that of its role


NARROW = Verifier(
    key_id="narrow", role=Role.CLIENT, kdf="none", stored_key=b"", server_key=b"", queues=("default",)
)
"""A key that does not cover all queues."""


class _Done:
    """As much of a future as the server asks for."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Any], None]] = []
        self._result: Any = None

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)

    def result(self) -> Any:
        return self._result

    def finish(self, result: Any) -> None:
        self._result = result
        for callback in self._callbacks:
            callback(self)


class SimulatedLoop:
    """As much of an event loop as the server asks for. What it runs in a thread takes a disk's time."""

    def __init__(self, process: Process, disk: Disk) -> None:
        self._process, self._disk = process, disk

    def time(self) -> float:
        return self._process.world.now / SECOND

    def call_soon(self, callback: Callable[..., None], *arguments: Any) -> Any:
        return self._process.later(0, lambda: callback(*arguments))

    def call_later(self, seconds: float, callback: Callable[..., None], *arguments: Any) -> Any:
        return self._process.later(int(seconds * SECOND), lambda: callback(*arguments))

    def run_in_executor(self, executor: Any, function: Callable[[], Any]) -> _Done:
        done = _Done()

        def perform() -> None:
            result = function()
            self._process.later(self._disk.world.between(10, 200), lambda: done.finish(result))

        self._process.later(self._disk.latency(), perform)
        return done


class Socket:
    """A session's wire, as ``master/net/connection.py`` is after WELCOME."""

    def __init__(self, master: Master, end: End, greeting: Greeting) -> None:
        self._master, self._end = master, end
        self._frames, self._answerer = FrameReader(FRAME_BYTES_MAX), Answerer(FRAME_BYTES_MAX)
        self._last_received, self._node = master.world.now, greeting.node
        verifier = master.engine.part(Keyring).find(greeting.key or str(greeting.role))
        assert verifier is not None
        self.session = Session(
            self, verifier=verifier, role=greeting.role, node=greeting.node, address="simulated"
        )
        end.received, end.lost = self._received, self._ended
        master.sockets[self] = None
        master.latest[greeting.node] = self
        end.send(PONG)  # in the place of WELCOME
        master.server.port.opened(self.session)
        self._watch()

    def encode(self, call: Call) -> bytes:
        value, error = call.reply or (None, None)
        if error is not None:
            return self._answerer.refuse(call.call_id, error)
        return self._answerer.answer(call.call_id, value)

    def send(self, frame: bytes) -> None:
        self._end.send(frame)

    def disconnect(self, reason: str) -> None:
        self._end.send(goodbye(reason))
        self._end.close()
        self._ended(reason)

    def _received(self, data: bytes) -> None:
        self._last_received = self._master.world.now
        for kind, body in self._frames.feed(data):
            event = self._answerer.understand(kind, body)
            if isinstance(event, Request):
                if self._master.latest[self._node] is not self:
                    raise Broken("S1", "a call was taken from a connection that its node has replaced")
                session = self.session if event.child is None else self._child(event.child)
                if event.call_id in session.calls:
                    raise ProtocolError(f"call id {event.call_id} is in use")
                self._master.server.port.request(session, event)
            elif isinstance(event, Ping):
                self.send(PONG)
            elif isinstance(event, Abandoned):
                self._master.server.port.abandoned(self.session, event.call_id)
            elif isinstance(event, ChildEvent):
                gone = self.session.children.pop(event.node, None)
                if gone is not None and not event.here:
                    self._master.server.port.left(gone)
            elif isinstance(event, Goodbye):
                self._end.close()
                self._ended("it said goodbye")
        if self.session.open:
            self._master.server.port.seen(self.session)

    def _child(self, node: bytes) -> Session:
        known = self.session.children.get(node)
        if known is None:
            known = self.session.child(node)
            self._master.server.port.opened(known)
        return known

    def _ended(self, reason: str) -> None:
        self._master.sockets.pop(self, None)
        if self.session.open:
            for one in (*self.session.children.values(), self.session):
                self._master.server.port.closed(one)

    def drop(self) -> None:
        self._end.drop()

    def _watch(self) -> None:
        if not self.session.open:
            return
        silence = (self._master.world.now - self._last_received) / SECOND
        if silence >= HEARTBEAT_SECONDS * SILENT_HEARTBEATS_MAX:
            self._end.close()
            self._ended("silent")
        else:
            self._master.process.later(int(HEARTBEAT_SECONDS * SECOND), self._watch)


class Place(NamedTuple):
    """Where one of several masters lives."""

    process: Process
    address: Address
    loop: SimulatedLoop
    note: Callable[..., None]
    report: Callable[[str, dict[str, Any]], None]


class Master:
    """One life of the master over a store that has had lives before."""

    def __init__(
        self,
        world: World,
        network: Network,
        disk: Disk,
        store: WatchedStore,
        oracle: Oracle,
        life: int,
        result_ttl_ms: int,
        results_max: int,
        place: Place | None = None,
    ) -> None:
        """``place``: of one of several masters."""
        self.world, self._network = world, network
        self.process = Process(world, f"master-{life}") if place is None else place.process
        self._address = MASTER if place is None else place.address
        self._troubles = (TROUBLE,) if place is None else (TROUBLE, *TROUBLES_OF_DATABASE)
        self._also_report = None if place is None else place.report
        self.sockets: dict[Socket, None] = {}
        self.latest: dict[bytes, Socket] = {}  # of each node
        if place is None:
            store.rollback()  # what the life before had not committed
        self.engine = make_engine(
            Core(
                RecordingStore(store, oracle.note if place is None else place.note),
                EngineLimits(
                    lease_ms=int(LEASE_SECONDS * 1000),
                    grace_ms=int(GRACE_SECONDS * 1000),
                    tick_ms=int(HEARTBEAT_SECONDS * 1000),
                    result_ttl_ms=result_ttl_ms,
                    results_max=results_max,
                ),
                random=world.random.random,
                random_bytes=world.random_bytes,
                report=self._report,
            )
        )
        self.engine.start(self._clock())
        for role in Role:
            self.engine.part(Keyring).add_unstored(
                Verifier(key_id=str(role), role=role, kdf="none", stored_key=b"", server_key=b"")
            )
        for key in (NARROW, arranged.KEY):
            self.engine.part(Keyring).add_unstored(key)
        identity = ServerIdentity(None, b"", b"", HEARTBEAT_SECONDS, FRAME_BYTES_MAX)  # type: ignore[arg-type]
        loop = SimulatedLoop(self.process, disk) if place is None else place.loop
        self.server = MasterServer(
            self.engine,
            make_registry(self.engine),
            PortContext(identity, loop, self._report),  # type: ignore[arg-type]
            clock=self._clock,
            commit_here_seconds_max=0.0
            if place is not None
            else world.random.choice([0.0, 0.0, ALWAYS_HERE_SECONDS]),
        )
        network.doors[self._address] = self._accept, self.process
        oracle.master = self
        oracle.reborn(self.engine)
        self.server.wake()
        self.process.log("started")

    def kill(self) -> None:
        self.process.log("killed")
        self._network.doors.pop(self._address, None)
        for socket in self.sockets:
            socket.drop()
        self.process.kill()
        self.server.close()

    def abandon(self) -> None:
        """Another master has taken over: nothing more is answered here."""
        self._network.doors.pop(self._address, None)
        for socket in list(self.sockets):
            socket.drop()

    def say_goodbye(self) -> None:
        """Its last transaction is over."""
        self._network.doors.pop(self._address, None)
        for socket in list(self.sockets):
            socket.disconnect("the master is shutting down")

    def _accept(self, end: End, greeting: Any) -> None:
        Socket(self, end, greeting)

    def _clock(self) -> Now:
        world = self.world
        return Now((world.now + world.wall_offset) // 1000, (world.now + world.uptime) // 1000)

    def _report(self, action: str, **fields: Any) -> None:
        self.process.log(f"{action} {fields.get('error', '') or fields.get('seconds', '')}".strip())
        if self._also_report is not None:
            self._also_report(action, fields)
        if action == "store.failed" and not any(known in fields["error"] for known in self._troubles):
            raise Broken("I9", f"the store refuses what the master asks of it: {fields['error']}")
        if action == "master.bug":
            last = fields["error"].strip().splitlines()[-1]
            if Inconsistent.__name__ in last:  # its own rule, that the store does as it was asked
                raise Broken("I9", last)
            raise AssertionError(fields["error"])
