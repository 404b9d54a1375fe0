"""Tasks that need other tasks, with real programs: a master that is restarted, a worker that is killed."""

from __future__ import annotations

from pathlib import Path

import pytest
import tq

from .conftest import AppFactory, WorkerFactory
from .programs import Master

MODULE = Path(__file__).with_name("dependent_tasks.py")
WAIT_SECONDS = 60.0


def test_handles_are_arguments_wherever_they_stand_and_wait_through_restarts_and_kills(
    master: Master, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    app = app_factory(master.url, master.key("client"))
    make, size_of, gather, count, length = (
        app.named(f"dependent_tasks:{name}") for name in ("make", "size_of", "gather", "count", "length")
    )
    texts = make.map(range(300))
    sizes = size_of.map(texts)
    everything = gather.submit(sizes, first=texts[3], some={"last": [texts[1], texts[2]]})
    large = length.submit(make.map([40_000] * 60))
    assert everything.state == tq.State.BLOCKED
    assert everything.why().startswith(
        "it waits for 303 of the 303 tasks that it needs (3 ready, 300 blocked)"
    )
    master.restart()
    worker = worker_factory(tasks=MODULE, authkey=master.key("worker"))
    texts[0].result(WAIT_SECONDS)
    worker.kill()
    worker.start()
    assert everything.result(WAIT_SECONDS) == [
        list(range(300)),
        {"first": "xxx", "some": {"last": ["x", "xx"]}},
    ]
    assert large.result(WAIT_SECONDS) == 40_000 * 60  # fetched in pages
    bad = make.submit(7, True)
    with pytest.raises(
        tq.DependencyFailed, match=rf"dependent_tasks:make {bad.id} failed: ValueError: not 7"
    ):
        gather.submit([size_of.submit(bad)]).result(WAIT_SECONDS)
    mixed = [make.submit(1), bad, make.submit(2)]
    assert count.using(on_error="collect").submit(mixed).result(WAIT_SECONDS) == (2, 1)
    assert count.using(on_error=tq.at_least(2)).submit(mixed).result(WAIT_SECONDS) == (2, 1)
    with pytest.raises(tq.DependencyFailed, match="1 of the 3 tasks that it needs did not succeed"):
        count.submit(mixed).result(WAIT_SECONDS)
    with app.batch():
        chained = [size_of.submit(make.submit(size)) for size in range(20)]
    assert [one.result(WAIT_SECONDS) for one in chained] == list(range(20))
