"""A real master and real workers as child processes of this program.

The base of ``tq.local()`` and of a manager's ``start()``. The programs are started with a parent-death guard: they end
with this program, even if it is killed. What tasks print goes to this program's stdout and stderr, whatever else they write to
the logger ``tq.local``; the output of a program that fails to start becomes the text of the error.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, Self

from ...common.domain.context import is_importing
from ...common.domain.naming import is_loading
from ...common.errors import ConfigError, Unreachable
from ...common.runtime.config import WorkerSettings
from ...common.runtime.logs import as_text
from ...common.wire.address import Address, parse_address
from ..core.greenlets import check_processes

START_SECONDS_MAX: Final = 30.0
STOP_SECONDS: Final = 10.0  # from SIGTERM to SIGKILL
STOP_SECONDS_OF_BROKEN: Final = 1.0  # a worker whose master has died cannot return its tasks anyway
COMPLAINT_LINES_MAX: Final = 40
LOG_LEVELS: Final = {
    "debug": 10,
    "info": 10,
    "warning": 30,
    "error": 40,
}  # routine messages of our own programs are of no interest to the user
RAISED: Final = frozenset({"attempt.failed", "log.left_out"})  # the program itself gets these errors

# Our worker is on this machine and ends with us: a restarted master need not wait long for an old one to reconnect.
TIMINGS: Final = {"TQ_HEARTBEAT_SECONDS": "1.5", "TQ_LEASE_SECONDS": "5", "TQ_GRACE_SECONDS": "1"}
# Threads share the interpreter lock: C code of a task that holds it this long must not look like a dead worker.
TIMINGS_OF_THREADS: Final = {**TIMINGS, "TQ_LEASE_SECONDS": "20"}

IMPORTED: Final = (
    "a worker imports this module to run its functions, and the import starts a cluster, whose worker would import it again, "
    "without end; put what starts it under `if __name__ == '__main__':`"
)

OUTPUT_VARIABLE: Final = "TQ_PROGRAM_OUTPUT"  # as in worker/supervisor/output_sink.py
log = logging.getLogger("tq.local")


class ChildProgram:
    """One started program. ``ready``: the log record of the action that says that it serves. ``on_exit`` is called with the
    way it ended, in its thread, unless ``stop`` ended it."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        ready: str,
        on_exit: Callable[[str], None],
        *,
        shares_output: bool = False,
    ) -> None:
        self._shares_output = shares_output
        self._on_exit, self._is_ready, self._is_stopped = on_exit, False, False
        self._module, self._arguments = module, ["--log-format", "json", *arguments]
        self._environment, self._awaited = dict(environment), ready
        self._started: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._complaints: deque[str] = deque(maxlen=COMPLAINT_LINES_MAX)
        self.process: subprocess.Popen[bytes]
        # The parent-death signal is tied to the thread that started the program: that thread must outlive it.
        self._thread = threading.Thread(target=self._run, name=f"tq-own-{module}", daemon=True)
        self._thread.start()
        failure = self._started.get()
        if isinstance(failure, BaseException):
            raise failure
        self.ready = self._await_ready()

    def join(self, timeout: float | None = None) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Send SIGTERM, so that it finishes its work; after ``seconds`` SIGKILL."""
        self._is_stopped = True
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._thread.join(seconds)

    def _await_ready(self) -> dict[str, Any]:
        try:
            started = self._started.get(timeout=START_SECONDS_MAX)
        except queue.Empty:
            self.stop(0)
            raise Unreachable(f"{self._module} did not start within {START_SECONDS_MAX:g} s") from None
        if started is None:
            said = [line.partition(": ")[2] or line for line in self._complaints]
            words = " ".join(
                line for line in said if not line.startswith("see: ")
            )  # our own error has the remedy
            raise ConfigError(
                words or f"{self._module} ended with status {self.process.wait()} and said nothing"
            )
        record: dict[str, Any] = started
        self._is_ready = True
        return record

    def _run(self) -> None:
        shared = _own_output() if self._shares_output else []
        if shared:
            self._environment[OUTPUT_VARIABLE] = ",".join(map(str, shared))
        guard = ["-P", "-m", "tq.common.runtime.parent_death", str(os.getpid()), self._module]
        try:
            self.process = subprocess.Popen(  # noqa: S603 - our own programs
                [sys.executable, *guard, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=self._environment,
                pass_fds=shared,
                start_new_session=True,  # Ctrl-C reaches this program only, which stops the others in order
            )
        except OSError as error:
            self._started.put(error)
            return
        finally:
            for descriptor in shared:
                os.close(descriptor)
        self._started.put(None)
        assert self.process.stderr is not None  # noqa: S101 - it is a pipe
        with self.process.stderr as said:
            for line in said:
                self._take(line.decode("utf-8", "replace").rstrip("\n"))
        self._started.put(None)  # end of output: a caller that still waits learns that the start failed
        status = self.process.wait()
        if self._is_ready and not self._is_stopped:
            self._on_exit(_exit_text(status))

    def _take(self, line: str) -> None:
        record = None
        if line.startswith('{"'):
            try:
                record = json.loads(line)
            except ValueError:  # output of a task that looks like a record
                record = None
        if not isinstance(record, dict) or "action" not in record:
            self._complaints.append(line)
            log.info("%s", line)
            return
        if record["action"] == self._awaited:
            self._started.put(record)
        fields = {name: value for name, value in record.items() if name not in ("time", "level", "action")}
        action = str(record["action"])
        log.log(_log_level(action, record.get("level")), "%s", as_text(action, fields))


class _Program(Protocol):
    """A child process, or a worker in a thread of this process."""

    def join(self, timeout: float | None = None) -> None: ...
    def stop(self, seconds: float) -> None: ...


class EmbeddedCluster:
    """A context in which the master runs. ``data``: its directory; None: a temporary one.

    ``on_end``: callbacks that get the reason when the cluster ends: before ``stop`` ends the programs, or, in a thread of
    this class, when one of them ends by itself.
    """

    def __init__(
        self, data: str | Path | None, *, durability: str = "fsync", timings: Mapping[str, str] = TIMINGS
    ) -> None:
        if is_importing() or is_loading():
            raise RuntimeError(IMPORTED)
        check_processes()
        self._temporary = None if data is not None else Path(tempfile.mkdtemp(prefix="tq-"))
        self.data = Path(data) if data is not None else self._temporary or Path()
        self._durability, self._timings = durability, timings
        self.on_end: list[Callable[[str], None]] = []
        self._process, self.is_broken = os.getpid(), False  # one of its programs has died
        self._programs: list[_Program] = []
        self._stopping = threading.Lock()
        self._authkey: str | None = None  # None: the master makes keys by role
        self.address = ""
        atexit.register(self.stop)  # a program may exit without calling stop

    def start_master(
        self, bind: str = "127.0.0.1:0", authkey: str | None = None, registered: str | None = None
    ) -> None:
        """``registered``: the typeids that a manager serves, as JSON. Raises ConfigError with the master's own message when
        it does not start."""
        environment = {**own_environment(), **self._timings}
        arguments = ["--bind", bind, "--data", str(self.data), "--durability", self._durability]
        if authkey is not None:
            self._authkey = environment["TQ_AUTHKEY"] = authkey
        if registered is not None:  # the master imports these names with this program's module path
            environment["TQ_REGISTERED"] = registered
            environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
        master = ChildProgram("tq.master.cli", arguments, environment, "master.started", self._died("master"))
        self._programs.append(master)
        self.address = str(master.ready["address"])

    def start_worker(
        self,
        *,
        slots: int | None = None,
        pools: Sequence[str] = (),
        modules: Sequence[str] = (),
        allow: Sequence[str] = (),
        queue: str | None = None,
        tasks_per_child: int | None = None,
        on_exit: Callable[[str], None] | None = None,
    ) -> Callable[[], None]:
        """A worker that serves all queues, or just ``queue``; returns a function that ends it before the cluster.
        ``on_exit``: called with the way it ended by itself, in place of the cluster's ``on_end``."""
        arguments = ["--connect", self._address_here()]
        arguments += [] if self._authkey is not None else ["--authkey-file", str(self.data / "worker.key")]
        arguments += [] if slots is None else ["--slots", str(slots)]
        arguments += [word for pool in pools for word in ("--pool", pool)]
        arguments += [word for pattern in allow for word in ("--allow", pattern)]
        arguments += [] if queue is None else ["--queue", queue]
        arguments += [] if tasks_per_child is None else ["--max-tasks-per-child", str(tasks_per_child)]
        environment = {**own_environment(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        if self._authkey is not None:
            environment["TQ_AUTHKEY"] = self._authkey
        worker = ChildProgram(
            "tq.worker.cli",
            [*arguments, "--", *modules],
            environment,
            "worker.connected",
            on_exit or self._died("worker"),
            shares_output=True,
        )
        self._programs.append(worker)
        return lambda: self._end(worker)

    def _end(self, program: _Program) -> None:
        with self._stopping:
            if program in self._programs:
                self._programs.remove(program)
                program.stop(STOP_SECONDS)

    def start_threads(self, slots: int) -> None:
        """A worker inside this process, which runs tasks in threads."""
        from ...worker.pools.thread_worker import ThreadWorker

        settings = WorkerSettings(connect=(parse_address(self.address),), allow=("*",), slots=slots)
        self._programs.append(ThreadWorker(settings, self.key("worker"), _log_event))

    def _address_here(self) -> str:
        """The master's address for a client on this host: the master itself may listen on every interface."""
        address = parse_address(self.address)
        return str(Address("127.0.0.1", address.port)) if address.host == "0.0.0.0" else self.address  # noqa: S104

    def _died(self, program: str) -> Callable[[str], None]:
        rest = f"remains in {self.data}, and the next program that opens it finishes it"
        if self._temporary is not None:
            rest = "is lost; make a new one"

        def report(how: str) -> None:
            self.is_broken = True
            self._notify(f"the {program} of this program's own cluster {how}; what was not finished {rest}")

        return report

    def _notify(self, words: str) -> None:
        for step in list(self.on_end):  # a copy: a callback may remove itself
            step(words)

    @property
    def url(self) -> str:
        return f"tq://{self.address}"

    def key(self, role: str) -> str:
        return (self.data / f"{role}.key").read_text("utf-8").strip()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the programs have ended."""
        for program in list(self._programs):
            program.join(timeout)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop the workers first, so that they can still return their tasks to the master."""
        # ``atexit`` runs this in forked children too.
        if os.getpid() != self._process:
            return  # a forked child exits; the cluster belongs to its parent
        self._notify("this program's own cluster was stopped")
        # Several threads may stop it. The program that was started last ends first: workers before their master.
        with self._stopping:
            while self._programs:
                self._programs.pop().stop(min(seconds, STOP_SECONDS_OF_BROKEN) if self.is_broken else seconds)
            if self._temporary is not None:
                shutil.rmtree(self._temporary, ignore_errors=True)
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def _own_output() -> list[int]:
    """Copies of this program's stdout and stderr; empty if it was started without one of them: then their numbers may be those of
    any file or connection."""
    if sys.__stdout__ is None or sys.__stderr__ is None:
        return []
    copies: list[int] = []
    try:
        for descriptor in (1, 2):
            copies.append(os.dup(descriptor))
    except OSError:
        for copy in copies:
            os.close(copy)
        return []
    return copies


def _exit_text(status: int) -> str:
    """How a program ended."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def _log_level(action: str, word: object) -> int:
    return logging.DEBUG if action in RAISED else LOG_LEVELS.get(str(word), logging.DEBUG)


def _log_event(action: str, *, level: str = "info", **fields: object) -> None:
    log.log(_log_level(action, level), "%s", as_text(action, fields))


def own_environment() -> dict[str, str]:
    """The environment without settings of tq: this program alone configures its own master and workers."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TQ_")}
