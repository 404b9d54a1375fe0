"""The calls of Apps inside tasks, made on the worker's own connection, with the rights of a client.

Each child is a node of its own for the master: the items and locks that it holds are released when it dies, and stay its
own over a lost connection.

Calls that come while there is no connection wait for the next one. Chunks of blobs queue here, so that only a few of them are
ever in front of the worker's own calls: its heartbeats, its results, its next lease.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from ...common.domain.model import NODE_ID_BYTES
from ...common.errors import TqError
from ...common.wire.connection import CallerConnection
from ...common.wire.protocol import Request
from ..pools.interface import Runner

CHUNKS_UNDER_WAY: Final = 8  # of all children: 4 MiB
CHUNK_CALLS: Final = frozenset({"put", "get"})


class Relay:
    """``random_bytes``: makes the node ids of children."""

    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._random_bytes = random_bytes
        self._nodes: dict[Runner, bytes] = {}  # of children that have made a call
        self._open: dict[Runner, set[asyncio.Future[Any]]] = {}  # their unanswered calls
        self._connection: CallerConnection | None = None
        self._waiting: deque[tuple[Runner, Request]] = deque()  # for a connection
        self._chunks: deque[tuple[Runner, Request]] = deque()  # for their turn
        self._under_way = 0

    def connected(self, connection: CallerConnection) -> None:
        self._connection = connection
        for node in self._nodes.values():
            # At once: what it holds is kept over a lost connection for the master's grace only.
            connection.announce_child(node, here=True)
        # Exchanged first: what cannot be sent now waits again.
        waiting, self._waiting = self._waiting, deque()
        for child, request in waiting:
            self.forward(connection, child, request)

    def forward(self, connection: CallerConnection | None, child: Runner, request: Request) -> None:
        self._connection = connection
        if connection is None or connection.is_closed:
            self._waiting.append((child, request))
        # Everything but content goes at once: it is small.
        elif request.target[0] != "get_blobs" or request.method not in CHUNK_CALLS:
            self._call(connection, child, request)
        else:
            self._chunks.append((child, request))
            self._next_chunks()

    def forget(self, child: Runner) -> None:
        """A child has died. The master does not answer its calls any more: they are cancelled here, or a chunk of its would
        keep one of the few places without end."""
        node = self._nodes.pop(child, None)
        if node is not None and self._connection is not None:
            self._connection.announce_child(node, here=False)
        for future in self._open.pop(child, set()):
            future.cancel()
        self._waiting = deque(one for one in self._waiting if one[0] is not child)
        self._chunks = deque(one for one in self._chunks if one[0] is not child)

    def _next_chunks(self) -> None:
        while self._chunks and self._under_way < CHUNKS_UNDER_WAY:
            child, request = self._chunks.popleft()
            connection = self._connection
            if connection is None or connection.is_closed:
                self._waiting.append((child, request))
                continue
            future = self._call(connection, child, request)
            if future is not None:
                self._under_way += 1
                future.add_done_callback(self._chunk_done)

    def _chunk_done(self, _: asyncio.Future[Any]) -> None:
        self._under_way -= 1
        self._next_chunks()

    def _call(
        self, connection: CallerConnection, child: Runner, request: Request
    ) -> asyncio.Future[Any] | None:
        def done(future: asyncio.Future[Any]) -> None:
            # ``get``: the child may be forgotten by now.
            self._open.get(child, set()).discard(future)
            error = None if future.cancelled() else future.exception()
            if isinstance(error, TqError):
                child.answer(request.call_id, None, error)
            elif not future.cancelled():
                child.answer(request.call_id, future.result(), None)

        if child not in self._nodes:
            # At its first call: most children never make one, and cost the master nothing.
            self._nodes[child] = self._random_bytes(NODE_ID_BYTES)
        try:
            future = connection.call(
                list(request.target),
                request.method,
                *request.args,
                child=self._nodes[child],
                **request.kwargs,
            )
        except TqError as error:
            child.answer(request.call_id, None, error)
            return None
        self._open.setdefault(child, set()).add(future)
        future.add_done_callback(done)
        return future
