"""A part of the engine: each subject has one or more, and the engine calls their methods at fixed moments of its work.

::

    opened, closed: sessions ─► presence ─► node_lost
    one transaction: begin ─► due, for what is due ─► calls ─► give_out ─► settle ─► commit ─┬► committed
                                                                                             └► void, then load

The engine knows no part by its name. A part gets what it needs of the engine when it is made (``core.py``). Which parts there
are, in which order, is decided where a master is put together (``master/parts.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from ..store.interface.store import Picture
from .clock import Now
from .session import Session


class Part:
    """A part overrides what concerns it; what it leaves as it is here costs nothing. No method but ``load``, ``due``,
    ``node_lost``, ``give_out`` and ``settle`` may ask the store, and none but those may raise StoreError."""

    name = ""
    """What its ``due`` does, for the log: "old results". A part that waits for time has one."""

    def load(self, picture: Picture, now: Now) -> None:
        """Take the store's picture: at the start, and after a transaction that failed."""

    # sessions and nodes

    def closed(self, session: Session, now: Now) -> None:
        """A connection is gone: what it waited for is forgotten."""

    def holds(self, node: bytes) -> bool:
        """Whether the part keeps something for a node that has to be given up when the node is lost."""
        return False

    def node_lost(self, node: bytes, now: Now) -> bool:
        """A node is given up: it was away for longer than it may be. In a transaction; a bounded portion of what is held for
        it. Whether something is left, for which there was no room: it is called again in the next one."""
        return False

    # one transaction

    def begin(self) -> None:
        """A transaction begins."""

    def due(self, key: Hashable, now: Now) -> None:
        """A moment that the part has put into the agenda under ``key`` has come. Done in bounded portions: the part sets the
        moment of the next one. While the store is in trouble, by itself in a transaction."""

    def give_out(self, now: Now) -> None:
        """Hand out what waits to those who wait for it: the calls are done. Not while the store is in trouble."""

    def settle(self, now: Now) -> None:
        """Write what the calls came to."""

    def committed(self) -> None:
        """The transaction is durable, or has changed nothing."""

    def void(self) -> Iterable[Session]:
        """The transaction failed: nothing of it remains. Returns the sessions to which something was sent that is not so."""
        return ()

    def must_reconnect(self, session: Session) -> bool:
        """Whether a session has to connect again when a transaction failed: by that it says again what it holds here."""
        return False

    # what the engine asks in between

    def has_more(self) -> bool:
        """Whether ``give_out`` has put something off that it can do at once in the next transaction."""
        return False

    def is_unsettled(self) -> bool:
        """Whether ``settle`` has put something off, in the same way."""
        return False

    def is_full(self) -> bool:
        """Whether so much was done in this transaction that further calls wait for the next one."""
        return False


def hooks(parts: Sequence[Part], name: str) -> list[Callable[..., Any]]:
    """The methods of this name of those parts that have one of their own, in their order."""
    return [getattr(part, name) for part in parts if getattr(type(part), name) is not getattr(Part, name)]
