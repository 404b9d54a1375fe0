"""The demo's processes: one master, two workers, one SMTP server, all on loopback, all our own children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ....common.errors import TqError
from ...app import App

START_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 15.0
WORKER_SLOTS: Final = 2
POLL_SECONDS: Final = 0.02  # between looks at a file another process is writing


class Cluster:
    """A context in which all processes run; its end stops them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = _free_port()
        self.smtp_port = _free_port()
        self.mailbox = directory / "mailbox.jsonl"
        self._state = directory / "state"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self.start_smtp()
            self.start_master()
            for name in ("worker-a", "worker-b"):
                self.start_worker(name)
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_all()

    def app(self) -> App:
        """A client of this cluster, with the key its master made."""
        return App(f"tq://127.0.0.1:{self.port}", self._key("client"), connect_timeout=START_SECONDS_MAX)

    # processes

    def start_smtp(self) -> None:
        self._start("smtp", "tq.client.cli.demo.smtp_server", str(self.smtp_port), str(self.mailbox))
        self._await("smtp", lambda: _accepts(self.smtp_port))

    def start_master(self) -> None:
        self._start("master", "tq.master.cli", "--bind", f"127.0.0.1:{self.port}", "--data", str(self._state))
        self._await("master", lambda: _accepts(self.port))

    def start_worker(self, name: str) -> None:
        self._start(
            name,
            "tq.worker.cli",
            "--connect",
            f"127.0.0.1:{self.port}",
            "--authkey-file",
            str(self._state / "worker.key"),
            "--slots",
            str(WORKER_SLOTS),
            "--label",
            f"name={name}",
            "tq.tasks.mail",
            str(example("wordcount/wordcount.py")),
        )

    def kill(self, name: str) -> int:
        """SIGKILL, no warning; the pid it had."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()
        return process.pid

    def _start(self, name: str, module: str, *arguments: str) -> None:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("TQ_")},
            "TQ_SMTP_URL": f"smtp://127.0.0.1:{self.smtp_port}",
        }
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches the demo only, which stops them in order
            )

    def _await(self, name: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not ready():
            if self._processes[name].poll() is not None or time.monotonic() > deadline:
                log = (self.directory / f"{name}.log").read_text("utf-8", "replace")
                raise TqError(f"the demo's {name} did not start:\n{log[-2000:]}")
            time.sleep(POLL_SECONDS)

    def _key(self, role: str) -> str:
        return (self._state / f"{role}.key").read_text().strip()

    def _stop_all(self) -> None:
        """Stop the workers first, so that they can return their tasks; then the master, then the mail server."""
        for name in sorted(self._processes, key=lambda name: not name.startswith("worker")):
            process = self._processes[name]
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()


def example(name: str) -> Path:
    """A file of the examples that are installed with the package."""
    return Path(str(resources.files("tq").joinpath("examples", *name.split("/"))))


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _accepts(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1.0)
        return one.connect_ex(("127.0.0.1", port)) == 0
