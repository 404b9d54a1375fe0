"""The real programs of the installed package as objects, and a way to wait.

They are forked where the system can do that, else started by pytest-xprocess, each under a name of its own, so that no run
takes over what an earlier one left. The fixture that starts a program ends it, by ``Program.end``.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import psutil
from tq.common.auth.certificate import CERTIFICATE_FILE, KEY_FILE, write_private
from xprocess import ProcessStarter, XProcess

from ..side_by_side import process_number
from .certificates import sign
from .child_template import NAME as TEMPLATE_NAME
from .forked_programs import ForkedProgram, ForkServer, PipedProgram

T = TypeVar("T")

POLL_SECONDS, POLL_SECONDS_MAX = 0.02, 0.2
START_SECONDS = 30.0  # a loaded machine starts a Python with uvloop in one or two
END_SECONDS = 20.0
AUTHKEY = "a key for tests on loopback"
TASKS_FILE = Path(__file__).with_name("cluster_tasks.py")
# Small enough that a test of what happens after a lease is short, large enough for a machine under load.
TIMINGS = {"TQ_HEARTBEAT_SECONDS": "0.5", "TQ_LEASE_SECONDS": "4", "TQ_GRACE_SECONDS": "1"}
MODULES = {"tq-master": "tq.master.cli", "tq-worker": "tq.worker.cli", "tq": "tq.client.cli"}

# Below the range from which the system draws ports for outgoing connections: while a killed master is away, no connection
# of another test may get its port. Each process has a block of ports of its own, also beside another run of the suite.
PORTS_FIRST = 10_000
PORTS_OF_BLOCK = 500
BLOCKS = 44

_numbers = itertools.count(1)


@functools.cache
def ports_of_this_process() -> tuple[Iterator[int], socket.socket]:
    """The ports of a block, again and again. Whose it is holds its first port bound, but listens on none: the second value."""
    mine = process_number() or 0
    for number in range(BLOCKS):
        first = PORTS_FIRST + (mine + number) % BLOCKS * PORTS_OF_BLOCK
        held = socket.socket()
        try:
            held.bind(("127.0.0.1", first))
        except OSError:
            held.close()
            continue
        return itertools.cycle(range(first + 1, first + PORTS_OF_BLOCK)), held
    raise AssertionError(f"{BLOCKS} processes of test runs have all blocks of ports")


def free_port() -> int:
    """A port of loopback that nothing listens on, and that no other test is given."""
    ports, _ = ports_of_this_process()
    for port in itertools.islice(ports, PORTS_OF_BLOCK):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"all {PORTS_OF_BLOCK} ports of this test process are in use")


def eventually(condition: Callable[[], T], seconds: float = 15.0, every: float = POLL_SECONDS) -> T:
    """What the condition gives once it is true. The one place of the suite that sleeps: what it waits for
    happens in other processes, which have no other way to tell. A question that takes long is asked seldom, for
    what is to happen needs the processors too."""
    began = asked = time.monotonic()
    while not (value := condition()):
        now = time.monotonic()
        assert now < began + seconds, f"not true within {seconds:g} s: {condition}"
        time.sleep(min(max(every, 3 * (now - asked)), POLL_SECONDS_MAX))
        asked = time.monotonic()
    return value


def let_pass(seconds: float) -> None:
    """How long a fault lasts. Nothing is waited for by this: what comes of the fault is, by ``eventually``."""
    time.sleep(seconds)


def command(program: str) -> list[str]:
    """How to start a program of the package that this interpreter imports."""
    script = Path(sys.executable).with_name(program)
    return (
        [str(script)]
        if script.exists()
        else [sys.executable, "-c", f"from {MODULES[program]} import main; main()"]
    )


def clean_environment(home: Path, more: Mapping[str, str] = {}) -> dict[str, str]:
    """Ours without the settings of tq that a developer may have, and with a home of the test's own."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("TQ_", "XDG_"))}
    return {**ours, "HOME": str(home), "PYTHONUNBUFFERED": "1", **TIMINGS, **more}


@functools.cache
def certificate() -> tuple[bytes, bytes]:
    """Certificate and key of the masters of this process."""
    made = sign("a master of the tests")
    return made.certificate_pem, made.key_pem


def put_certificate(data: Path) -> None:
    """Into a data directory, before the first start."""
    data.mkdir(mode=0o700, exist_ok=True)
    for name, content in zip((CERTIFICATE_FILE, KEY_FILE), certificate(), strict=True):
        write_private(data / name, content)


