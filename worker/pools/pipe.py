"""One end of a socketpair on the event loop: frames in, frames out, and a way to read to the very end.

This is no asyncio transport, for one reason: when a child dies, what it wrote must be read *before* its death is acted on,
and only the owner of the socket can know that nothing is left in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Final

from ...common.errors import ProtocolError
from ...common.runtime.callbacks import contained
from ...common.wire.frames import FrameReader, Kind, encode_frame

READ_BYTES: Final = 256 * 1024
STUCK_SECONDS: Final = 30.0
FRAME_BYTES_MAX: Final = 1024**3  # between processes that trust each other


class PipeEnd:
    """A ProtocolError of the stream or of ``on_frame`` goes to ``on_garbage``, any other exception, which is a bug of the
    worker, to ``on_bug``. After either, nothing more is read."""

    def __init__(
        self,
        end: socket.socket,
        on_frame: Callable[[int, memoryview], None],
        on_garbage: Callable[[ProtocolError], None],
        on_bug: Callable[[Exception], None],
    ) -> None:
        self._socket, self._on_frame, self._on_garbage = end, on_frame, on_garbage
        self._on_bug = on_bug
        self._loop = asyncio.get_running_loop()
        self._frames = FrameReader(FRAME_BYTES_MAX)
        self._unsent = bytearray()
        self._is_ending = False
        self._read_at = 0.0  # when bytes came last
        end.setblocking(False)
        self._loop.add_reader(end, self._readable)

    def write(self, kind: Kind, body: bytes) -> None:
        """Send now what fits, the rest when there is room. A dead peer is no error here: its death is reported elsewhere."""
        self.write_frame(encode_frame(kind, body, FRAME_BYTES_MAX))

    def write_frame(self, frame: bytes) -> None:
        if self._unsent:
            self._unsent += frame
            return
        sent = self._send(frame)
        if sent < len(frame):
            self._unsent += frame[sent:]
            self._loop.add_writer(self._socket, self._writable)

    def end(self) -> None:
        """Nothing more is written: the peer reads to the end of what is on its way, and then the end."""
        self._is_ending = True
        if not self._unsent:
            with contextlib.suppress(OSError):  # the peer is gone
                self._socket.shutdown(socket.SHUT_WR)

    def is_stuck(self) -> bool:
        """Whether a frame has begun and no more of it has come for long. A child writes whole frames, so this is not one."""
        return self._frames.held_bytes > 0 and self._loop.time() - self._read_at > STUCK_SECONDS

    def read_rest(self) -> None:
        """Everything the peer wrote before it died."""
        while self._read(empty=False):
            continue

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()

    def broke(self, error: Exception) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._on_bug(error)

    @contained
    def _readable(self) -> None:
        if not self._read():
            self._loop.remove_reader(self._socket)  # the peer closed it: its death is reported next

    def _read(self, empty: bool = True) -> bool:
        """Read once. False at the end; ``empty`` is the answer when there is just nothing to read now."""
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return empty
        except OSError:
            return False
        self._read_at = self._loop.time()
        try:
            for kind, body in self._frames.feed(data) if data else ():
                self._on_frame(kind, body)
        except ProtocolError as error:
            self._on_garbage(error)
            return False
        return bool(data)

    @contained
    def _writable(self) -> None:
        del self._unsent[: self._send(self._unsent)]
        if not self._unsent:
            self._loop.remove_writer(self._socket)
            if self._is_ending:
                self.end()

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # the peer is gone, which is reported elsewhere: these bytes have no reader


def open_pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    """Both ends of a pipe, which ``undo`` closes."""
    ends = os.pipe()
    for descriptor in ends:
        undo.callback(os.close, descriptor)
    return ends
