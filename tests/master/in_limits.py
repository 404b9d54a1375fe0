"""Tasks under limits, as tests of the master's parts declare, lease and end them."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from tq.common.domain.limits import Limit
from tq.common.domain.model import OutcomeNumber
from tq.master.limits.limits import NamedLimits
from tq.master.tasks.route import LaneKey
from tq.master.tasks.routes import Routes

from .conftest import Bench, Peer
from .in_lanes import DISPATCHER, within
from .leased import each

PARKED: WeakKeyDictionary[Peer, int] = WeakKeyDictionary()  # the lease call of each that waits


def declare(bench: Bench, *limits: Limit) -> None:
    session = bench.client().session
    for limit in limits:
        within(
            bench,
            lambda limit=limit: bench.engine.part(NamedLimits).declare(limit, session),
        )  # type: ignore[misc]


def under(name: str, key: str = "", units: int = 1, tenant: str = "") -> LaneKey:
    return LaneKey(tenant, ((name, key, units),))


def finish(
    worker: Peer, lease: bytes, ids: list[bytes], outcome: OutcomeNumber = OutcomeNumber.SUCCESS
) -> None:
    body = b"\xc0" if outcome == OutcomeNumber.SUCCESS else b"\x80"
    worker.call(DISPATCHER, "finish", [[id, 1, lease, int(outcome), body, 0.0, 0.0, None] for id in ids])


def granted(worker: Peer, want: int) -> tuple[bytes, list[bytes]]:
    """The lease and the tasks that a worker is given now: its call stays parked until there are some."""
    call = PARKED.pop(worker, None) or worker.ask(DISPATCHER, "lease", want)
    worker.bench.step()
    if call not in worker.answers:
        PARKED[worker] = call
        return b"", []
    lease, groups = worker.answer(call)
    return lease, [id for id, *_ in each(groups)]


def leased(worker: Peer, want: int) -> list[bytes]:
    return granted(worker, want)[1]


def running(bench: Bench, name: str, key: str = "") -> int:
    """As the store has it."""
    routes = bench.engine.part(Routes)
    rows = bench.engine.store.load().running
    lanes = {one.number for one in routes if any((n, k) == (name, key) for n, k, _ in one.key.limits)}
    return sum(row.route in lanes for row in rows)
