"""The certificate that a master had at the first connection: for plain authkeys, which do not identify the master themselves.

::

    before HELLO    the certificate is that of a line of this address, or there is no such line
    at CHALLENGE    the cluster id, which salts the key, is that of the same line
    at WELCOME      the master has proven that it knows the key: a line is added, if there was none

Without it an attacker in between could show a certificate of its own, choose the salt, and record a proof to guess the key
from. With it only the first connection can be attacked so. A join token has the certificate's fingerprint in it and needs none
of this; neither does a CA of the user's own, nor an address that only this machine reaches.

The file has lines ``host:port cluster-id sha256-of-the-certificate date`` and is private to its owner. Where it cannot be
written, as in a read-only container, nothing is remembered.
"""

from __future__ import annotations

import hmac
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import Rejected
from ..runtime.found_files import Unfit, read_found
from ..wire.address import Address, is_loopback
from ..wire.tls import OwnCa
from .keys import Credential

VARIABLE: Final = "TQ_KNOWN_MASTERS"  # another file, or
OFF: Final = "off"
FILE: Final = "known_masters"
LINES_MAX: Final = 5_000  # more are not added: the file is read for each connection
BYTES_MAX: Final = LINES_MAX * 512

log = logging.getLogger("tq")


def memory_of(
    address: Address, credential: Credential, own_ca: OwnCa, environment: Mapping[str, str] = os.environ
) -> Memory | None:
    """The memory of an address; None where something better identifies the master, or where it is turned off."""
    chosen = environment.get(VARIABLE, "")
    if chosen == OFF or credential.pin is not None or own_ca.ca_file is not None or is_loopback(address.host):
        return None
    return Memory(Path(chosen) if chosen else own_folder() / FILE, str(address))


@dataclass(frozen=True, slots=True)
class Known:
    cluster_id: bytes
    certificate: bytes  # its SHA-256
    line: int  # in the file, from 1


class Memory:
    """Of one address. ``check``, then ``keep``, once each for a connection."""

    def __init__(self, file: Path, address: str) -> None:
        self._file, self._address = file, address
        self._is_new = False
        self._lines = 0

    def check(self, fingerprint: bytes) -> bytes | None:
        """The cluster id that belongs to the certificate with this SHA-256; None at the first connection to this address. Raises Rejected for
        another certificate than before."""
        found = self._read()
        self._is_new = not found
        for known in found:
            # Any of its lines: behind one address there may be several masters, one after the other.
            if hmac.compare_digest(known.certificate, fingerprint):
                return known.cluster_id
        if not found:
            return None
        raise Rejected(
            f"the master at {self._address} shows another certificate than at the first connection: an attacker may be in "
            f"between, to get the key. If the master was installed again, delete line {found[-1].line} of {self._file} and "
            "connect again; a join token (`tq keys add`) in place of the plain key avoids this question"
        )

    def keep(self, cluster_id: bytes, fingerprint: bytes) -> None:
        """The master has proven that it knows the key: remember its certificate."""
        if not self._is_new or self._lines >= LINES_MAX:
            return
        date = time.strftime("%Y-%m-%d", time.gmtime())
        line = f"{self._address} {cluster_id.hex()} {fingerprint.hex()} {date}\n"
        flags = (
            os.O_WRONLY
            | os.O_APPEND
            | os.O_CREAT
            | getattr(os, "O_NOFOLLOW", 0)
            | getattr(os, "O_CLOEXEC", 0)
        )
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._file, flags, 0o600)
            try:
                os.write(descriptor, line.encode())  # whole, also beside other programs': it is short
            finally:
                os.close(descriptor)
        except OSError as error:
            log.info("the certificate of %s is not remembered: %s", self._address, error)

    def _read(self) -> list[Known]:
        try:
            text = read_found(self._file, private=True, bytes_max=BYTES_MAX)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Rejected(
                f"cannot read {self._file}, by which masters are recognised: {error.strerror}"
            ) from error
        except Unfit as error:
            if error.is_empty:
                return []
            raise Rejected(f"{self._file}, by which masters are recognised, {error}") from None
        lines = text.splitlines()
        self._lines = len(lines)
        found = []
        for number, line in enumerate(lines, 1):
            match line.split():
                case [address, cluster_id, fingerprint, *_] if address == self._address:
                    found.append(_known(self._file, number, cluster_id, fingerprint))
        return found


def _known(file: Path, number: int, cluster_id: str, fingerprint: str) -> Known:
    try:
        return Known(bytes.fromhex(cluster_id), bytes.fromhex(fingerprint), number)
    except ValueError:
        raise Rejected(f"line {number} of {file} is damaged; delete it if you trust the network") from None


def own_folder() -> Path:
    """Where this user's programs remember what they have learnt of masters."""
    import platformdirs  # heavy, and needed for plain keys to other hosts, and where a master shows a leaf

    return platformdirs.user_state_path("tq", appauthor=False)
