"""The sessions of one engine: opened, said goodbye, closed, or to connect again after the store has failed.

A node has one connection. When it opens another, it has given up the earlier one, which may still look whole here and have calls
that were not read: that one is closed before anything of the new one is read. Otherwise the copy of a call that the node has
repeated could be performed after it, and undo what the node did since.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from .core import Core
from .session import Session


class OpenSessions:
    """``forget``: what the parts do when a session is closed."""

    def __init__(self, core: Core, forget: Callable[[Session], None]) -> None:
        self._core, self._forget = core, forget
        self._open: dict[Session, None] = {}
        self._of_nodes: dict[bytes, Session] = {}  # those with a connection of their own
        self._leaving: dict[Session, None] = {}  # said goodbye; closed when what they asked before is done

    def __iter__(self) -> Iterator[Session]:
        return iter(self._open)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def connections(self) -> list[Session]:
        """All but those of workers' children."""
        return [session for session in self._open if not session.is_child]

    @property
    def some_are_leaving(self) -> bool:
        return bool(self._leaving)

    def opened(self, session: Session) -> None:
        if not session.is_child:  # a child's session ends with the connection of its worker
            earlier = self._of_nodes.get(session.node)
            self._of_nodes[session.node] = session
            if earlier is not None and earlier.open:
                # Mostly half open: the node lost it, and nothing said so to the master.
                earlier.wire.disconnect("the same node connected again")
        self._open[session] = None
        self._core.presence.opened(session)

    def leaving(self, session: Session) -> None:
        """A session said goodbye: what it asked before is done, then it is closed."""
        self._leaving[session] = None

    def close_leaving(self, asking: Collection[Session] = ()) -> None:
        """Close the sessions that said goodbye, except those that still have calls in the inbox."""
        for session in [session for session in self._leaving if session not in asking]:
            del self._leaving[session]
            self.closed(session)

    def closed(self, session: Session) -> None:
        """A connection is gone: what it waited for is forgotten, what it held is kept for its grace."""
        session.open = False
        self._open.pop(session, None)
        # A later connection of the node may have its place.
        if self._of_nodes.get(session.node) is session:
            del self._of_nodes[session.node]
        # A copy: an abandoned call leaves the session's calls.
        for call in list(session.calls.values()):
            if call.abandon is not None:
                call.abandon()
        session.settle_all()
        self._forget(session)

    def have_reconnect(self, session: Session) -> None:
        """Also after a call that was not performed, or not to its end: it may have been the session's first subscription."""
        if session.reconnects:
            self._core.close_later(session, "the store failed; connect again")

    def disconnect_due(self) -> None:
        """Close the connections that ``Core.close_later`` named; the answers of the transaction have left."""
        closing, self._core.closing[:] = list(self._core.closing), []
        for session, reason in closing:
            # It may have closed by itself while the answers were sent.
            if session.open:
                session.wire.disconnect(reason)
