"""What a stranger, or the holder of a key, can send: each target takes damaged input and must stay itself.

A target returns normally or raises one of tq's own errors for bad input; anything else is a bug. It is made
once and asked many times, so that what one case leaves behind meets the next.
"""

from __future__ import annotations

import datetime
import importlib
import itertools
import pickle
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from multiprocessing.managers import Token
from pathlib import PurePosixPath
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgpack import ExtType, packb
from tq.client.cli.output import shown
from tq.common.auth.keys import Credential, make_token_verifier, mint_token
from tq.common.domain.model import Role
from tq.common.errors import DecodeError, InvalidArgument, NotSerializable, ProtocolError, Rejected, TqError
from tq.common.values.codec import decode, decode_call, encode, encode_call
from tq.common.values.extension_types import ARRAY, DATETIME, ENUM, PAIRS, SCALAR, SET, TIME, TUPLE
from tq.common.values.failure import Failure
from tq.common.wire.address import parse_address
from tq.common.wire.frames import FrameReader, Kind, encode_frame, pack
from tq.common.wire.handshake import ClientHandshake, ServerHandshake
from tq.common.wire.protocol import Answerer, Caller, Request
from tq.master.data.types import DATA
from tq.master.engine.clock import Now
from tq.master.engine.core import Core
from tq.master.engine.limits import EngineLimits
from tq.master.engine.session import Call, Session
from tq.master.gateway.decoder import loads
from tq.master.gateway.requests import read_call, split_request
from tq.master.gateway.writer import returning
from tq.master.parts import make_engine, make_registry
from tq.master.store.sqlite.store import SqliteStore
from tq.master.tasks.routes import Routes

from .good_calls import changed, good_call
from .mutation import damage, hostile_msgpack
from .stock_clients import StreamTarget

VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**70,
    1.5,
    "text",
    b"bytes",
    [1, [2, [3]]],
    (1, (2,)),
    {"a": 1, 2: b"b", b"c": None},
    {1, 2},
    frozenset({"x"}),
    datetime.datetime(2026, 3, 29, 2, 30, tzinfo=datetime.UTC),
    datetime.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime.date(1, 1, 1),
    datetime.time(23, 59),
    datetime.timedelta(days=-1, microseconds=1),
    Decimal("1E+9"),
    UUID(int=7),
    PurePosixPath("/tmp/x"),  # noqa: S108 - a value, not a file
)

# What once got past the codec: constructors that raise what no list of errors foresees, and hashes that were chosen.
HOSTILE: tuple[Any, ...] = (
    *(
        ExtType(DATETIME, packb([1, 2, 3, 4, 5, 6, 7, 0, zone]))
        for zone in ("Europe", "x" * 4096, "../zone", "é")
    ),
    *(ExtType(TIME, packb([1, 2, 3, 4, 0, zone])) for zone in ("Europe/", "Area/City", [1, 2, 3, []])),
    *(
        ExtType(code, packb(body))
        for dtype in ("(((", "f8,f8", "|O", "<M8[0s]", "<M8[2Y/3]", "|T16", "<U0", "|V0", "<i4", "{'a'")
        for code, body in ((ARRAY, [dtype, [2**62, -1], b"12345678"]), (SCALAR, [dtype, b"12345678"]))
    ),
    *(ExtType(ENUM, packb(["http:HTTPStatus", member])) for member in ("OK", "no", 200, [], None)),
    ExtType(SET, packb([ExtType(TUPLE, packb(key)) for key in itertools.product((-1, -2), repeat=7)])),
    ExtType(PAIRS, packb([part for number in range(200) for part in (number, [number])])),
    dict.fromkeys(range(300)),
)

PAIR = (1, "one")
SHARED = [PAIR, PAIR, (PAIR, frozenset({PAIR, 2})), {PAIR, 3}, {"text": PAIR}, "text"]
FOREIGN = ((ENUM, ["colours:Colour", "RED"]), (ARRAY, ["<i4", [1], b"1234"]), (SCALAR, ["<f8", b"12345678"]))


class CodecTarget:
    """Arguments, results and failures as bytes."""

    def __init__(self) -> None:
        self._good = [encode(value) for value in VALUES] + [
            encode(list(VALUES)),
            encode_call((1, "x"), {"y": 2}),
            *map(packb, HOSTILE),
            packb([list(HOSTILE), {}]),
        ]

    def __call__(self, random: Random) -> None:
        data = hostile_msgpack(random) if random.random() < 0.1 else damage(random.choice(self._good), random)
        Failure.decode(data)  # never raises
        short, whole = _reading(decode, data), _reading(partial(decode, work_max=sys.maxsize), data)
        if short != whole:
            raise AssertionError(f"a small value is {short}, and the whole way {whole}")
        for read in (
            decode,
            decode_call,
            partial(decode, unmade=True),
            partial(decode, judged=True, work_max=0),
        ):
            try:
                value: Any = read(data)
            except DecodeError:
                continue
            shown(value)
            with suppress(NotSerializable):  # nested deeper than what we would send ourselves
                encode(value)  # what was understood can be said again


