"""A TCP proxy that does harm at exact places of the stream: it counts TLS records, the frames' only visible edges.

Everything of tq is in TLS; a record's five-byte header (type, version, length) is in the clear. One flush of
tq is one write is one record, or several for what is larger than 16 KiB.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from enum import StrEnum

from ..cluster.proxy import Proxy

HEADER = struct.Struct(">BHH")
LENGTH_HIGH = 3  # the high byte of the length in a header
LONGER = 0x04  # a bit of it: the record seems to have 1,024 bytes more, which what follows has to fill
SLOW_CHUNK = 16 * 1024


class Direction(StrEnum):
    UP = "to the master"
    DOWN = "from the master"


class Harm(StrEnum):
    CUT = "cut behind a record"
    CUT_INSIDE = "cut inside a record"
    HALF_OPEN = "half-open behind a record"
    DAMAGED = "with a damaged record, then silent"
    LENGTH = "with a damaged record length"
    DELAY = "delayed"
    SINGLE_BYTES = "in single bytes"
    SLOW = "slow"


class Records:
    """Cuts a stream into its TLS records, whatever the chunks it comes in."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._rest += data
        while len(self._rest) >= HEADER.size:
            end = HEADER.size + HEADER.unpack_from(self._rest)[2]
            if len(self._rest) < end:
                return
            record, self._rest = self._rest[:end], self._rest[end:]
            yield record


class ChaosProxy(Proxy):
    """Harms its first connection, in one direction, behind so many records; later ones pass unharmed.

    ``DELAY``, ``SINGLE_BYTES`` and ``SLOW`` are for all connections and the whole stream. ``struck`` is set
    when harm was done.
    """

    def __init__(
        self, port: int, harm: Harm, direction: Direction, record: int = 0, *, seconds: float = 0.0
    ) -> None:
        self.harm, self._direction, self.record, self.seconds = harm, direction, record, seconds
        self.struck = threading.Event()
        self.silent = threading.Event()  # the first connection is, both ways: a host without power
        self.ended = threading.Event()
        super().__init__(port)

    def close(self) -> None:
        self.ended.set()
        super().close()

    def _pump(self, source: socket.socket, target: socket.socket, left: list[socket.socket]) -> None:
        with self._lock:
            near = any(source is one for one, _ in self._pairs)
        is_it = self._direction == (Direction.UP if near else Direction.DOWN)
        if is_it and self.harm in (Harm.DELAY, Harm.SINGLE_BYTES, Harm.SLOW):
            target = _Hampered(target, self)  # type: ignore[assignment]
        elif is_it and self.accepted == 1:
            target = _Counted(target, self)  # type: ignore[assignment]
        elif self.accepted == 1:
            target = _Silenced(target, self)  # type: ignore[assignment]
        super()._pump(source, target, left)


class _Hampered:
    """A socket whose sending is slow."""

    def __init__(self, target: socket.socket, proxy: ChaosProxy) -> None:
        self._target, self._proxy = target, proxy

    def sendall(self, data: bytes) -> None:
        self._proxy.struck.set()
        size = {Harm.DELAY: len(data), Harm.SINGLE_BYTES: 1}.get(self._proxy.harm, SLOW_CHUNK)
        for start in range(0, len(data), size):
            self._proxy.ended.wait(self._proxy.seconds)
            self._target.sendall(data[start : start + size])

    def shutdown(self, how: int) -> None:
        self._target.shutdown(how)

    def close(self) -> None:
        self._target.close()


class _Silenced:
    """A socket whose sending ends, without a word, when its proxy is silent."""

    def __init__(self, target: socket.socket, proxy: ChaosProxy) -> None:
        self._target, self._proxy = target, proxy

    def sendall(self, data: bytes) -> None:
        if not self._proxy.silent.is_set():
            self._target.sendall(data)

    def shutdown(self, how: int) -> None:
        if not self._proxy.silent.is_set():
            self._target.shutdown(how)

    def close(self) -> None:
        self._target.close()


class _Counted:
    """A socket whose sending ends, or is damaged, behind so many records."""

    def __init__(self, target: socket.socket, proxy: ChaosProxy) -> None:
        self._target, self._proxy = target, proxy
        self._records, self._left = Records(), proxy.record

    def sendall(self, data: bytes) -> None:
        for record in self._records.feed(data):
            if self._left == 0:
                self._strike(record)
                return
            if not self._proxy.silent.is_set():
                self._target.sendall(record)
            self._left -= 1

    def _strike(self, record: bytes) -> None:
        self._proxy.struck.set()
        harm = self._proxy.harm
        if harm == Harm.HALF_OPEN:
            return  # swallowed, like everything after it: neither end notices
        if harm in (Harm.DAMAGED, Harm.LENGTH):
            at, mask = (LENGTH_HIGH, LONGER) if harm == Harm.LENGTH else (len(record) // 2, 1)
            self._target.sendall(record[:at] + bytes([record[at] ^ mask]) + record[at + 1 :])
            if harm == Harm.DAMAGED:
                self._proxy.silent.set()
            self._left -= 1  # what follows goes on, as far as anything does
            return
        if self._proxy.harm == Harm.CUT_INSIDE:
            self._target.sendall(record[: len(record) // 2])
        raise ConnectionAbortedError

    def shutdown(self, how: int) -> None:
        self._target.shutdown(how)

    def close(self) -> None:
        self._target.close()
