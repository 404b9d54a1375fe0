"""The files of a data directory belong together: store, certificate and keys are of one cluster, or the master does not start.

A file that is missing, empty, damaged, of another kind or of another cluster is never replaced in silence: the master would
know nothing of the work and the keys that were there. An option confirms, for one start, that it is to be replaced.

The order of a first start makes each of its moments different from a loss: the store knows its cluster before there is a
certificate, and the keys before their files are there. So if a store knows no cluster and beside it are a certificate of ours,
keys or content, then the cluster's store was lost.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from ...common.auth.certificate import (
    CERTIFICATE_FILE,
    KEY_FILE,
    certificate_der,
    ensure_certificate,
    is_self_made,
)
from ...common.auth.leaf import shown_by
from ...common.domain.model import Role
from ...common.errors import ConfigError
from ...common.wire.handshake import CLUSTER_ID_BYTES
from .directory_lock import LOCK_FILE
from .interface.store import Store

RESTORE: Final = "restore it from a copy (docs/deployment.md, Backup)"
STORE_FILE: Final = "tq.db"
BLOBS: Final = "blobs"
UPLOADS: Final = "uploads"  # below BLOBS: what is on its way in
OWN_KEYS: Final = (Role.ADMIN, Role.CLIENT, Role.WORKER)  # made on first start when no --authkey is given
CLUSTER_ID: Final = "cluster_id"  # names in the store
CERTIFICATE: Final = "certificate"
NEW_STORE, NEW_CERTIFICATE = "--new-store", "--new-certificate"
KNOWS_NONE: Final = f"knows no cluster (its log {STORE_FILE}-wal may have been removed)"
LOG_MAGICS: Final = (0x377F0682, 0x377F0683)  # how a write-ahead log of SQLite begins


class StartOptions(NamedTuple):
    """What the options of a start confirm: that the store, or the certificate, is to be a new one."""

    new_store: bool = False
    new_certificate: bool = False


DEFAULT_START: Final = StartOptions()


def key_file(data: Path, role: Role) -> Path:
    """Where the key made for a role on first start is kept."""
    return data / f"{role}.key"


def log_of(store: Path) -> Path:
    """What was committed last, until it is written into the store itself."""
    return store.with_name(f"{store.name}-wal")


def has_lost_log(store: Path) -> bool:
    """Whether the log of a store that was not closed is missing: a process that has a store open has written into its log."""
    log = log_of(store)
    return store.exists() and store.stat().st_size > 0 and not (log.exists() and log.stat().st_size > 0)


# before anything is opened


def problems(data: Path, *, durable: bool, own_keys: bool, start: StartOptions) -> list[str]:
    """Everything wrong with the files themselves, each with what to do; nothing is written or opened by SQLite."""
    names = [CERTIFICATE_FILE, KEY_FILE]
    if durable:
        names += [STORE_FILE, f"{STORE_FILE}-wal", f"{STORE_FILE}-shm"]
    if own_keys:
        names += [key_file(data, role).name for role in OWN_KEYS]
    found = [text for name in names if (text := _amiss(data / name)) is not None]
    for folder, remedy in (
        (data / BLOBS, f"move it away, and {RESTORE}"),
        (data / BLOBS / UPLOADS, "remove it"),
    ):
        if durable and _exists(folder) and not folder.is_dir():
            found.append(f"{folder} is not a directory; {remedy}")
    if (data / LOCK_FILE).is_dir():
        found.append(f"{data / LOCK_FILE} is a directory, not the lock of a master; move it away")
    if found or not durable:
        return found
    store = data / STORE_FILE
    if store.exists() and store.stat().st_size:
        if start.new_store:
            found.append(
                f"{store} is there, and {NEW_STORE} is for a directory whose store is gone: start without it, or move "
                f"{store.name}, {store.name}-wal and {store.name}-shm away to begin with no tasks"
            )
        if (text := _log_amiss(store)) is not None:
            found.append(text)
    elif not start.new_store and (there := traces(data, log=True)):
        found.append(lost_store(store, "is empty" if store.exists() else "is missing", there))
    return found


def traces(data: Path, *, log: bool = False) -> list[str]:
    """The files that only a cluster with a store leaves behind. ``log``: count a log too, because there is no store beside it."""
    found = [file.name for role in OWN_KEYS if _exists(file := key_file(data, role))]
    left = log_of(data / STORE_FILE)
    if log and left.exists() and left.stat().st_size:
        found.append(left.name)
    if any(name != UPLOADS for name in _listing(data / BLOBS)):
        found.append(f"{BLOBS}/")
    certificate = data / CERTIFICATE_FILE
    if certificate.exists() and (
        found or is_self_made(certificate)
    ):  # one's own may come before the first start
        found.insert(0, certificate.name)
    return found


def lost_store(store: Path | str, how: str, there: list[str]) -> str:
    """``store``: a file, or the address of a database."""
    if isinstance(store, str):
        return (
            f"{store} {how}, but in the data directory are {', '.join(there)} of a cluster whose tasks, results and keys are elsewhere: "
            "name that store, or another --data directory; or, to begin with no tasks and with these keys, start it once with "
            f"{NEW_STORE}"
        )
    return (
        f"{store} {how}, but beside it are {', '.join(there)} of a cluster whose tasks, results and keys were in that file; "
        f"{RESTORE}, or, to begin with no tasks and with these keys, start it once with {NEW_STORE}"
    )


def _amiss(file: Path) -> str | None:
    """What is wrong with something that exists under a file's name: it is not a file, or cannot be read."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return f"{file} is a link to nothing; put back what it named" if file.is_symlink() else None
    except OSError as error:
        return f"cannot look at {file}: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "something else"
        return f"{file} is {kind}, not a file; move it away, and {RESTORE}"
    if not os.access(file, os.R_OK):
        return f"{file} cannot be read by this user: chown it, or run tq-master as its owner"
    return None