def _reading(read: Callable[[bytes], Any], data: bytes) -> str:
    """The value, or the refusal."""
    try:
        return shown(read(data))
    except DecodeError as error:
        return f"refused: {error}"


class PickleTarget:
    """Requests of stock clients, as the gateway reads them: refused or understood, and nothing is imported."""

    def __init__(self) -> None:
        self._good = [
            pickle.dumps(("1/q", "put", (value,), {"timeout": 1}), protocol)
            for protocol in range(2, 6)
            for value in (None, 2**70, "text", b"bytes", [1, (2, 3.5)], {"a": [None]}, SHARED)
        ] + [
            pickle.dumps(
                (None, "get_methods", (Token("get_queue", ("127.0.0.1", 5001), "1/q"),), {}), protocol
            )
            for protocol in range(2, 6)
        ]

    def __call__(self, random: Random) -> None:
        modules = len(sys.modules)
        try:
            value = loads(damage(random.choice(self._good), random))
        except DecodeError:
            return
        finally:
            assert len(sys.modules) == modules
        with suppress(DecodeError, InvalidArgument, ValueError):
            read_call(*split_request(value))


class GatewayItemTarget:
    """Items of programs of tq, as the gateway writes them for stock clients: written or refused, nothing is imported."""

    def __init__(self) -> None:
        importlib.import_module(
            "importlib.readers"
        )  # and what else looks for zones, where the system has none
        with suppress(ZoneInfoNotFoundError):
            ZoneInfo("No/Where")
        foreign = [ExtType(code, packb(body)) for code, body in FOREIGN]
        self._good = [encode(value) for value in VALUES] + [packb(value) for value in foreign]

    def __call__(self, random: Random) -> None:
        before = set(sys.modules)
        data = hostile_msgpack(random) if random.random() < 0.1 else damage(random.choice(self._good), random)
        with suppress(DecodeError):
            returning(data)
        new = set(sys.modules) - before
        assert all(name.startswith("tzdata") for name in new), new  # where zones are


class FrameTarget:
    """A session's stream, in both directions, in pieces of any size."""

    def __init__(self) -> None:
        caller, answerer = Caller(), Answerer()
        _, call = caller.call(["get_task_queue", "q"], "submit", ["m:f", {}, [[b"i" * 16, b"p"]]], {})
        to_master = [
            call,
            caller.abandon(1),
            encode_frame(Kind.PING, b""),
            encode_frame(Kind.GOODBYE, pack("bye")),
        ]
        to_caller = [
            answerer.answer(1, [1, "x", {}]),
            answerer.refuse(2, InvalidArgument("no")),
            encode_frame(Kind.PONG, b""),
        ]
        self._ways = [(b"".join(to_master), answerer.understand), (b"".join(to_caller), caller.understand)]

    def __call__(self, random: Random) -> None:
        stream, understand = random.choice(self._ways)
        data, reader = damage(stream, random), FrameReader(1 << 16)
        try:
            while data:
                size = random.randint(1, len(data))
                for kind, body in reader.feed(data[:size]):
                    understand(kind, body)
                data = data[size:]
        except ProtocolError:
            return
        except TqError as error:
            if understand is not self._ways[1][1]:
                raise AssertionError(f"the master's side raised {error!r}") from error


class HandshakeTarget:
    """Damage to any message of a handshake: no one is admitted."""

    def __init__(self) -> None:
        self._secret, self._certificate = b"s" * 32, b"certificate"
        self._verifier = make_token_verifier("key", self._secret, role=Role.CLIENT)

    def __call__(self, random: Random) -> None:
        client = ClientHandshake(
            credential=Credential(key_id="key", secret=self._secret),
            role=Role.CLIENT,
            node=b"n" * 16,
            certificate=self._certificate,
            random=random.randbytes,
        )
        server = ServerHandshake(
            lookup=lambda key_id, shard: self._verifier if key_id == "key" else None,
            cluster_id=b"c" * 16,
            certificate=self._certificate,
            heartbeat_seconds=5.0,
            frame_bytes_max=1 << 20,
            random=random.randbytes,
        )
        victim = random.randrange(4)

        def pass_on(message: bytes, number: int) -> bytes:
            if number != victim:
                return message
            changed = damage(message, random)
            return changed if changed != message else message + b"\x00"

        try:
            challenge = pass_on(server.on_hello(pass_on(client.hello(), 0)), 1)
            proof = pass_on(client.on_challenge(challenge), 2)
            _, welcome = server.on_proof(proof)
            client.on_welcome(pass_on(welcome, 3))
        except (ProtocolError, Rejected, InvalidArgument):
            return
        raise AssertionError(f"message {victim} was damaged, and both sides were content")


