"""A machine that is busy is no sign of death: no other master takes over while the one that serves only gets its turn late."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import tq
from tq.client.cli.masters import of_cluster
from tq.common.runtime.config import MasterSettings
from tq.master import joining
from xprocess import XProcess

from .. import postgres
from ..cluster.programs import TASKS_FILE, Master, Worker
from .conftest import ALL
from .trial import SECONDS

pytestmark = pytest.mark.alone

LOAD = 8
MINUTES = 10
SAMPLE_SECONDS = 6.0  # longer than a lease, which the one that serves has to renew meanwhile
# It ends by itself, whatever becomes of this process.
BURN = "import sys, time\nend = time.monotonic() + float(sys.argv[1])\nwhile time.monotonic() < end: pass"


@contextmanager
def busy_machine(seconds: float) -> Iterator[None]:
    """So many processes compete for the processors."""
    words = [sys.executable, "-c", BURN, str(seconds + SECONDS)]
    burning = [subprocess.Popen(words) for _ in range(LOAD)]
    try:
        yield
    finally:
        for one in burning:
            one.kill()
            one.wait()


@pytest.fixture
def pair(xprocess: XProcess, tmp_path: Path) -> Iterator[tuple[Master, Master]]:
    """The one that serves, and the one that stands by."""
    with postgres.serving() as server, ExitStack() as stack:
        masters = []
        for name in ("serves", "stands_by"):
            (tmp_path / name).mkdir()
            masters.append(Master(xprocess, tmp_path / name, "--store", server.url(), own_certificate=False))
            stack.callback(masters[-1].end)
        first, second = masters
        first.start()
        new = MasterSettings(data=second.data)
        leaf, _ = joining.admit(MasterSettings(data=first.data), joining.request(new).encode())
        joining.join(new, leaf.encode())
        second.launch(
            ["--bind", second.address, "--data", second.data, *second.options], r"master\.stands_by"
        )
        yield first, second


@pytest.mark.timeout(MINUTES * 60 + 200)
def test_no_master_takes_over_from_one_that_lives_on_a_busy_machine(
    pair: tuple[Master, Master], xprocess: XProcess, tmp_path: Path, scale: float
) -> None:
    serves, stands_by = pair
    seconds = MINUTES * 60 if scale >= ALL else SAMPLE_SECONDS
    addresses = f"{serves.address},{stands_by.address}"
    worker = Worker(xprocess, tmp_path, addresses, serves.authkey, "--slots", 1, TASKS_FILE)
    with ExitStack() as stack:
        stack.callback(worker.end)
        worker.start()
        app = stack.enter_context(tq.App(f"tq://{addresses}", serves.authkey, connect_timeout=SECONDS))
        stack.enter_context(busy_machine(seconds))
        ends, done = time.monotonic() + seconds, 0
        while time.monotonic() < ends:
            assert app.submit("cluster_tasks:add", done, 1).result(timeout=SECONDS) == done + 1
            done += 1
        serving = of_cluster(app)[0]
    assert (serving.serves, serving.epoch, serving.address) == (True, 1, serves.address)
    assert "master.displaced" not in serves.log
    assert "master.started" not in stands_by.log
    assert done
