"""Tasks that change their process, and one that says what it finds."""

# ruff: noqa: SIM115 - files are left open on purpose

from __future__ import annotations

import contextvars
import decimal
import gc
import importlib
import locale
import logging
import logging.config
import math
import os
import signal
import socket
import sys
import tempfile
import time
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import tq

app = tq.App()
tenant = contextvars.ContextVar("tenant", default="none")
log = logging.getLogger("of.a.program")
log.setLevel(logging.ERROR)
calls = 0


@app.task
def leave(what: str) -> None:
    """Change one thing, and leave it."""
    {**parts, **streams, **loggings}[what]()


@app.task
def leave_at_call(number: int, name: str) -> str:
    """At the call of this number a name is given a value. Returns what was found."""
    global calls
    calls += 1
    found = os.environ.get(name, "") + tenant.get()
    if calls == number:
        if name == "tenant":
            tenant.set("left")
        else:
            os.environ[name] = "left"
    return found


@app.task
def leave_in_a_directory(path: str, module: str) -> None:
    """As a program may that sets itself up at its first call: a module that is imported changes what it needs."""
    sys.path.insert(0, path)
    importlib.import_module(module)
    os.chdir(path)


@app.task
def find(ctx: tq.Context) -> dict[str, Any]:
    """Everything that this process is like, as far as tasks may change it."""
    print("by print")
    print("to stderr", file=sys.stderr)
    os.write(1, b"by descriptor\n")
    ctx.log.info("by ctx.log")
    log.error("by a logger of the program")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "file")
        made.touch()
        mode = made.stat().st_mode & 0o777
    return {
        "directory": os.getcwd(),
        "environment": {name: value for name, value in os.environ.items() if not name.startswith("TQ_")},
        "offset": time.timezone,
        "mode": mode,
        "path": list(sys.path),
        "argv": list(sys.argv),
        "filters": len(warnings.filters),
        "locale": locale.setlocale(locale.LC_ALL),
        "decimal": str(Decimal(1) / Decimal(3)),
        "recursion": sys.getrecursionlimit(),
        "socket": socket.getdefaulttimeout(),
        "gc": gc.isenabled(),
        "tenant": tenant.get(),
        "mask": sorted(int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "handlers": [repr(signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGUSR1)],
        "timer": signal.getitimer(signal.ITIMER_REAL)[0],
        "input": [sys.stdin.closed, sys.stdin.fileno()],
        "encoding": [sys.stdout.encoding, sys.stderr.errors],
    }


@app.task
def loop_for_long(gate: str) -> str:
    try:
        with open(gate, "wb"):  # who has passed it may raise the limit here
            pass
        while True:
            math.sqrt(2)
    except tq.TimeLimit:
        return "its limit"


def _in_a_removed_directory() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)


def _decimal() -> None:
    decimal.getcontext().prec = 3


def _another_decimal_context() -> None:
    decimal.setcontext(decimal.Context(prec=4))


def _own_logging() -> None:
    logging.basicConfig(force=True, level=logging.CRITICAL, stream=open(os.devnull, "w"))
    log.setLevel(logging.CRITICAL)
    log.handlers.append(logging.NullHandler())
    logging.getLogger("tq.task").propagate = False
    logging.disable(logging.CRITICAL)


def _root_without_handlers() -> None:
    logging.config.dictConfig({"version": 1, "root": {"level": "CRITICAL", "handlers": []}})


def _environment() -> None:
    os.environ["LEFT_BEHIND"] = "1"
    os.environ.pop("HOME", None)
    os.environ["PATH"] = "/nowhere"


def _time_zone() -> None:
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()


def _another_environment() -> None:
    os.environ = {"A": "dict"}  # type: ignore[assignment]  # noqa: B003


def _detached() -> None:
    sys.stdout = open(sys.stdout.detach().fileno(), "wb", closefd=False)  # type: ignore[assignment]
    sys.stderr.detach()


def _closed() -> None:
    sys.stdin.close()
    sys.stdout.close()
    sys.stderr.close()


def _closed_descriptors() -> None:
    for descriptor in range(3):
        os.close(descriptor)
    open(os.devnull, "rb", closefd=False)  # is given the number of one of them, and keeps it


def _redirected() -> None:
    sink = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(sink, descriptor)
    sys.stdout = sys.stderr = open(os.devnull, "w")


def _signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})


parts = {
    "nothing": lambda: None,
    "directory": lambda: os.chdir("/"),
    "removed directory": _in_a_removed_directory,
    "umask": lambda: os.umask(0o777),
    "environment": _environment,
    "another environment": _another_environment,
    "time zone": _time_zone,
    "path": lambda: sys.path.insert(0, "/nowhere"),
    "another path": lambda: setattr(sys, "path", []),
    "arguments": lambda: setattr(sys, "argv", ["another", "program"]),
    "warnings": lambda: warnings.simplefilter("error"),
    "locale": lambda: locale.setlocale(locale.LC_ALL, "C"),
    "decimal": _decimal,
    "another decimal context": _another_decimal_context,
    "recursion": lambda: sys.setrecursionlimit(300),
    "socket": lambda: socket.setdefaulttimeout(0.001),
    "gc": gc.disable,
    "context": lambda: tenant.set("another's"),
    "alarm": lambda: signal.alarm(1),
    "signals": _signals,
}
streams = {
    "closed streams": _closed,
    "detached streams": _detached,
    "other streams": _redirected,
    "another encoding": lambda: sys.stdout.reconfigure(encoding="ascii", errors="strict"),  # type: ignore[union-attr]
    "closed descriptors": _closed_descriptors,
}
loggings = {
    "logging": _own_logging,
    "logging without handlers": _root_without_handlers,
    "disabled loggers": lambda: logging.config.dictConfig({"version": 1}),
}
