"""How long nothing starts when the master that serves is killed, or is stopped in order, and another one takes over.

Two masters with one PostgreSQL, one worker that knows both. Again and again the one that serves ends, while one task after the other is
submitted, each of which says when it was started. The one that ended stands by next.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

import psutil
from tq.client.app import App
from tq.common.runtime.config import MasterSettings
from tq.master import joining

from .cluster import (
    END_SECONDS_MAX,
    START_SECONDS_MAX,
    TASKS,
    accepts,
    await_true,
    bare_environment,
    free_port,
)
from .database import missing
from .postgres_server import postgres
from .readings import Readings, percentile
from .scale import Scale

SLOTS: Final = 2
STARTS_SECONDS_MAX: Final = 60.0
WAYS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGTERM}


def take_over(scale: Scale) -> Readings:
    """``takeover.kill.*_seconds`` and ``takeover.stop.*_seconds``: p50 and worst, of the longest time without a start of a task, from the signal on;
    ``….times``."""
    if (reason := missing()) is not None:
        return Readings(notes={"takeover": f"not measured: {reason}"})
    numbers: dict[str, float] = {}
    with postgres(durable=True) as url, pair(url) as masters:
        for way, times in (("kill", scale.kills), ("stop", scale.orderly_stops)):
            seconds = sorted(masters.seconds_without_start(WAYS[way]) for _ in range(times))
            numbers[f"takeover.{way}.p50_seconds"] = percentile(seconds, 0.5)
            numbers[f"takeover.{way}.worst_seconds"] = seconds[-1]
            numbers[f"takeover.{way}.times"] = float(times)
    return Readings(numbers=numbers)


class Pair:
    """The first one serves, the second one stands by; then the other way round, and so on."""

    def __init__(self, directory: Path, store: str, *, with_worker: bool) -> None:
        self._directory, self._store = directory, store
        self._log = (directory / "log").open("ab")
        self._ports = {name: free_port() for name in ("a", "b")}
        self._masters: dict[str, subprocess.Popen[bytes]] = {}
        self._serving, self._waiting = self._ports
        self._start(self._serving)
        await_true((self._data(self._serving) / "worker.key").exists)
        self._admit(self._waiting)
        self._start(self._waiting)
        self.app = App(f"tq://{self._addresses}", (self._data("a") / "client.key").read_text("utf-8"))
        self._workers = [self._start_worker()] if with_worker else []

    @property
    def serves(self) -> psutil.Process:
        return psutil.Process(self._masters[self._serving].pid)

    @property
    def stands_by(self) -> psutil.Process:
        return psutil.Process(self._masters[self._waiting].pid)

    def seconds_without_start(self, ends: signal.Signals) -> float:
        """End the master that serves; the longest time without a start of a task, from then until another master has started some."""
        ended = self._masters.pop(self._serving)
        starts, is_gone = [time.time()], False
        ended.send_signal(ends)
        while not is_gone:
            # One that was asked to end starts tasks until it does.
            is_gone = ended.poll() is not None
            starts.append(self.app.named("bench_tasks:moment").submit().result(STARTS_SECONDS_MAX))
        self._serving, self._waiting = self._waiting, self._serving
        self._start(self._waiting)
        return max(later - earlier for earlier, later in pairwise(starts))

    def close(self) -> None:
        self.app.close()
        for process in (*self._workers, *self._masters.values()):
            process.terminate()
        for process in (*self._workers, *self._masters.values()):
            try:
                process.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()

    @property
    def _addresses(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self._ports.values())

    def _data(self, name: str) -> Path:
        return self._directory / name

    def _start_worker(self) -> subprocess.Popen[bytes]:
        key = self._data("a") / "worker.key"
        options = f"--connect={self._addresses}", f"--authkey-file={key}", f"--slots={SLOTS}"
        worker = self._run("tq.worker.cli", *options, str(TASKS))
        self.app.named("bench_tasks:nothing").map([None] * SLOTS).wait(START_SECONDS_MAX)
        return worker

    def _admit(self, name: str) -> None:
        new, first = MasterSettings(data=self._data(name)), MasterSettings(data=self._data("a"))
        leaf, _ = joining.admit(first, joining.request(new).encode())
        joining.join(new, leaf.encode())

    def _start(self, name: str) -> None:
        """Until it serves or stands by: both answer at its port."""
        port = self._ports[name]
        options = f"--bind=127.0.0.1:{port}", f"--data={self._data(name)}", f"--store={self._store}"
        self._masters[name] = self._run("tq.master.cli", *options)
        await_true(lambda: accepts(port))

    def _run(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, stdout=self._log, stderr=self._log, env=bare_environment())  # noqa: S603 - ours


@contextmanager
def pair(store: str, *, with_worker: bool = True) -> Iterator[Pair]:
    logging.getLogger("tq").addHandler(logging.NullHandler())  # that a connection broke is what is done here
    with tempfile.TemporaryDirectory(prefix="tq-bench-") as name:
        made = Pair(Path(name), store, with_worker=with_worker)
        try:
            yield made
        finally:
            made.close()
