"""The leaves that this cluster refuses, as its store has them: see ``common/auth/revoked.py``.

::

    get_master().revoke(name) ─► the store ─► each WELCOME from now on
                                     └─► all connections are closed: who comes again has learnt it
                                     └─► this master's own leaf? it ends, once that is committed

Invariants: 1. what is shown was asked for by an admin key of all queues; 2. at most REVOKED_MAX names, none for longer than a leaf of before
its revocation can be valid; 3. a master whose own leaf is revoked does not start, and does not go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from ...common.auth.leaf import NAME_CHARS_MAX, RENEW, Leaf
from ...common.auth.revoked import (
    FORGOTTEN_SECONDS,
    REVOKED_MAX,
    Revocation,
    day_of,
    digest_of,
    revoked_at,
)
from ...common.errors import ConfigError, InvalidArgument, StoreError
from ...common.values.brief import brief
from ...common.wire.frames import pack, unpack
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.store import Picture, Store

REVOKED: Final = "revoked_leaves"  # name in the store
A_MASTER_WAS_REVOKED: Final = "a master of the cluster was revoked: connect again"


class RevokedName(NamedTuple):
    """``moment``: Unix seconds."""

    name: str
    moment: int

    @property
    def revocation(self) -> Revocation:
        return Revocation(digest_of(self.name), self.moment)


def read_revoked(stored: bytes | None) -> list[RevokedName]:
    """What the store has. Raises StoreError."""
    if stored is None:
        return []
    match unpack(stored):
        case [*rows] if all(isinstance(row, list) and len(row) == 2 for row in rows):
            return [RevokedName(str(name), int(moment)) for name, moment in rows]
    raise StoreError(
        "the list of revoked certificates in the store is damaged; restore the store from a copy"
    )


def check_not_revoked(leaf: Leaf | None, stored: bytes | None) -> None:
    """Of a master that starts, or stands by. Raises ConfigError."""
    if leaf is not None:
        moment = revoked_at(leaf, [one.revocation for one in read_revoked(stored)])
        if moment is not None:
            raise ConfigError(refused(leaf, moment))


def refused(leaf: Leaf, moment: int) -> str:
    return (
        f"the certificate of this master, {leaf.name}, made on {day_of(leaf.made.timestamp())}, was revoked on {day_of(moment)}, and no "
        f"client accepts it; if this host is to serve again, it asks for a new one, of a new private key: {RENEW}"
    )


class RevokedLeaves(Part):
    def __init__(self, store: Store, closing: Callable[[Session, str], None]) -> None:
        self._store, self._closing = store, closing
        self._names: dict[str, RevokedName] = {}
        self.shown: list[Revocation] = []  # to callers
        self.own: Leaf | None = None  # what this master shows, if it is not the cluster's
        self.retire: Callable[[str], None] = lambda reason: None  # this master ends
        self._retires = ""

    def load(self, picture: Picture, now: Now) -> None:
        self._retires = ""
        self._take(read_revoked(self._store.get_meta(REVOKED)), now)

    def listing(self) -> list[RevokedName]:
        return list(self._names.values())

    def revoke(self, name: str, moment: int, sessions: Iterable[Session], caller: Session, now: Now) -> None:
        """Refuse the leaves of this name that were made up to ``moment``. Raises InvalidArgument."""
        if not 1 <= len(name) <= NAME_CHARS_MAX or not name.isprintable() or name != name.strip():
            raise InvalidArgument(
                f"{brief(name)} is no name of a master's certificate; `tq masters` shows them as host"
            )
        known = self._names.get(name)
        one = RevokedName(name, moment if known is None else max(moment, known.moment))
        kept = [other for other in self._names.values() if other.name != name]
        self._take([*kept, one], now)
        if len(self._names) > REVOKED_MAX:
            self._take([*kept, *([] if known is None else [known])], now)
            raise InvalidArgument(
                f"certificates of {REVOKED_MAX} masters are revoked, and each is kept until its last one has ended, for "
                f"{FORGOTTEN_SECONDS // 86_400} days: make another certificate for the whole cluster, tq-master --new-certificate"
            )
        self._store.set_meta(REVOKED, pack([list(other) for other in self._names.values()]))
        for session in sessions:
            # Not the caller's, or it would ask again; and not one that cannot come again and learns nothing.
            if session.reconnects and not session.is_child and session.wire is not caller.wire:
                self._closing(session, A_MASTER_WAS_REVOKED)
        if self.own is not None and (at := revoked_at(self.own, self.shown)) is not None:
            self._retires = refused(self.own, at)

    def committed(self) -> None:
        if self._retires:
            reason, self._retires = self._retires, ""
            self.retire(reason)

    def _take(self, names: Iterable[RevokedName], now: Now) -> None:
        seconds = now.wall / 1000
        self._names = {one.name: one for one in names if not one.revocation.has_passed(seconds)}
        self.shown = [one.revocation for one in self._names.values()]
