"""What a transaction costs the master by how many workers are connected: one in which nothing happens, and the engine alone.

The engine and the store are the real ones, in this process; a worker is a session that has announced itself and waits for work.
"""

from __future__ import annotations

import statistics
import time
from typing import Any, Final

from tq.common.auth.keys import Verifier
from tq.common.domain.model import Role
from tq.common.version import VERSION
from tq.common.wire.protocol import Request
from tq.master.engine.clock import Now
from tq.master.engine.core import Core
from tq.master.engine.engine import Engine
from tq.master.engine.limits import EngineLimits
from tq.master.engine.session import Call, Session
from tq.master.parts import make_engine, make_registry
from tq.master.store.sqlite.store import SqliteStore

from .readings import Readings
from .scale import Scale

FEW: Final = 10
PORTIONS: Final = 20  # of which the median is taken
NOW: Final = Now(1_700_000_000_000, 3_600_000)
WORKER: Final = Verifier(key_id="worker", role=Role.WORKER, kdf="none", stored_key=b"", server_key=b"")


class Silent:
    """In place of a connection: what is sent to it is not needed. See ``engine.session.Wire``."""

    def encode(self, call: Call) -> bytes:
        return b""

    def send(self, frame: bytes) -> None: ...
    def unsent_bytes(self) -> int:
        return 0

    def disconnect(self, reason: str) -> None: ...


def transactions(scale: Scale) -> Readings:
    """``transaction.few_seconds`` and ``transaction.many_seconds``: of an empty one, with FEW workers and with very many."""
    return Readings(
        numbers={
            "transaction.few_seconds": _empty(FEW, scale.transactions),
            "transaction.many_seconds": _empty(scale.transaction_workers, scale.transactions),
            "transaction.many_workers": float(scale.transaction_workers),
        }
    )


def _empty(workers: int, count: int) -> float:
    """Processor seconds of an empty transaction."""
    store = SqliteStore(None, "memory")
    core = Core(
        store,
        EngineLimits(),
        random=lambda: 0.5,
        random_bytes=bytes,
        report=lambda action, **fields: None,
    )
    engine = make_engine(core)
    engine.start(NOW)
    _connect(engine, workers)
    portions = []
    for _ in range(PORTIONS):
        began = time.process_time()
        for _ in range(count // PORTIONS):
            _step(engine)
        portions.append((time.process_time() - began) / (count // PORTIONS))
    store.close()
    return statistics.median(portions)


def _connect(engine: Engine, workers: int) -> None:
    registry = make_registry(engine)
    info: dict[str, Any] = {
        "host": "simulated",
        "pid": 1,
        "slots": 8,
        "labels": {},
        "tasks": ["m:f"],
        "queues": None,
    }
    calls: list[tuple[str, list[Any]]] = [
        ("announce", [{**info, "version": VERSION}, []]),
        ("orders", []),
        ("lease", [8]),
    ]
    for number in range(workers):
        node = number.to_bytes(16, "big")
        session = Session(Silent(), verifier=WORKER, role=Role.WORKER, node=node, address="127.0.0.1")
        engine.sessions.opened(session)
        for call_id, (method, arguments) in enumerate(calls, 1):
            request = Request(call_id, ("get_dispatcher",), method, arguments, {}, None, 100)
            invocation = registry.invocation(session, request)
            engine.call(session, call_id, invocation.run, 100, reads=invocation.reads)
            _step(engine)


def _step(engine: Engine) -> None:
    transaction = engine.run(NOW)
    if transaction.changed:
        engine.store.commit()
    engine.committed(transaction)
