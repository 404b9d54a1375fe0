"""``tq-master compact``: the store of a master that does not run, as small as it can be."""

from __future__ import annotations

import signal
from pathlib import Path

import tq

from .conftest import AppFactory, WorkerFactory
from .programs import Master, run_program

LARGE = "x" * 100_000


def test_a_stopped_masters_store_is_compacted_and_has_what_it_had(
    app: tq.App, master: Master, worker_factory: WorkerFactory, app_factory: AppFactory, home: Path
) -> None:
    worker_factory()
    echo = app.named("cluster_tasks:echo")
    echo.map([(LARGE,)] * 30).wait()
    kept = echo.submit("kept")
    assert kept.result(timeout=20) == "kept"
    refused = run_program("tq-master", "compact", "--data", master.data, home=home)
    assert refused.returncode == 2
    assert "stop it first" in refused.stderr
    master.signal(signal.SIGTERM)
    master.wait()
    done = run_program("tq-master", "compact", "--data", master.data, home=home)
    assert done.returncode == 0, done.stderr
    assert "MB before" in done.stdout
    master.start()
    assert app_factory(master.url, master.authkey).get(kept.id).result(timeout=20) == "kept"
    assert "store.log_missing" not in master.log