def _log_amiss(store: Path) -> str | None:
    """What is wrong with the write-ahead log, which holds what was accepted last: SQLite takes a damaged one for an empty one."""
    log = log_of(store)
    if not log.exists():
        return None
    with log.open("rb") as file:
        magic = file.read(4)
    if not magic or int.from_bytes(magic, "big") in LOG_MAGICS:
        return None
    return (
        f"{log} is damaged, and what was accepted last is in it; restore it together with {store.name} from a copy, or go on "
        f"without it: mv {log} {log}.damaged"
    )


def _exists(file: Path) -> bool:
    return file.exists() or file.is_symlink()


def _listing(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


# with the store open


def claim_store(
    store: Store,
    data: Path,
    where: str,
    new_id: Callable[[int], bytes],
    *,
    durable: bool,
    start: StartOptions,
    record: Callable[[Store], None] = lambda store: None,
) -> bytes:
    """The id of the store's cluster, in a transaction of its own: made once, before anything else is. ``record``: what else is stored
    with it."""
    store.begin()
    known = store.get_meta(CLUSTER_ID)
    if known is not None:
        store.rollback()
        return known
    there = traces(data) if durable and not start.new_store else []
    if there:
        store.rollback()
        file = data / STORE_FILE
        if where == str(file):
            raise ConfigError(lost_store(file, KNOWS_NONE, there))
        raise ConfigError(lost_store(where, "knows no cluster", there))
    made = new_id(CLUSTER_ID_BYTES)
    store.set_meta(CLUSTER_ID, made)
    record(store)
    store.commit()
    return made


def settle_certificate(
    known: bytes | None, data: Path, where: str, start: StartOptions, report: Callable[..., None]
) -> tuple[Path, Path, bytes]:
    """Certificate, key and pin. ``known``: the pin that the store has, None before it has one."""
    certificate, key = data / CERTIFICATE_FILE, data / KEY_FILE
    problem = certificate_problem(known, data, where, start)
    if problem is not None:
        raise ConfigError(problem)
    ensure_certificate(data)
    pin = shown_by(certificate_der(certificate)).pin
    if known is not None and pin != known:
        report(
            "certificate.changed", level="warning", file=str(certificate)
        )  # as was said, or one's own, renewed
    return certificate, key, pin


def certificate_problem(known: bytes | None, data: Path, where: str, start: StartOptions) -> str | None:
    """Why the certificate that is there, or missing, does not fit a store that knows another."""
    certificate, key = data / CERTIFICATE_FILE, data / KEY_FILE
    if known is None or certificate.exists() != key.exists():
        return None  # a certificate without its key, or the reverse, is an error of the code that reads both
    again = f"start it once with {NEW_CERTIFICATE}: then every key but those in {data} must be made again"
    if not certificate.exists():
        if start.new_certificate:
            return None
        return f"{certificate} and {key.name} are missing, and every join token names that certificate; {RESTORE}, or {again}"
    pin = shown_by(certificate_der(certificate)).pin
    if start.new_certificate and pin == known:
        return f"{certificate} is the one that the keys name, and {NEW_CERTIFICATE} is for one that replaces it: start without it"
    # One's own may be renewed by its issuer: a change of it is logged, and no start is refused for it.
    if pin == known or start.new_certificate or not is_self_made(certificate):
        return None
    return f"{certificate} is of another cluster than {where}; {RESTORE}, or {again}"
