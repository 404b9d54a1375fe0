"""What a master says to the person who starts it: where it listens, where its state is, what to type next."""

from __future__ import annotations

import shlex
import socket
import sys
from pathlib import Path
from typing import Final

from ..common.domain.model import Role
from ..common.runtime.config import HERE
from ..common.version import VERSION
from ..common.wire.address import Address, is_loopback
from .app import MasterResources
from .store.cluster_files import key_file

DURABILITY: Final = {
    "fsync": "every acknowledged task is on disk",
    "os": "survives a killed process, not a power cut",
    "memory": "nothing survives this process",
}

DATABASE_DURABILITY: Final = {
    "fsync": "the database has every acknowledged task on disk",
    "os": "a crash of the database may lose its last half second",
}


def banner(resources: MasterResources, address: Address, with_authkey: bool) -> str:
    """What a master says to people when it listens. ``address``: that was bound."""
    settings = resources.settings
    everywhere = address.host in ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to
    seen_as = Address(socket.gethostname() if everywhere else address.host, address.port)
    worker_key = key_file(settings.data, Role.WORKER)
    lines = [
        f"tq-master {VERSION} listening on {address}",
        f"  state  {_place(resources)} ({settings.durability}: {_promise(resources)})",
    ]
    if resources.count > 1:
        rows = "rows of its own, shared by the masters of this database"
        lines.append(
            f"  shards {resources.count}, each with {'a store of its own' if resources.database is None else rows}"
        )
    if with_authkey:
        lines.append(f"  next   tq-worker --connect {seen_as} --authkey-file FILE jobs.py")
    else:
        lines.append(
            f"  keys   {', '.join(str(key_file(settings.data, role)) for role in (Role.ADMIN, Role.CLIENT))}"
        )
        lines += _next_with_key(resources, seen_as, worker_key)
    return "\n".join(lines)


def _next_with_key(resources: MasterResources, seen_as: Address, worker_key: Path) -> list[str]:
    """The command to type next: on this host if the master listens here only, else on each worker host."""
    if is_loopback(seen_as.host):
        where = "" if seen_as == HERE else f"--connect {seen_as} "
        return [
            f"  next   tq-worker {where}--authkey-file {shlex.quote(str(worker_key))} jobs.py",
            f"         (for workers on other hosts, start this one with --bind 0.0.0.0:{seen_as.port})",
        ]
    if resources.new_keys and sys.stdout.isatty():  # shown to the person who started it, never to a log
        return [
            "  next   on each worker host (the key is a secret):",
            f"         TQ_AUTHKEY={worker_key.read_text().strip()} tq-worker --connect {seen_as} jobs.py",
        ]
    return [
        f"  next   copy {worker_key} to each worker host, there:",
        f"         tq-worker --connect {seen_as} --authkey-file worker.key jobs.py",
    ]


def _place(resources: MasterResources) -> str:
    data = resources.settings.data
    return str(data) if resources.database is None else f"{resources.database}, keys in {data}"


def _promise(resources: MasterResources) -> str:
    kinds = DURABILITY if resources.database is None else DATABASE_DURABILITY
    return kinds[resources.settings.durability]