def text_program(
    words: Sequence[str],
    home: Path,
    environment: Mapping[str, str],
    *,
    stdin: int,
    stdout: int,
    stderr: int,
    by_exec: bool = False,
) -> subprocess.Popen[str] | PipedProgram:
    """One that a test speaks with, in a group of processes of its own."""
    if not by_exec and (server := fork_server()).can_start(list(words), environment):
        return server.popen(words, home, environment, (stdin, stdout, stderr), text=True)
    return subprocess.Popen(
        words,
        cwd=home,
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        text=True,
        start_new_session=True,
    )


@contextlib.contextmanager
def text_process(*arguments: Any, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A ``Popen`` that does not outlive a test that fails. Popen's own ``with`` waits for its end, whatever its time limit."""
    with subprocess.Popen(*arguments, **options, text=True) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def run_script(text: str, folder: Path, master: Master, *arguments: str) -> tuple[int, str, str]:
    """Run a program of a user of this master; its status and what it wrote, which is nothing to stderr when all is well."""
    (folder / "script.py").write_text(text, "utf-8")
    settings = {"TQ_URL": master.url, "TQ_AUTHKEY": master.authkey, "PYTHONPATH": str(TASKS_FILE.parent)}
    done = subprocess.run(
        [sys.executable, "script.py", *arguments],
        cwd=folder,
        env=clean_environment(folder, settings),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


def run_program(
    program: str,
    *arguments: object,
    home: Path,
    environment: Mapping[str, str] = {},
    input: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program that ends by itself; its status and what it wrote."""
    words, complete = [*command(program), *map(str, arguments)], clean_environment(home, environment)
    if (server := fork_server()).can_start(words, complete):
        return server.run(words, home, complete, input, START_SECONDS)
    return subprocess.run(
        words,
        env=complete,
        cwd=home,
        stdin=subprocess.DEVNULL if input is None else None,
        input=input,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


@functools.cache
def fork_server() -> ForkServer:
    """The one of this process of the tests."""
    server = ForkServer(clean_environment(Path.home()))
    atexit.register(server.end)
    return server


def is_template(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.name() == TEMPLATE_NAME)
    return False


class Program:
    """One started program. ``by_exec``: by an interpreter of its own, for tests of what a start leaves in a process."""

    def __init__(self, xprocess: XProcess, program: str, home: Path, *, by_exec: bool = False) -> None:
        self._xprocess, self._program, self._home, self._by_exec = xprocess, program, home, by_exec
        self._process: subprocess.Popen[bytes] | ForkedProgram | None = None
        self._logs: list[Path] = []
        self._shown: list[IO[str]] = []  # logs of forked programs, read when a test fails
        self.command = command(program)
        self.environment: dict[str, str] = {}  # what it is started with besides

    def launch(self, arguments: Sequence[object], pattern: str, environment: Mapping[str, str] = {}) -> None:
        """Start it and wait until a line of its log matches the pattern."""
        words = [*self.command, *map(str, arguments)]
        complete = clean_environment(self._home, {**environment, **self.environment})
        name = f"{self._program}-{os.getpid()}-{next(_numbers)}"
        log = Path(self._xprocess.rootdir, name, "xprocess.log")
        self._logs.append(log)
        if not self._by_exec and fork_server().can_start(words, complete):
            self._fork(words, complete, log)
            eventually(lambda: self._has_written(log, pattern), START_SECONDS)
        else:
            self._exec(words, complete, name, pattern)

    def _fork(self, words: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        log.parent.mkdir()
        with log.open("wb") as output, open(os.devnull, "rb") as nothing:
            streams = nothing.fileno(), output.fileno(), output.fileno()
            self._process = fork_server().start(words, self._home, environment, streams)
        self._shown.append(log.open(encoding="utf-8", errors="replace"))
        # where pytest-xprocess looks for what it shows with a test that fails
        self._xprocess.config.__dict__.setdefault("_extlogfiles", {})[log.parent.name] = self._shown[-1]

    def _exec(self, words: Sequence[str], environment: Mapping[str, str], name: str, line: str) -> None:
        home = self._home

        class Starter(ProcessStarter):  # type: ignore[misc]
            args = words
            env = environment
            popen_kwargs = {"cwd": str(home)}  # noqa: RUF012 - xprocess reads attributes of the class
            max_read_lines = 1_000
            timeout = START_SECONDS
            pattern = line

        try:
            with (
                warnings.catch_warnings()
            ):  # xprocess runs setpgrp between fork and exec, harmless with threads
                warnings.simplefilter("ignore", DeprecationWarning)
                self._xprocess.ensure(name, Starter, persist_logs=False)
        finally:
            self._process = self._xprocess.resources[-1].popen

    def _has_written(self, log: Path, pattern: str) -> bool:
        text = log.read_text("utf-8", "replace")
        assert re.search(pattern, text) or self.running, f"it has ended: {text}"
        return re.search(pattern, text) is not None

    @property
    def process(self) -> subprocess.Popen[bytes] | ForkedProgram:
        assert self._process is not None
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        """Everything it has written, over all its starts."""
        return "".join(path.read_text("utf-8", "replace") for path in self._logs if path.exists())

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """As the kernel does it: no last word."""
        self.signal(signal.SIGKILL)
        self.wait()

    def terminate(self) -> int:
        """SIGTERM; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, seconds: float = END_SECONDS) -> int:
        return self.process.wait(seconds)

    def children(self) -> list[psutil.Process]:
        """The processes it started, but for the template of a forked worker, which ends with that."""
        with contextlib.suppress(psutil.NoSuchProcess):
            found = psutil.Process(self.pid).children(recursive=True)
            return [child for child in found if not is_template(child)]
        return []

    def end(self) -> None:
        """Whatever it does, it is gone after this, and so are its children and its log."""
        if self._process is None:
            return
        family = self.children()
        if self.running:
            self.signal(signal.SIGCONT)
            self.kill()
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        for log in self._logs:
            self._xprocess.config.__dict__.get("_extlogfiles", {}).pop(log.parent.name, None)
            shutil.rmtree(log.parent, ignore_errors=True)
        for shown in self._shown:
            shown.close()
        for resource in self._xprocess.resources:
            if resource.popen is self._process:
                resource.release()


class Master(Program):
    """``tq-master`` on a port of loopback, and what one needs to reach it.

    ``own_certificate``: it shows the one that all masters of this process show, as a user's own. To make one takes as long as
    everything else that a master does to start; tests that look at certificates have a master that makes its own.
    """

    def __init__(
        self,
        xprocess: XProcess,
        home: Path,
        *options: object,
        authkey: str | None = None,
        own_certificate: bool = True,
        by_exec: bool = False,
    ) -> None:
        super().__init__(xprocess, "tq-master", home, by_exec=by_exec)
        self.data, self._authkey, self.port = home / "data", authkey, free_port()
        self._own_certificate = own_certificate
        self.options = list(options)
        if authkey is not None:
            key_file = home / "authkey"
            key_file.write_text(authkey, "utf-8")
            self.options += ["--authkey-file", key_file]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"tq://{self.address}"

    @property
    def authkey(self) -> str:
        """What may do everything: the plain key, or the admin's token of a master that makes its own keys.

        Without need no test has a plain one: scrypt makes each program that connects a tenth of a second slower.
        """
        return self.key("admin") if self._authkey is None else self._authkey

    def key(self, role: str) -> str:
        """The join token the master made for a role on its first start."""
        return (self.data / f"{role}.key").read_text("utf-8").strip()

    def start(self) -> None:
        """Always on the same port."""
        if self._own_certificate and not (self.data.exists() and any(self.data.iterdir())):
            put_certificate(self.data)
        self.launch(["--bind", self.address, "--data", self.data, *self.options], r"master\.started")

    def restart(self) -> None:
        """Kill it without warning and start it again."""
        if self.running:
            self.kill()
        self.start()


class Worker(Program):
    """``tq-worker`` with the tasks of the tests."""

    def __init__(
        self,
        xprocess: XProcess,
        home: Path,
        address: str,
        authkey: str,
        *arguments: object,
        by_exec: bool = False,
    ) -> None:
        super().__init__(xprocess, "tq-worker", home, by_exec=by_exec)
        self._address, self._authkey, self._arguments = address, authkey, arguments

    def start(self, pattern: str = r"worker\.connected") -> None:
        self.launch(["--connect", self._address, *self._arguments], pattern, {"TQ_AUTHKEY": self._authkey})

    def restart(self) -> None:
        if self.running:
            self.kill()
        self.start()

    def stalled(self) -> contextlib.AbstractContextManager[None]:
        """Stopped as a whole, children included, as a suspended machine is."""
        return stalled([self.pid, *(child.pid for child in self.children())])


@contextlib.contextmanager
def stalled(pids: Sequence[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
