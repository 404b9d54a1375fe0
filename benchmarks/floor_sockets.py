"""The floor's sockets: bytes a second and round trips between two processes on loopback, bare and with TLS.

Measured: blocking sockets, large writes, and echoes of a small message; the processor time of both sides.
Not measured: an event loop, frames, or anything that is said.
"""

from __future__ import annotations

import multiprocessing
import socket
import ssl
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from tq.common.auth.certificate import ensure_certificate
from tq.common.wire.tls import client_context, server_context

from .readings import Readings, percentile
from .scale import Scale

PEER_SECONDS_MAX: Final = 60.0  # the other process has begun, or is done, by then; else it has died
CHUNK_BYTES: Final = 256 * 1024
MESSAGE_BYTES: Final = 128  # about what one small task takes on the wire
ACKNOWLEDGED: Final = b"!"


def sockets(scale: Scale) -> Readings:
    """``floor.tcp.*`` and ``floor.tls.*``: bytes/s, processor seconds per byte, seconds per round trip."""
    readings = Readings()
    with tempfile.TemporaryDirectory(prefix="tq-bench-") as name:
        certificate, key = ensure_certificate(Path(name))
        for kind in ("tcp", "tls"):
            tls = (str(certificate), str(key)) if kind == "tls" else None
            for what, number in _between_processes(tls, scale.socket_bytes, scale.socket_trips).items():
                readings.numbers[f"floor.{kind}.{what}"] = number
    return readings


def _between_processes(tls: tuple[str, str] | None, size: int, trips: int) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    other = context.Process(target=_other_side, args=(theirs, tls, size, trips), daemon=True)
    other.start()
    try:
        with (
            socket.create_connection(("127.0.0.1", _from_pipe(ours))) as bare,
            bare if tls is None else client_context().wrap_socket(bare) as line,
        ):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            times = sorted(_echo(line) for _ in range(trips))
            chunk = bytes(CHUNK_BYTES)
            began, began_busy = time.perf_counter(), time.process_time()
            for _ in range(size // CHUNK_BYTES):
                line.sendall(chunk)
            _receive(line, len(ACKNOWLEDGED))
            seconds, busy = time.perf_counter() - began, time.process_time() - began_busy
            sent = size // CHUNK_BYTES * CHUNK_BYTES
            return {
                "bytes": sent / seconds,
                "byte_seconds": (busy + _from_pipe(ours)) / sent,
                "trip_seconds": percentile(times, 0.5),
            }
    finally:
        other.join(PEER_SECONDS_MAX)


def _from_pipe(other: Connection) -> Any:
    if not other.poll(PEER_SECONDS_MAX):
        raise ConnectionError("the other process says nothing")
    return other.recv()


def _echo(line: socket.socket) -> float:
    began = time.perf_counter()
    line.sendall(bytes(MESSAGE_BYTES))
    _receive(line, MESSAGE_BYTES)
    return time.perf_counter() - began


def _receive(line: socket.socket, size: int) -> None:
    while size > 0:
        received = len(line.recv(size))
        if not received:
            raise ConnectionError("the other process has gone")
        size -= received


def _other_side(pipe: Connection, tls: tuple[str, str] | None, size: int, trips: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        pipe.send(server.getsockname()[1])
        bare, _ = server.accept()
    bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line: socket.socket | ssl.SSLSocket = bare
    if tls is not None:
        line = server_context(Path(tls[0]), Path(tls[1])).wrap_socket(bare, server_side=True)
    with line:
        for _ in range(trips):
            _receive(line, MESSAGE_BYTES)
            line.sendall(bytes(MESSAGE_BYTES))
        buffer = bytearray(CHUNK_BYTES)
        left = size // CHUNK_BYTES * CHUNK_BYTES
        began = time.process_time()
        while left > 0:
            left -= line.recv_into(buffer)
        line.sendall(ACKNOWLEDGED)
        pipe.send(time.process_time() - began)