class TextTarget:
    """Keys and addresses as people type them."""

    def __init__(self) -> None:
        self._token = mint_token("0123456789ab", b"s" * 32, b"p" * 32)

    def __call__(self, random: Random) -> None:
        for good, parse in (
            (self._token, Credential.parse),
            ("tq://host.example:5000", parse_address),
            ("[::1]:5000", parse_address),
        ):
            text = damage(good.encode(), random).decode("utf-8", "surrogateescape")
            try:
                parse(text)
            except InvalidArgument:
                continue


class EngineTarget:
    """Calls of every method with arguments of every kind, by every role, and good calls with a change in one place, into one engine that
    lives on."""

    CHECK_EVERY = 500
    HELD_MAX = 50  # leases that are reported on

    def __init__(self) -> None:
        counter = itertools.count(1)
        self._now = Now(1_700_000_000_000, 1_000_000)
        self._store = SqliteStore(None, "memory")
        weakref.finalize(self, self._store.close)
        self._engine = make_engine(
            Core(
                self._store,
                EngineLimits(),
                random=lambda: 0.5,
                random_bytes=lambda size: next(counter).to_bytes(size, "big"),
                report=self._report,
            )
        )
        self._registry = make_registry(self._engine)
        self._engine.start(self._now)
        self._calls, self._cases = itertools.count(1), 0
        self._sessions: dict[Role, Session] = {}
        self._methods = [
            (name, method) for name, table in self._registry.methods().items() for method in table
        ]
        self._answers: dict[int, Any] = {}
        self._held: list[list[Any]] = []

    def __call__(self, random: Random) -> None:
        if random.random() < 0.5:
            self._make_good_call(random)
        else:
            self._make_any_call(random)
        self._now = Now(self._now.wall + random.randint(0, 50), self._now.mono + random.randint(0, 50))
        self._step()
        self._cases += 1
        if self._cases % self.CHECK_EVERY == 0:
            self._check(random)

    def _make_good_call(self, random: Random) -> None:
        role, target, method, args = good_call(random, self._held)
        if random.random() < 0.5:
            args = changed(args, random, lambda: self._argument(random, 2))
        if isinstance(args, list):
            self._ask(self._session(role), target, method, args, {})

    def _make_any_call(self, random: Random) -> None:
        role = random.choice(list(Role))
        name, method = random.choice(self._methods)
        target: tuple[Any, ...] = (
            (name, random.choice(["q", "default", "", "x" * 300, 7, None]))
            if random.random() < 0.5
            else (name,)
        )
        args = [self._argument(random, 0) for _ in range(random.randint(0, 5))]
        if name == "get_datum":
            target, args = self._datum(random, method)
        kwargs = {"begun": True} if random.random() < 0.05 else {}
        self._ask(self._session(role), target, method, args, kwargs)

    def leased(self, value: Any) -> None:
        """Note what an answer has leased."""
        match value:
            case [bytes(lease), list(groups)] if groups:
                entries = [entry for _, _, _, some, *_ in groups for entry in some]
                self._held += [[id, attempt, lease] for id, attempt, *_ in entries]
                del self._held[: -self.HELD_MAX]

    def _datum(self, random: Random, method: str) -> tuple[tuple[Any, ...], list[Any]]:
        """A call of a named value that reaches it, as a rule, with something in it that was made to do harm."""
        type = random.choice(list(DATA))
        payload = packb(
            [[random.choice([0, "x", random.choice(HOSTILE)]) for _ in range(random.randint(0, 2))], {}]
        )
        if random.random() < 0.2:
            payload = damage(payload, random)
        if method == "make":
            return ("get_datum", type, f"v-{type}"), [payload]
        called = random.choice([*DATA[type].exposed, "__repr__", "#GETVALUE"])
        number = next(self._calls)
        return ("get_datum", type, f"v-{type}"), [
            b"c" * 16,
            number,
            called,
            payload,
            random.choice([[], [], [0]]),
        ]

    def _argument(self, random: Random, depth: int) -> Any:
        some: tuple[Callable[[], Any], ...] = (
            lambda: random.choice(
                [None, True, -1, 0, 1, 3, 10**12, 2**63, -0.0, 1e308, float("nan"), float("inf")]
            ),
            lambda: random.choice(["", "q", "m:f", "x" * 300, "\x00", "worker", "*"]),
            lambda: random.choice([b"", b"i" * 16, b"j" * 16, random.randbytes(16), b"x" * 40]),
            dict,
            lambda: {random.choice(["priority", "delay", "retries", "host", "slots", "x"]): 1},
            lambda: [[b"i" * 16, b"p"], [random.randbytes(16), b"p"]],
            lambda: [b"i" * 16, 1, b"L" * 16],
            lambda: [[b"i" * 16, 1, b"L" * 16, 0, b"r", 1.0, 0.1, None]],
            lambda: packb([[random.choice(HOSTILE)], {}]),
            lambda: damage(packb([[random.choice(HOSTILE)], {}]), random),
            lambda: {
                "host": "h",
                "pid": 1,
                "slots": 2,
                "labels": {},
                "tasks": ["m:f"],
                "queues": None,
                "version": "v",
            },
        )
        if depth < 3 and random.random() < 0.3:
            return [self._argument(random, depth + 1) for _ in range(random.randint(0, 4))]
        return random.choice(some)()

    def _session(self, role: Role) -> Session:
        session = self._sessions.get(role)
        if session is None or not session.open:
            verifier = make_token_verifier(str(role), b"s" * 32, role=role)
            session = Session(
                _Wire(self), verifier=verifier, role=role, node=str(role).ljust(16).encode(), address="x"
            )
            self._sessions[role] = session
            self._engine.sessions.opened(session)
        return session

    def _ask(
        self, session: Session, target: tuple[Any, ...], method: str, args: list[Any], kwargs: Any
    ) -> int:
        call_id = next(self._calls)
        request = Request(call_id, target, method, args, kwargs, None, 100)
        try:
            invocation = self._registry.invocation(session, request)
        except TqError:
            return call_id
        self._engine.call(session, call_id, invocation.run)
        return call_id

    def _step(self) -> None:
        batch = self._engine.run(self._now)
        if batch.changed:
            self._store.commit()
        self._engine.committed(batch)

    def _check(self, random: Random) -> None:
        """The engine still works, and believes what its store has."""
        client, id = self._session(Role.CLIENT), random.randbytes(16)
        call = self._ask(client, ("get_task_queue", "check"), "submit", ["m:f", {}, [[id, b"p"]]], {})
        self._step()
        if self._answers.pop(call, None) != (1, None):
            raise AssertionError("a good submit was not answered well")
        self._answers.clear()
        picture = self._store.load()
        have = {(route, state): tasks for route, state, tasks in picture.counts}
        for row in picture.running:
            have[row.route, 3] = have.get((row.route, 3), 0) + 1
        for slice in picture.slices:
            have[slice.route, 3] = have.get((slice.route, 3), 0) + slice.stop - slice.seq
        believed = {
            (route.number, state): tasks
            for route in self._engine.part(Routes)
            for state, tasks in enumerate(route.counts)
            if tasks
        }
        if have != believed:
            raise AssertionError(f"the store has {have}, the engine believes {believed}")

    def _report(self, action: str, **fields: Any) -> None:
        if action in ("master.bug", "store.failed"):
            raise AssertionError(str(fields.get("error")))


class _Wire:
    def __init__(self, target: EngineTarget) -> None:
        self._target, self._answerer = target, Answerer()

    def encode(self, call: Call) -> bytes:
        value, error = call.reply or (None, None)
        self._target._answers[call.call_id] = (value, error)
        self._target.leased(value)
        return (
            self._answerer.refuse(call.call_id, error)
            if error
            else self._answerer.answer(call.call_id, value)
        )

    def send(self, frame: bytes) -> None:
        """It is on its way."""

    def disconnect(self, reason: str) -> None:
        for session in self._target._sessions.values():
            if session.wire is self and session.open:
                self._target._engine.sessions.closed(session)


TARGETS: dict[str, Callable[[], Callable[[Random], None]]] = {
    "codec": CodecTarget,
    "pickles": PickleTarget,
    "gateway_items": GatewayItemTarget,
    "gateway_streams": StreamTarget,
    "frames": FrameTarget,
    "handshake": HandshakeTarget,
    "texts": TextTarget,
    "engine": EngineTarget,
}

# How much of a run is of a target; 1, if nothing is said. What has no key of tq's own sends requests of pickles, and a
# stream is some ten of them.
SHARES: dict[str, float] = {"pickles": 9, "gateway_streams": 0.5}
