"""Which worker ran what when: the attempts that have ended in a span of time, from the store, and what runs now. Reads only.

Nothing is kept for it. A span with too many is read in equal parts, of each its last attempts, so that what is shown of a busy cluster is a
fair sample and not its last second; that something was left out is said.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from ...common.auth.keys import Verifier
from ...common.contract.rows import to_wire
from ...common.contract.workers import RanRow
from ..engine.engine import Engine
from ..store.interface.ended import EndedRow
from ..tasks.leases import Leases
from ..tasks.routes import Routes
from ..workers.membership import Membership, Worker

PARTS: Final = 16  # of a span
PARTS_OF_ONE: Final = 4  # of a span, for one worker: of more rows fewer are its own
ROWS_MAX: Final = 640  # in an answer, and read of each table
TABLES: Final = 5
RUNNING_MAX: Final = 400


def attempts(engine: Engine, key: Verifier, since: int, until: int, node: str) -> dict[str, Any]:
    """``since``, ``until``: steady ms. ``node``: of one worker; empty: of all."""
    found, is_whole = engine.store.ended.between(since, until, ROWS_MAX)
    engine.work.looked(max(TABLES, len(found)))
    if not is_whole:
        parts = PARTS_OF_ONE if node else PARTS
        found = _sample(engine, since, until, parts, ROWS_MAX // parts)
    workers = _Workers(engine)
    rows = [row for one in found if (row := _row(engine, key, workers, one)) is not None]
    if node:
        rows = [row for row in rows if row.node == node]
    now = engine.now
    running, left_out = _running(engine, key, node) if until >= now.steady else ([], False)
    return {
        "now": now.shown(now.steady),
        "from": now.shown(since),
        "until": now.shown(until),
        "rows": list(map(to_wire, [*running, *rows])),
        "is_whole": is_whole and not left_out,
    }


def _sample(engine: Engine, since: int, until: int, parts: int, most: int) -> list[EndedRow]:
    """The last ones of each part, newest first."""
    rows: list[EndedRow] = []
    for part in reversed(range(parts)):
        first, last = (since + (until - since) * at // parts for at in (part, part + 1))
        found, _ = engine.store.ended.between(first, last, most)
        engine.work.looked(max(TABLES, len(found)))
        rows += found
    return rows


class _Workers:
    """Nodes and hosts of workers by their numbers, each asked for once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[int | None, tuple[str, str]] = {None: ("", "")}

    def __getitem__(self, number: int | None) -> tuple[str, str]:
        if number not in self._known:
            found = self._engine.store.ended.worker(number or 0)
            self._known[number] = ("", "") if found is None else (found[0].hex(), found[1])
        return self._known[number]


def _row(engine: Engine, key: Verifier, workers: _Workers, one: EndedRow) -> RanRow | None:
    route = engine.part(Routes).by_number.get(one.route)
    if route is None or not key.allows_queue(route.queue.name):
        return None
    node, host = workers[one.worker]
    shown = engine.now.shown
    return RanRow(
        node,
        host,
        one.id,
        route.task,
        route.queue.name,
        one.attempt,
        one.outcome,
        shown(one.started),
        shown(one.ended),
        one.tasks,
        one.seconds,
    )


def _running(engine: Engine, key: Verifier, node: str) -> tuple[list[RanRow], bool]:
    """What runs now, as of the workers' last beats, and whether something was left out."""
    membership = engine.part(Membership)
    mine = [one for one in membership.by_node.values() if not node or one.node.hex() == node]
    engine.work.glanced(len(membership.by_node) + sum(len(one.started) for one in mine))
    begun = (row for one in mine for row in _begun(engine, key, one))
    rows = list(islice(begun, RUNNING_MAX + 1))
    return rows[:RUNNING_MAX], len(rows) > RUNNING_MAX


def _begun(engine: Engine, key: Verifier, worker: Worker) -> Any:
    node, host = worker.node.hex(), "" if worker.info is None else worker.info.host
    now, routes = engine.now, engine.part(Routes).by_number
    for id in worker.started:
        held = engine.part(Leases).running.get(id)
        # A worker's last beat may name what it has lost since.
        if held is None or held.begun is None or held.worker != worker.number:
            continue
        route = routes[held.route]
        if key.allows_queue(route.queue.name):
            seconds = max(0, now.steady - held.begun) / 1000
            yield RanRow(
                node,
                host,
                id,
                route.task,
                route.queue.name,
                held.number,
                None,
                now.shown(held.begun),
                None,
                1,
                seconds,
            )
