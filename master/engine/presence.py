"""Presence of nodes: connected, absent, lost. One rule for all parts, whose ``node_lost`` is called.

::

    connected ── its last connection closed ──► absent ── the grace is over ──► lost: parts give up what they hold for it
        ▲  │                                      │
        │  └── a worker, silent for one lease ────┼──────────────────────────►  lost
        └──── it is back ─────────────────────────┘

A node is one program, or one child of a worker. A worker's is connected only while it serves: it has to announce itself on
each new connection, and what it asks or says before does not count as its return. A node that the store knows of and this
master has not seen yet has one lease to come back.

Durations are monotonic. When this process itself stood still (SIGSTOP, a frozen disk), the time it missed is added to every
deadline: a master that did not run must not take its workers for silent.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Final

from .agenda import Agenda
from .clock import Now
from .limits import EngineLimits
from .part import Part, hooks
from .session import Session

SILENT: Final = "silent"  # the key of the agenda under which the silence of workers is looked at


class Node:
    """One that is here, or is expected back."""

    __slots__ = ("connections", "id", "last_seen", "last_seen_wall", "lost_at", "serves", "serving")

    def __init__(self, id: bytes) -> None:
        self.id = id
        self.connections = 0
        self.serves = False  # it is a worker's: connected only while it has a session that serves
        self.serving: Session | None = None
        # Ms of the monotonic clock and of the wall's; of those that serve
        self.last_seen = self.last_seen_wall = 0
        self.lost_at: int | None = None  # monotonic ms; while it is absent


class Presence(Part):
    name = "end leases and graces"

    def __init__(self, agenda: Agenda, limits: EngineLimits, close: Callable[[Session, str], None]) -> None:
        self._agenda, self._limits, self._close = agenda, limits, close
        self._nodes: dict[bytes, Node] = {}
        self._serving: dict[Node, None] = {}
        self._absent: dict[Node, None] = {}
        self._lost: dict[
            Node, tuple[int, bool]
        ] = {}  # in the transaction under way: their ``lost_at`` and ``serves``
        self._holds: list[Callable[[bytes], bool]] = []
        self._node_lost: list[Callable[[bytes, Now], bool]] = []

    def tell(self, parts: Sequence[Part]) -> None:
        """Their ``holds`` and ``node_lost`` are called, in this order."""
        self._holds, self._node_lost = hooks(parts, "holds"), hooks(parts, "node_lost")

    # what is asked

    @property
    def is_watching(self) -> bool:
        """Whether the silence or absence of a node has to be noticed."""
        return bool(self._serving or self._absent)

    def lost_at(self, node: bytes) -> int | None:
        """Monotonic ms at which a node loses what it holds; None while it is connected."""
        known = self._nodes.get(node)
        return None if known is None else known.lost_at

    def is_serving(self, session: Session) -> bool:
        """Whether a worker serves through this session now."""
        node = self._nodes.get(session.node)
        return node is not None and node.serving is session

    # what connections bring

    def opened(self, session: Session) -> None:
        node = self._node(session.node)
        node.connections += 1
        if not node.serves:
            self._is_back(node)

    def closed(self, session: Session, now: Now) -> None:
        node = self._node(session.node)
        node.connections -= 1
        served = node.serving is session
        if served:
            self._end_serving(node)
        is_gone = not (node.serves or node.connections)
        # A node that holds nothing needs no grace: there is nothing to take from it.
        if served or (is_gone and any(holds(node.id) for holds in self._holds)):
            self._is_away(node, now.mono + self._limits.grace_ms)
        self._tidy(node)

    def seen(self, session: Session, now: Now) -> None:
        """Any bytes from a worker keep its leases alive."""
        node = self._nodes.get(session.node)
        if node is not None and node.serving is session:
            node.last_seen, node.last_seen_wall = now.mono, now.wall

    # what parts say

    def serve(self, session: Session, now: Now) -> Node:
        """A worker serves through this session from now on."""
        node = self._node(session.node)
        node.serves, node.serving = True, session
        node.last_seen, node.last_seen_wall = now.mono, now.wall
        self._serving[node] = None
        self._is_back(node)
        if not self._agenda.has(self, SILENT):
            self._agenda.set(self, SILENT, now.mono + self._limits.lease_ms)
        return node

    def leave(self, node: Node) -> None:
        """A worker serves no longer, and is not expected back: it said goodbye, or is unknown again."""
        node.serves = False
        self._end_serving(node)
        self._is_back(node)
        self._tidy(node)

    def give_up(self, node: Node, now: Now) -> None:
        """A node is not expected back, and something that was held for it is still to be given up: in the next transaction."""
        node.serves = True
        self._nodes[node.id] = node
        self._is_away(node, now.mono)

    def expect(self, id: bytes, now: Now, *, serves: bool = False) -> Node:
        """Something is held for a node, which may be away: then it has one lease to come back. ``serves``: it is a worker's."""
        node = self._node(id)
        is_here = node.serving is not None or (node.connections and not serves)
        if not is_here and node.lost_at is None:
            node.serves |= serves
            node.last_seen = now.mono
            self._is_away(node, now.mono + self._limits.lease_ms)
        return node

    # time

    def stalled(self, missed_ms: int) -> None:
        """This process stood still: that time counts as no node's silence or absence."""
        for node in self._serving:
            node.last_seen += missed_ms
        for node in self._absent:
            self._is_away(node, (node.lost_at or 0) + missed_ms)

    def due(self, key: Hashable, now: Now) -> None:
        """A node's absence is too long; or, by SILENT, a worker may have been silent for a lease."""
        if isinstance(key, bytes):
            absent = self._nodes.get(key)
            if absent is not None and absent.lost_at is not None and now.mono >= absent.lost_at:
                self._lose(absent, now, absent.lost_at)
            return
        # A list: what is lost leaves it.
        for node in list(self._serving):
            session, until = node.serving, node.last_seen + self._limits.lease_ms
            if session is not None and now.mono >= until:
                # Its connection looks alive to the kernel, as of a machine that was cut off: it must not serve on.
                self._close(session, "silent for a whole lease")
                self._lose(node, now, until)
        if self._serving:
            self._agenda.set(
                self, SILENT, min(node.last_seen for node in self._serving) + self._limits.lease_ms
            )

    def _lose(self, node: Node, now: Now, moment: int) -> None:
        self._lost[node] = moment, node.serves
        node.serves, served = False, node.serves
        self._end_serving(node)
        # A list, so that each part is called, whatever those before it answer.
        are_left = [node_lost(node.id, now) for node_lost in self._node_lost]
        # Away since the same moment, which is over: it is due again in the next transaction.
        if any(are_left):
            node.serves = served  # only an announcement brings it back
            self._is_away(node, moment)
        else:
            self._is_back(node)
        self._tidy(node)

    # one transaction

    def committed(self) -> None:
        lost, self._lost = self._lost, {}
        for node in lost:
            self._tidy(node)

    def void(self) -> Sequence[Session]:
        """Nodes that were lost in a transaction that failed are to be lost again."""
        lost, self._lost = self._lost, {}
        for node, (moment, serves) in lost.items():
            node.serves |= serves
            # It may be back by now, while the transaction was under way: then nothing is taken from it.
            if node.serving is None and (node.serves or not node.connections):
                self._is_away(node, moment)
            self._tidy(node)
        return ()

    # inside

    def _node(self, id: bytes) -> Node:
        node = self._nodes.get(id)
        if node is None:
            node = self._nodes[id] = Node(id)
        return node

    def _is_away(self, node: Node, lost_at: int) -> None:
        node.lost_at = lost_at
        self._absent[node] = None
        self._agenda.set(self, node.id, lost_at)

    def _is_back(self, node: Node) -> None:
        node.lost_at = None
        if node in self._absent:
            del self._absent[node]
            self._agenda.set(self, node.id, None)

    def _end_serving(self, node: Node) -> None:
        node.serving = None
        self._serving.pop(node, None)

    def _tidy(self, node: Node) -> None:
        """Forget a node that is neither connected nor expected."""
        # One that was lost in this transaction stays until that is durable: if it fails, ``void`` finds by it who has to be lost again.
        is_known = node.connections or node.serving is not None or node.lost_at is not None
        if not is_known and node not in self._lost and self._nodes.get(node.id) is node:
            del self._nodes[node.id]
