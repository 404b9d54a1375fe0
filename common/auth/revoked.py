"""The leaves of a cluster that are refused: by the name in them, and the moment up to which they were made.

::

    tq masters revoke b.example ─► the store ─► WELCOME ─► what a caller remembers ─► refused before a word is said to it

By name, because the machine may be gone, and with it every copy of the certificate that an administrator could read a number from; up to a
moment, because a host joins again under its name. That one is let in only with a new private key: a request makes one each time
(``master/joining.py``), so no leaf of after that moment fits a key of before.

Who has no leaf shown to it reads no file, and where nothing is revoked none is written. The file lies beside the one of known masters, in lines
``cluster's-pin digest-of-the-name moment date``, and is private to its owner.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..errors import Rejected
from ..runtime.found_files import Unfit, read_found
from .certificate import write_private
from .known_masters import OFF, VARIABLE, own_folder
from .leaf import CLOCKS_DAYS, VALID_DAYS, Leaf

FILE: Final = "revoked_masters"
REVOKED_MAX: Final = 100  # of one cluster: they fit a WELCOME, which is at most 4 KiB
DIGEST_BYTES: Final = 16
LINES_MAX: Final = 1_000  # of all clusters; the latest
BYTES_MAX: Final = LINES_MAX * 256
FORGOTTEN_SECONDS: Final = (
    VALID_DAYS + 2 * CLOCKS_DAYS
) * 86_400  # after a revocation all leaves of before it have ended

log = logging.getLogger("tq")


class Revocation(NamedTuple):
    digest: bytes  # of the name
    moment: int  # Unix seconds

    def has_passed(self, now: float) -> bool:
        return self.moment + FORGOTTEN_SECONDS < now


def digest_of(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:DIGEST_BYTES]


def revoked_at(leaf: Leaf, revocations: Iterable[Revocation]) -> int | None:
    """The moment up to which leaves of this one's name are refused; None: it was made later, or none are."""
    digest, made = digest_of(leaf.name), leaf.made.timestamp()
    moments = [one.moment for one in revocations if one.digest == digest and made <= one.moment]
    return max(moments, default=None)


def latest(revocations: Iterable[Revocation], now: float) -> list[Revocation]:
    """One for each name, without those that are not needed any more."""
    found: dict[bytes, Revocation] = {}
    for one in revocations:
        if not one.has_passed(now) and one.moment >= found.get(one.digest, one).moment:
            found[one.digest] = one
    return sorted(found.values(), key=lambda one: one.moment)


def to_wire(revocations: Sequence[Revocation]) -> list[list[Any]]:
    return [list(one) for one in revocations]


def from_wire(rows: Any) -> list[Revocation] | None:
    """None: it is no list of revocations."""
    if type(rows) is not list or not 1 <= len(rows) <= REVOKED_MAX:
        return None
    found = []
    for row in rows:
        match row:
            case [bytes(digest), int(moment)] if len(digest) == DIGEST_BYTES and 0 <= moment < 2**40:
                found.append(Revocation(digest, moment))
            case _:
                return None
    return found


def day_of(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))


# what a caller remembers

Learnt = dict[bytes, list[Revocation]]  # by the cluster's pin
_LEARNT: Final[Learnt] = {}  # by this process, which may have no file


class RevokedMemory:
    """``refusal``, then ``learn``; of all clusters. ``file``: None: what is learnt lasts as long as the process."""

    def __init__(self, file: Path | None, learnt: Learnt = _LEARNT) -> None:
        self.file, self._learnt = file, learnt

    @classmethod
    def own(cls, environment: Mapping[str, str] = os.environ) -> RevokedMemory:
        """Beside the file of known masters, wherever that is."""
        chosen = environment.get(VARIABLE, "")
        if chosen == OFF:
            return cls(None)
        return cls((Path(chosen).parent if chosen else own_folder()) / FILE)

    def moment(self, pin: bytes, leaf: Leaf) -> int | None:
        """See ``revoked_at``. Raises Rejected if it cannot be read what is revoked."""
        return revoked_at(leaf, [*self._learnt.get(pin, ()), *self._read().get(pin, ())])

    def learn(self, pin: bytes, revocations: Sequence[Revocation]) -> None:
        """The master has said so after it had proven that it knows the key."""
        now = time.time()
        self._learnt[pin] = latest([*self._learnt.get(pin, ()), *revocations], now)
        if self.file is None:
            return
        try:
            known = self._read()
            before = known.get(pin, [])
            after = latest([*before, *revocations], now)
            if after != before:
                self._write(self.file, {**known, pin: after}, now)
        except (OSError, Rejected) as error:
            log.warning("which masters are revoked is not remembered beyond this process: %s", error)

    def _read(self) -> Learnt:
        if self.file is None:
            return {}
        try:
            text = read_found(self.file, private=True, bytes_max=BYTES_MAX)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Rejected(
                f"cannot read {self.file}, by which revoked masters are recognised: {error.strerror}"
            ) from error
        except Unfit as error:
            if error.is_empty:
                return {}
            raise Rejected(f"{self.file}, by which revoked masters are recognised, {error}") from None
        found: Learnt = {}
        for number, line in enumerate(text.splitlines(), 1):
            try:
                pin, digest, moment, *_ = line.split()
                found.setdefault(bytes.fromhex(pin), []).append(
                    Revocation(bytes.fromhex(digest), int(moment))
                )
            except ValueError:
                raise Rejected(
                    f"line {number} of {self.file} is damaged; delete the file: the next connection to a master that is yours makes it again"
                ) from None
        return found

    def _write(self, file: Path, known: Learnt, now: float) -> None:
        rows = [(pin, one) for pin, its in known.items() for one in latest(its, now)]
        rows.sort(key=lambda row: row[1].moment)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [
            f"{pin.hex()} {one.digest.hex()} {one.moment} {time.strftime('%Y-%m-%d', time.gmtime(one.moment))}\n"
            for pin, one in rows[-LINES_MAX:]
        ]
        write_private(file, "".join(lines).encode())
