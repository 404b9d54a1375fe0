"""A cluster to measure: one master and one worker of the installed tq, on loopback, in a directory of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
from tq.client.app import App

TASKS: Final = Path(__file__).with_name("bench_tasks.py")
START_SECONDS_MAX: Final = 30.0
END_SECONDS_MAX: Final = 30.0
POLL_SECONDS: Final = 0.005


class Measured:
    """Processes that are up and connected, and an App that is a client of theirs."""

    def __init__(self, directory: Path, master_options: Sequence[str]) -> None:
        self.state, self.port = directory / "state", free_port()
        self._master_options = master_options
        self._log = (directory / "log").open("ab")
        self._started: list[subprocess.Popen[bytes]] = []
        self.master = self._start_master()
        self.app = self.client("client")
        self.worker: psutil.Process | None = None

    @property
    def url(self) -> str:
        return f"tq://127.0.0.1:{self.port}"

    def key(self, role: str) -> Path:
        return self.state / f"{role}.key"

    def client(self, role: str) -> App:
        return App(self.url, self.key(role).read_text("utf-8"), role=role)

    def start_worker(self, slots: int, allow: str | None = None, options: Sequence[str] = ()) -> None:
        self.worker = self._start(
            "tq.worker.cli",
            f"--connect=127.0.0.1:{self.port}",
            f"--authkey-file={self.key('worker')}",
            f"--slots={slots}",
            *([] if allow is None else [f"--allow={allow}"]),
            *options,
            str(TASKS),
        )
        self.app.named("bench_tasks:nothing").map([None] * slots).wait(START_SECONDS_MAX)

    def start_pools(self, *pools: str) -> None:
        """A worker with several pools."""
        self.worker = self._start(
            "tq.worker.cli",
            f"--connect=127.0.0.1:{self.port}",
            f"--authkey-file={self.key('worker')}",
            *(f"--pool={pool}" for pool in pools),
            str(TASKS),
        )
        for name in ("nothing", "nothing_later"):
            self.app.named(f"bench_tasks:{name}").map([None]).wait(START_SECONDS_MAX)

    def start_fetching_worker(self, pool: str) -> None:
        """One that fetches URLs of this host, too, in the queue ``fetch``."""
        self.worker = self._start(
            "tq.worker.cli",
            f"--connect=127.0.0.1:{self.port}",
            f"--authkey-file={self.key('worker')}",
            f"--pool={pool}",
            "--queue=fetch",
            "--allow-http",
            "--http-private",
            keeps=("TQ_HTTP_PER_HOST",),
        )

    def kill_worker(self) -> None:
        """As the kernel does, and its children with it."""
        assert self.worker is not None  # noqa: S101 - it was started
        self._kill(self.worker)

    def stop_master(self) -> None:
        """Let it end by itself, so that its files are those of nothing under way."""
        stopped = next(one for one in self._started if one.pid == self.master.pid)
        stopped.terminate()
        stopped.wait(END_SECONDS_MAX)
        self._started.remove(stopped)

    def start_master(self) -> None:
        self.master = self._start_master()

    def restart_master(self) -> float:
        """Kill it as the kernel does, start it again; seconds from the start until it accepts connections."""
        self._kill(self.master)
        began = time.perf_counter()
        self.master = self._start_master()
        return time.perf_counter() - began

    def stop(self) -> None:
        self.app.close()
        for process in reversed(self._started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()

    def _kill(self, process: psutil.Process) -> None:
        killed = next(one for one in self._started if one.pid == process.pid)
        killed.kill()
        killed.wait()
        self._started.remove(killed)

    def _start_master(self) -> psutil.Process:
        bind, data = f"--bind=127.0.0.1:{self.port}", f"--data={self.state}"
        master = self._start("tq.master.cli", bind, data, *self._master_options)
        await_true(lambda: self.key("worker").exists() and accepts(self.port))
        return master

    def _start(self, module: str, *arguments: str, keeps: Sequence[str] = ()) -> psutil.Process:
        """``keeps``: variables of tq that it is given as they are here."""
        command = [sys.executable, "-m", module, *arguments]
        process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=bare_environment(keeps))  # noqa: S603 - ours
        self._started.append(process)
        return psutil.Process(process.pid)


@contextmanager
def cluster(
    *,
    slots: int = 2,
    durability: str = "fsync",
    allow: str | None = None,
    master_options: Sequence[str] = (),
    worker_options: Sequence[str] = (),
) -> Iterator[Measured]:
    """A master, and a worker unless ``slots`` is 0; everything is stopped and removed at the end. ``allow``: of the
    worker."""
    with tempfile.TemporaryDirectory(prefix="tq-bench-") as name:
        measured = Measured(Path(name), [f"--durability={durability}", *master_options])
        try:
            if slots:
                measured.start_worker(slots, allow, worker_options)
            yield measured
        finally:
            measured.stop()


def bare_environment(keeps: Sequence[str] = ()) -> dict[str, str]:
    """Nothing of tq in it but this."""
    return {key: value for key, value in os.environ.items() if not key.startswith("TQ_") or key in keeps}


def await_true(condition: Callable[[], bool], seconds: float = START_SECONDS_MAX) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("a program to measure did not come to where it is measured")
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def accepts(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
