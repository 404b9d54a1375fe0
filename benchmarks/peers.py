"""The peers: other ways to have no-op tasks done by two processes, each in the fastest settings we know of.

Celery, RQ, Dramatiq, Huey and Taskiq on a Redis of the benchmark's own, once in memory and once with a sync
before every answer; PgQueuer and Procrastinate on a PostgreSQL of its own, likewise; and Huey on SQLite. Each lives in a virtual environment of its own in the user's cache
directory and runs a program of ``peer_programs/``, where its settings are. No TLS, no results left behind.
A peer that cannot be installed or run is listed with the reason, and its figure is never guessed. (What needs no installing is in
``stdlib_peers.py``.)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from platformdirs import user_cache_path

from .postgres_server import postgres
from .readings import Readings
from .redis_server import redis
from .scale import Scale

PROGRAMS: Final = Path(__file__).with_name("peer_programs")
INSTALL_SECONDS_MAX: Final = 300.0
RUN_SECONDS_MAX: Final = 90.0
END_SECONDS_MAX: Final = 5.0
REASON_CHARACTERS_MAX: Final = 120


class Server(Protocol):
    """Starts what a peer keeps its tasks in, and gives its URL."""

    def __call__(self, *, durable: bool) -> AbstractContextManager[str]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """What to install, how its two workers start, and what was chosen so that it is fast."""

    name: str
    packages: tuple[str, ...]
    server: Server = redis
    tables: tuple[str, ...] = ()  # what makes them, as for workers; {durability} is filled in, too
    workers: tuple[
        str, ...
    ]  # a program of its environment and arguments; {url} is filled in; none: its client starts them
    settings: str
    program: str = ""  # of ``peer_programs``; empty: that of its name


_CELERY = "-A celery_peer worker -c 2 -l error --without-gossip --without-mingle --without-heartbeat"
_RQ = "worker-pool 2 -w rq.worker.SimpleWorker --url {url} --logging-level ERROR default"

PEERS: Final = (
    Peer(
        name="celery",
        packages=("celery[redis]",),
        workers=("celery", *_CELERY.split()),
        settings="2 processes, 100 tasks fetched ahead, acknowledged early, no events; one group",
    ),
    Peer(
        name="rq",
        packages=("rq",),
        workers=("rq", *_RQ.split()),
        settings="2 workers that do not fork for a job, one pipelined enqueue",
    ),
    Peer(
        name="dramatiq",
        packages=("dramatiq[redis]",),
        workers=("dramatiq", "--processes", "2", "--threads", "8", "dramatiq_peer"),
        settings="2 processes of 8 threads, results in Redis; one group",
    ),
    Peer(
        name="huey",
        packages=("huey", "redis"),
        workers=("huey_consumer", "huey_peer.huey", "-k", "process", "-w", "2", "-q"),
        settings="2 processes, blocking pop",
    ),
    Peer(
        name="taskiq",
        packages=("taskiq", "taskiq-redis"),
        workers=("taskiq", "worker", "taskiq_peer:broker", "--workers", "2", "--log-level", "ERROR"),
        settings="2 processes of 100 tasks at a time, Redis list; 100 sends at a time",
    ),
    Peer(
        name="pgqueuer",
        packages=("pgqueuer[asyncpg]",),
        server=postgres,
        tables=("pgq", "--pg-dsn", "{url}", "install", "--durability", "{durability}"),
        workers=("python", "pgqueuer_peer.py"),
        settings="2 processes of 100 tasks at a time, one enqueue of all; it keeps no results: until its table is empty",
    ),
    Peer(
        name="procrastinate",
        packages=("procrastinate", "psycopg[binary]"),
        server=postgres,
        tables=("python", "procrastinate_peer.py", "tables"),
        workers=("python", "procrastinate_peer.py", "work"),
        settings="2 processes of 100 tasks at a time, one enqueue of all; it keeps no results: until none is left to do",
    ),
)
HUEY_ON_SQLITE: Final = Peer(
    name="huey",
    packages=("huey", "redis"),
    workers=("huey_consumer", "huey_peer.huey", "-k", "process", "-w", "2", "-q", "-d", "0.005"),
    settings="2 processes that look every 5 ms, fsync=True",
)


class NotMeasured(Exception):
    """Why a peer has no figure."""


def peers(scale: Scale) -> Readings:
    """``peer.NAME.durable`` and ``peer.NAME.memory``, tasks a second, and notes with what was run."""
    readings = Readings()
    for peer in PEERS:
        for kind in ("durable", "memory"):
            measure_peer(peer, f"peer.{peer.name}.{kind}", kind, scale.peer_tasks, readings)
    measure_peer(HUEY_ON_SQLITE, "peer.huey-sqlite.durable", "sqlite", scale.peer_tasks, readings)
    return readings


def measure_peer(peer: Peer, name: str, kind: str, tasks: int, readings: Readings) -> None:
    """``kind``: durable, memory, or sqlite."""
    try:
        with ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="tq-bench-"))
            if kind == "sqlite":
                url = str(Path(directory) / "huey.db")
            else:
                url = stack.enter_context(peer.server(durable=kind == "durable"))
            home = _installed(peer)
            if peer.tables:
                _make_tables(peer, home, url, durable=kind == "durable")
            if peer.workers:
                stack.enter_context(_workers(peer, home, url, Path(directory) / "log"))
            readings.numbers[name] = tasks / _client(peer, home, url, tasks)
        readings.notes[name] = f"{_version(home, peer)}: {peer.settings}"
    except (NotMeasured, OSError, subprocess.SubprocessError) as error:
        readings.notes[name] = f"not measured: {' '.join(str(error).split())[-REASON_CHARACTERS_MAX:]}"


def _installed(peer: Peer) -> Path:
    """The peer's environment; what was installed once is used again."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    home = user_cache_path("tq") / "benchmarks" / f"{peer.name}-{python}"
    if (home / "complete").exists():
        return home
    venv.create(home, with_pip=True, clear=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(  # noqa: S603 - the names stand above
        [*pip, *peer.packages], capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise NotMeasured(f"cannot be installed: {lines[-1] if lines else 'pip says nothing'}")
    (home / "complete").touch()
    return home


def _make_tables(peer: Peer, home: Path, url: str, *, durable: bool) -> None:
    filled = {"url": url, "durability": "durable" if durable else "volatile"}
    program, *arguments = (part.format(**filled) for part in peer.tables)
    command = [str(home / "bin" / program), *arguments]
    done = subprocess.run(  # noqa: S603 - ours
        command,
        cwd=PROGRAMS,
        env=_environment(url),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise NotMeasured(f"its tables cannot be made: {lines[-1] if lines else done.returncode}")


@contextmanager
def _workers(peer: Peer, home: Path, url: str, log: Path) -> Iterator[None]:
    program, *arguments = (part.format(url=url) for part in peer.workers)
    with log.open("wb") as file:
        workers = subprocess.Popen(  # noqa: S603 - ours
            [str(home / "bin" / program), *arguments],
            cwd=PROGRAMS,
            env=_environment(url),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,  # so that their children can be ended with them
        )
        try:
            yield
        finally:
            workers.terminate()
            with suppress(subprocess.TimeoutExpired):  # killed below, with what is left of the others
                workers.wait(END_SECONDS_MAX)
            with suppress(ProcessLookupError):
                os.killpg(workers.pid, signal.SIGKILL)
            workers.wait()


def _client(peer: Peer, home: Path, url: str, tasks: int) -> float:
    """Seconds until the client has every result."""
    command = [
        str(home / "bin" / "python"),
        "peer_client.py",
        peer.program or f"{peer.name}_peer",
        str(tasks),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - ours
            command,
            cwd=PROGRAMS,
            env=_environment(url),
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotMeasured(f"had not done {tasks:,} tasks after {RUN_SECONDS_MAX:.0f} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise NotMeasured(lines[-1] if lines else f"its client ended with {done.returncode}")
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def _environment(url: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("TQ_", "PYTHON"))}
    return {**ours, "PEER_URL": url, "PYTHONPATH": str(PROGRAMS), "PYTHONDONTWRITEBYTECODE": "1"}


def _version(home: Path, peer: Peer) -> str:
    [metadata] = home.glob(f"lib/python*/site-packages/{peer.name}-*.dist-info")
    return f"{peer.name} {metadata.name.removesuffix('.dist-info').partition('-')[2]}"
