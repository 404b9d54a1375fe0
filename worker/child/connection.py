"""An App's connection inside a task: calls go to the supervisor, which makes them on the worker's connection.

The frames are those of the network, over a socketpair. A thread reads the answers; the first call starts it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Final

from ...common.errors import Unreachable
from ...common.wire.frames import FRAME_BYTES_MAX, FrameReader
from ...common.wire.protocol import Answer, Caller
from .fork_guard import ForkGuard
from .lent_slot import SLOT
from .shard_routes import SHARDS, at_shard

READ_BYTES: Final = 256 * 1024


class ChildLink:
    """See ``common.wire.caller.Link``. Thread-safe."""

    def __init__(self, descriptor: int, own: ForkGuard) -> None:
        self._descriptor, self._fork_guard = descriptor, own
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._caller = Caller(FRAME_BYTES_MAX)
        self._pending: dict[int, Future[Any]] = {}
        self._shards = 0  # not known yet

    @property
    def shards(self) -> int:
        """How many the cluster has. Waits for the worker's first connection: no task begins before that."""
        if not self._shards:
            self._shards = int(self.call((SLOT,), SHARDS).result())
        return self._shards

    def call(self, target: Sequence[Any], method: str, *args: Any, shard: int = 0) -> Future[Any]:
        self._fork_guard.check()
        future: Future[Any] = Future()
        with self._lock:
            if self._socket is None:
                self._socket = socket.socket(fileno=self._descriptor)
                threading.Thread(target=self._read, name="tq-relay", daemon=True).start()
            call_id, frame = self._caller.call(at_shard(shard, target), method, args, {})
            self._pending[call_id] = future
            self._socket.sendall(frame)
        return future

    def detach(self) -> None:
        """In a fork: the fork guard closes the descriptor, so the object must not close it a second time."""
        if self._socket is not None:
            self._socket.detach()

    def close(self) -> None:
        """The connection belongs to the process, and ends with it."""

    def _read(self) -> None:
        frames = FrameReader(FRAME_BYTES_MAX + 1024)
        assert self._socket is not None  # noqa: S101 - the thread starts after it was made
        while data := self._socket.recv(READ_BYTES):
            for kind, body in frames.feed(data):
                event = self._caller.understand(kind, body)
                if isinstance(event, Answer):
                    self._settle(event)
        for future in list(self._pending.values()):
            future.set_exception(Unreachable("the supervisor is gone"))

    def _settle(self, answer: Answer) -> None:
        with self._lock:
            future = self._pending.pop(answer.call_id, None)
        if future is None or not future.set_running_or_notify_cancel():
            return
        if answer.error is None:
            future.set_result(answer.value)
        else:
            future.set_exception(answer.error)
