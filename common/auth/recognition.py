"""Whether a certificate is that of the master which a connection is meant for, before a word is said to it.

::

    certificate ─► is its leaf revoked? ─► pin of the join token ─► what is remembered of this address (a plain key) ─► nothing: the first meeting

A user's own CA is judged by TLS itself, before this.
"""

from __future__ import annotations

import datetime
import hmac
from collections.abc import Callable, Sequence

from ..errors import Rejected, Unreachable
from ..wire.address import Address
from ..wire.tls import OwnCa
from .keys import Credential
from .known_masters import memory_of
from .leaf import RENEW, Leaf, shown_by
from .revoked import Revocation, RevokedMemory, day_of


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Recognition:
    """Of one connection: ``check`` once TLS is established, ``keep`` when the master has proven that it knows the key."""

    def __init__(
        self,
        address: Address,
        credential: Credential,
        own_ca: OwnCa,
        now: Callable[[], datetime.datetime] = _now,
    ) -> None:
        self._address, self._pin, self._now = address, credential.pin, now
        self._memory = memory_of(address, credential, own_ca)
        self._cluster_pin = b""
        self._leaf: Leaf | None = None
        self.is_certain = False  # the master is one that is known, and not one that is met for the first time

    def check(self, certificate: bytes) -> bytes | None:
        """The cluster id that the master must have, if that is known. Raises Rejected for another one's certificate, Unreachable for one
        that is revoked: another master of the cluster may serve."""
        # Of a leaf that the cluster's certificate has signed, the pin is that one's.
        shown = shown_by(certificate)
        self._cluster_pin, self._leaf = shown.pin, shown.leaf
        if self._pin is not None and not hmac.compare_digest(self._pin, shown.pin):
            raise Rejected(
                f"the master at {self._address} is not the one this key was made for (its certificate "
                "differs from the pin in the key); make a new key there with `tq keys add`, or "
                "beware of an impostor"
            )
        if shown.leaf is not None and shown.leaf.until < self._now():
            raise Rejected(
                f"the certificate of the master at {self._address} ended on {shown.leaf.until:%Y-%m-%d}, as that of {shown.leaf.name}; "
                f"renew it on that host: {RENEW}"
            )
        self._refuse_revoked()
        known = None if self._memory is None else self._memory.check(shown.pin)
        # Without a memory: by the pin, by a CA, or because only this machine is there.
        self.is_certain = self._memory is None or known is not None
        return known

    def keep(self, cluster_id: bytes, revoked: Sequence[Revocation] = ()) -> None:
        """Only after WELCOME: before it anyone could have its certificate remembered. ``revoked``: what the master says of leaves. Raises
        Unreachable if its own is one of these."""
        if self._memory is not None:
            self._memory.keep(cluster_id, self._cluster_pin)
        if revoked:
            RevokedMemory.own().learn(self._cluster_pin, revoked)
            self._refuse_revoked()

    def _refuse_revoked(self) -> None:
        if self._leaf is None:
            return
        memory = RevokedMemory.own()
        moment = memory.moment(self._cluster_pin, self._leaf)
        if moment is None:
            return
        where = f", which {memory.file} remembers" if memory.file is not None else ""
        raise Unreachable(
            f"the master at {self._address} shows a certificate of {self._leaf.name} that was revoked on {day_of(moment)}{where}: it "
            f"may be stolen; if that host is to serve again, it asks for a new one: {RENEW}"
        )
