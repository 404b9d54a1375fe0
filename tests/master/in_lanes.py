"""Tasks in lanes, as tests of the master's parts submit and lease them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tq.common.domain.ids import new_ids
from tq.common.domain.model import TaskOptions
from tq.common.domain.shards import id_in
from tq.master.tasks.dispatch import Dispatch
from tq.master.tasks.route import LaneKey, Route
from tq.master.tasks.routes import Routes

from .conftest import Bench, Peer
from .leased import each

DISPATCHER = "get_dispatcher"
A, B = LaneKey("a"), LaneKey("b")


def lane(bench: Bench, key: LaneKey, task: str = "m:f") -> Route:
    routes = bench.engine.part(Routes)
    return routes.lane(routes.route("q", task), key)


def submit(bench: Bench, key: LaneKey, count: int = 1, task: str = "m:f", **options: Any) -> list[bytes]:
    """Tasks with ids of their own."""
    ids = [id_in(new_ids(), bench.engine.core.shard.number) for _ in range(count)]
    made = [(id, [b"\x92\x90\x80"]) for id in ids]
    within(
        bench,
        lambda: bench.engine.part(Dispatch).submit_own(lane(bench, key, task), TaskOptions(**options), made),
    )
    return ids


def within(bench: Bench, do: Callable[[], object]) -> None:
    """Do it in a transaction."""
    session = bench.client().session
    bench.engine.call(session, 1, lambda call: do())
    bench.step()


def leased(worker: Peer, want: int) -> list[bytes]:
    """What is given now; nothing: the call is abandoned."""
    call = worker.ask(DISPATCHER, "lease", want)
    worker.bench.step()
    if call not in worker.answers:
        return []
    return [id for id, *_ in each(worker.answer(call)[1])]
