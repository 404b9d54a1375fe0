"""A client that keeps no rule but those of the wire: for what a program of tq would never send.

It knows the protocol from its documents, uses the shipped handshake to get in, and then sends any given bytes.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import msgpack
from tq.common.auth.keys import Credential
from tq.common.domain.model import NODE_ID_BYTES, Role
from tq.common.errors import QuotaExceeded, TqError, from_wire
from tq.common.wire.frames import FrameReader, Kind, encode_frame, pack, unpack
from tq.common.wire.handshake import ClientHandshake
from tq.common.wire.tls import client_context

FRAME_BYTES_MAX = 64 * 1024 * 1024
SECONDS_MAX = 30.0


class Hostile:
    """One connection, admitted. ``reads``: how many bytes its kernel keeps of what it does not read."""

    def __init__(self, port: int, key: str, role: Role = Role.CLIENT, *, reads: int | None = None) -> None:
        raw = socket.socket()
        raw.settimeout(SECONDS_MAX)
        if reads is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, reads)
        try:
            raw.connect(("127.0.0.1", port))
            self.channel: ssl.SSLSocket = client_context().wrap_socket(raw)
        except BaseException:
            raw.close()
            raise
        self._frames, self._answers = FrameReader(FRAME_BYTES_MAX), list[tuple[int, bytes]]()
        self._last_id = 0
        try:
            self._prove(Credential.parse(key), role)
        except BaseException:
            self.channel.close()
            raise

    def _prove(self, credential: Credential, role: Role) -> None:
        certificate = self.channel.getpeercert(binary_form=True) or b""
        proof = ClientHandshake(
            credential=credential, role=role, node=os.urandom(NODE_ID_BYTES), certificate=certificate
        )
        self.send(encode_frame(Kind.HELLO, proof.hello()))
        self.send(encode_frame(Kind.PROOF, proof.on_challenge(self._expect(Kind.CHALLENGE))))
        proof.on_welcome(self._expect(Kind.WELCOME))

    def _expect(self, kind: Kind) -> bytes:
        found, body = self._next()
        if found == Kind.REFUSED:
            raise from_wire(unpack(body))
        assert found == kind
        return body

    def send(self, data: bytes) -> None:
        self.channel.sendall(data)

    def post(self, target: Sequence[Any], method: str, *args: Any, child: bytes | None = None) -> int:
        """Make a call without waiting for its answer; returns its id."""
        self._last_id += 1
        parts = [self._last_id, list(target), method, list(args), {}]
        kind = Kind.CALL if child is None else Kind.RELAYED_CALL
        self.send(encode_frame(kind, pack(parts if child is None else [*parts, child]), FRAME_BYTES_MAX))
        return self._last_id

    def call(self, target: Sequence[Any], method: str, *args: Any, child: bytes | None = None) -> Any:
        return self.answer(self.post(target, method, *args, child=child))

    def answer(self, call_id: int) -> Any:
        """Of one call; what others are answered on the way is thrown away."""
        while True:
            kind, body = self._next()
            if kind == Kind.GOODBYE:
                raise ConnectionResetError(msgpack.unpackb(body))
            if kind in (Kind.RETURN, Kind.ERROR):
                found, *fields = msgpack.unpackb(body, strict_map_key=False)
                if found == call_id:
                    if kind == Kind.ERROR:
                        raise from_wire(fields)
                    return fields[0]

    def until_refused(self, target: Sequence[Any], method: str, *args: Any, times: int) -> TqError:
        """Call again and again; the first QuotaExceeded."""
        for _ in range(times):
            try:
                self.call(target, method, *args)
            except QuotaExceeded as error:
                return error
        raise AssertionError(f"{times} times {method}, and none was refused")

    def _next(self) -> tuple[int, bytes]:
        while not self._answers:
            data = self.channel.recv(1 << 18)
            if not data:
                raise ConnectionResetError("closed")
            self._answers = [(kind, bytes(body)) for kind, body in self._frames.feed(data)]
        return self._answers.pop(0)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
