"""Who serves a lane: connected workers that do not drain, and that have what it asks for."""

from __future__ import annotations

from tq.master.tasks.explain_serving import serving, slots_of
from tq.master.tasks.routes import Routes

from ..conftest import Bench


def test_workers_that_drain_or_do_not_serve_it_are_left_out(bench: Bench) -> None:
    client = bench.client()
    client.call("get_task_queue/q", "submit", "m:f", {}, [[bytes(15) + b"\1", b"p"]])
    bench.worker("m:f", slots=3)
    bench.worker("m:g", slots=5)
    leaving = bench.worker("m:f", slots=7)
    route = bench.engine.part(Routes).route("q", "m:f")
    assert slots_of(serving(bench.engine, route)) == 10
    leaving.call("get_dispatcher", "beat", [], {"memory_bytes": 1, "draining": True})
    assert slots_of(serving(bench.engine, route)) == 3
