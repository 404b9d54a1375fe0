"""``tq-master request | admit | join``: how a master on another host gets a certificate of the cluster.

::

    new host:   request ─► its own private key stays there, a request is printed ──┐
    first host: admit   ◄──────────────────────────────────────────────────────────┘ signs it with the cluster's key, prints a leaf
    new host:   join    ◄── the leaf, kept beside the key

What travels between the hosts is no secret, and no port takes part in it: who may sign is who can read ``master.key`` on the first host,
over ssh as a rule. So no key of an administrator comes to the new host, and the cluster's key leaves the first one never. Done again on a
host that has joined, it renews its certificate, each time for a new private key: a certificate of after a revocation is worth nothing to who
has the key of before it (``common/auth/revoked.py``).
"""

from __future__ import annotations

import datetime
import os
import socket
import sys
from pathlib import Path
from typing import BinaryIO

from ..common.auth.certificate import (
    CERTIFICATE_FILE,
    KEY_FILE,
    PART_FILE,
    certificate_der,
    complete_key,
    write_private,
)
from ..common.auth.leaf import (
    RENEW,
    RENEW_DAYS,
    REQUEST_BYTES_MAX,
    Leaf,
    fits_key,
    make_key,
    make_request,
    shown_by,
    sign,
)
from ..common.errors import ConfigError
from ..common.runtime.config import MasterSettings
from ..common.runtime.terminal import say, write_line
from .store.data_directory import make_directory

REQUEST, ADMIT, JOIN = "request", "admit", "join"  # as the first word of tq-master


def request(settings: MasterSettings, name: str | None = None) -> str:
    """The request of this host, PEM. Its private key is made, once until it has joined, and for each request then. Raises ConfigError."""
    data = settings.data
    part = data / PART_FILE
    complete_key(data)
    if (data / CERTIFICATE_FILE).exists():
        if shown_by(certificate_der(data / CERTIFICATE_FILE)).leaf is None:
            raise ConfigError(
                f"{data / CERTIFICATE_FILE} is a cluster's own certificate, so this host needs none of another master; run this on the "
                "host that is to join, or name the data directory of the master that is to join with --data"
            )
        # Not that of an earlier request: who has a copy of this directory would have it too.
        part.unlink(missing_ok=True)
    make_directory(data)
    if not part.exists():
        write_private(part, make_key())
    return make_request(_read(part), name or socket.gethostname()).decode("ascii")


def admit(settings: MasterSettings, request_pem: bytes) -> tuple[str, Leaf]:
    """The certificate for a request, PEM, and what it says. Raises ConfigError."""
    certificate, key = settings.data / CERTIFICATE_FILE, settings.data / KEY_FILE
    if not certificate.exists():
        raise ConfigError(
            f"there is no {certificate}: run this on the host of the cluster's first master, with the same --data as that one"
        )
    der = certificate_der(certificate)
    if (leaf := shown_by(der).leaf) is not None:
        raise ConfigError(
            f"{certificate} is that of {leaf.name} alone, and signs no other; run this on the host of the cluster's first master"
        )
    pem, leaf = sign(der, _read(key), request_pem, _now())
    return pem.decode("ascii"), leaf


def join(settings: MasterSettings, certificate_pem: bytes) -> str:
    """Keep the certificate that ``admit`` has made; the sentence for people. Raises ConfigError and leaves everything as it was."""
    data = settings.data
    certificate, key, part = data / CERTIFICATE_FILE, data / KEY_FILE, data / PART_FILE
    complete_key(data)
    is_first = not certificate.exists()
    its_key = part if is_first or part.exists() else key
    if not its_key.exists():
        raise ConfigError(f"{data} has no private key of a request; begin with: {RENEW}")
    arrived = data / f".{CERTIFICATE_FILE}.joining"
    write_private(arrived, certificate_pem)
    try:
        der = certificate_der(arrived)
        shown = shown_by(der)
        if shown.leaf is None:
            raise ConfigError("this is no certificate that `tq-master admit` has made")
        if not fits_key(der, _read(its_key)):
            raise ConfigError(
                f"this certificate was made for another private key than {its_key}; ask for one again: {RENEW}"
            )
        if not is_first and shown_by(certificate_der(certificate)).pin != shown.pin:
            raise ConfigError(
                f"this certificate is of another cluster than {certificate}; run `tq-master admit` on this cluster's first host, or name "
                "another directory with --data"
            )
        # The certificate first: with it and the part, whatever comes next completes what a crash in between has left.
        os.replace(arrived, certificate)
    except BaseException:
        arrived.unlink(missing_ok=True)
        raise
    complete_key(data)
    return f"{certificate} is the certificate of {shown.leaf.name} until {shown.leaf.until:%Y-%m-%d}"


def about_certificates(word: str, settings: MasterSettings) -> None:
    """What goes to the next program of the pipe is on stdout, what is for people on stderr."""
    if word == REQUEST:
        write_line(request(settings).rstrip())
        return
    if sys.stdin.isatty():
        say(f"tq-master {word} reads from stdin: {RENEW}")
    given = _pem_from(sys.stdin.buffer)
    if word == JOIN:
        say(f"tq-master: {join(settings, given)}")
        return
    certificate, leaf = admit(settings, given)
    write_line(certificate.rstrip())
    say(f"tq-master: {leaf.name} is admitted until {leaf.until:%Y-%m-%d}")


def _pem_from(stream: BinaryIO) -> bytes:
    """To the end of the text, not of the stream: who pastes it needs no Ctrl-D."""
    lines, left = [], REQUEST_BYTES_MAX
    while left > 0 and (line := stream.readline(left)):
        lines.append(line)
        left -= len(line)
        if line.startswith(b"-----END"):
            break
    return b"".join(lines)


def ending(certificate: Path) -> str | None:
    """What to do about a master's certificate that ends soon. Raises ConfigError for one that has ended."""
    leaf = shown_by(certificate_der(certificate)).leaf
    days = None if leaf is None else leaf.days_left(_now())
    if leaf is None or days is None or days > RENEW_DAYS:
        return None
    if days < 0:
        raise ConfigError(
            f"{certificate} has ended on {leaf.until:%Y-%m-%d}, and no client accepts it; renew it: {RENEW}"
        )
    return f"{certificate} ends on {leaf.until:%Y-%m-%d}; renew it: {RENEW}"


def _read(key: Path) -> bytes:
    try:
        return key.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {key}: {error.strerror}") from error


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
