"""Checks before a start: everything that a program would open is reported as ok, a warning or an error, all at once.

``tq-master check`` and ``tq-worker check`` write nothing and leave nothing open. A warning may be intended; an error would
keep the program from starting.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import TqError
from ..wire.address import Address, is_loopback
from .exposition import is_available

OK, WARNING, ERROR = "ok", "warning", "error"
ABOUT_COLUMNS: Final = 12
INDENT_COLUMNS: Final = 9 + ABOUT_COLUMNS
DESCRIPTORS_MIN: Final = 1_024  # connections and files: fewer are soon used up


@dataclass(frozen=True, kw_only=True)
class Finding:
    level: str
    about: str
    text: str

    def __str__(self) -> str:
        indent = "\n" + " " * INDENT_COLUMNS
        return f"{self.level:<8} {self.about:<{ABOUT_COLUMNS}}{indent.join(self.text.splitlines())}"


class Checkup:
    """The findings, in order."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.on_finding: Callable[[Finding], None] | None = None  # receives each as soon as it is found

    @property
    def failed(self) -> bool:
        return any(one.level == ERROR for one in self.findings)

    def ok(self, about: str, text: str) -> None:
        self._add(OK, about, text)

    def warn(self, about: str, text: str) -> None:
        self._add(WARNING, about, text)

    def fail(self, about: str, text: str) -> None:
        self._add(ERROR, about, text)

    def _add(self, level: str, about: str, text: str) -> None:
        finding = Finding(level=level, about=about, text=text)
        self.findings.append(finding)
        if self.on_finding is not None:
            self.on_finding(finding)

    def attempt(self, about: str, what: Callable[[], Any], text: str) -> None:
        """``text`` when ``what`` can be done, else the error it raises."""
        try:
            what()
        except (TqError, OSError) as error:
            self.fail(about, str(error))
        else:
            self.ok(about, text)

    # what both programs have

    def port(self, about: str, address: Address, why_not: Callable[[Address, OSError], str]) -> None:
        """Whether it can be listened on: it is, for an instant."""
        try:
            found = socket.getaddrinfo(
                address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            for family, kind, protocol, _, name in found:
                with socket.socket(family, kind, protocol) as listener:
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:
                        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    listener.bind(name)
        except OSError as error:
            self.fail(about, why_not(address, error))
        else:
            reach = (
                "only from this host"
                if is_loopback(address.host)
                else "from every host that reaches this one"
            )
            self.ok(about, f"{address} is free; it can be reached {reach}")

    def http(self, address: Address | None) -> None:
        if address is None:
            self.ok("http", "no health, no metrics; --http 127.0.0.1:5002 serves them")
            return
        self.port(
            "http", address, lambda where, error: f"cannot listen on {where}: {error.strerror or error}"
        )
        if not is_loopback(address.host):
            self.warn("http", f"everybody who reaches {address} can read health and metrics, without a key")
        if not is_available():
            self.warn("http", "/metrics needs a library: pip install 'tq[metrics]'")

    def private(self, about: str, file: Path) -> None:
        """Whether a secret is its owner's alone."""
        try:
            mode = file.stat().st_mode
        except OSError:
            return  # reported by the check that reads the file
        if stat.S_IMODE(mode) & 0o077:
            self.warn(about, f"{file} can be read by others: chmod 600 {file}")

    def descriptors(self) -> None:
        try:
            import resource
        except ImportError:
            return
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS_MIN:
            self.warn(
                "descriptors", f"only {soft} files and connections at a time; ulimit -n 65536 allows more"
            )


def nearest_existing(path: Path) -> Path:
    """The path, or the first of its parents that is there."""
    path = path.absolute()
    return next(one for one in (path, *path.parents) if one.exists())


def is_writable(path: Path) -> bool:
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)
