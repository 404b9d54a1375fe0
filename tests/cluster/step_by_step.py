"""A client that a test leads through its handshake step by step, with whatever between the steps it likes."""

from __future__ import annotations

import hashlib
import os
import socket
from typing import Any

from tq.common.auth.keys import Credential
from tq.common.domain.model import Role
from tq.common.wire.frames import FRAME_BYTES_MAX, FrameReader, Kind, encode_frame, unpack
from tq.common.wire.handshake import ClientHandshake
from tq.common.wire.protocol import Answer, Caller, child_frame
from tq.common.wire.tls import client_context

SECONDS = 20.0  # for an answer, on a loaded machine


class Steps:
    """``hello``, ``prove``, then ``call``; every one blocks until the master has answered."""

    def __init__(
        self, port: int, key: str, role: str = "client", node: bytes | None = None, *, source: str = ""
    ) -> None:
        self.node = node or os.urandom(16)
        self._credential, self._role = Credential.parse(key), Role(role)
        where = (source, 0) if source else None
        plain = socket.create_connection(("127.0.0.1", port), SECONDS, where)
        self.socket = client_context().wrap_socket(plain)
        self._frames = FrameReader(FRAME_BYTES_MAX)
        self._arrived: list[tuple[int, bytes]] = []
        self._caller = Caller()

    def hello(self) -> Steps:
        """Up to the master's CHALLENGE."""
        certificate = self.socket.getpeercert(binary_form=True) or b""
        if self._credential.pin is not None:
            assert hashlib.sha256(certificate).digest() == self._credential.pin
        self._handshake = ClientHandshake(
            credential=self._credential, role=self._role, node=self.node, certificate=certificate
        )
        self.send(encode_frame(Kind.HELLO, self._handshake.hello()))
        kind, self._challenge = self.receive()
        assert kind == Kind.CHALLENGE
        return self

    def prove(self) -> list[Any] | None:
        """The PROOF; None when it was admitted, else what the refusal says."""
        self.send(encode_frame(Kind.PROOF, self._handshake.on_challenge(self._challenge)))
        kind, body = self.receive()
        if kind == Kind.REFUSED:
            return list(unpack(body))
        self._handshake.on_welcome(body)
        return None

    def enter(self) -> Steps:
        assert self.hello().prove() is None
        return self

    def call(self, target: str, method: str, *args: Any, child: bytes | None = None) -> Any:
        """The answer of ``name/argument/…``; raises what the master refuses with."""
        call_id, frame = self._caller.call(target.split("/"), method, args, {}, child)
        self.send(frame)
        while True:
            answer = self._caller.understand(*self._frame())
            if isinstance(answer, Answer) and answer.call_id == call_id:
                if answer.error is not None:
                    raise answer.error
                return answer.value
            if answer is not None and not isinstance(answer, Answer):
                raise EOFError(answer.reason)

    def have_child(self, node: bytes) -> None:
        self.send(child_frame(node, True))

    def is_hung_up_on(self) -> bool:
        """True once the master has closed; what it still says is passed over."""
        try:
            while True:
                self.receive()
        except (EOFError, ConnectionError):
            return True

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> tuple[int, bytes]:
        kind, body = self._frame()
        return kind, bytes(body)

    def _frame(self) -> tuple[int, memoryview]:
        while not self._arrived:
            data = self.socket.recv(65_536)
            if not data:
                raise EOFError("the master closed the connection")
            self._arrived += [(kind, bytes(body)) for kind, body in self._frames.feed(data)]
        kind, body = self._arrived.pop(0)
        return kind, memoryview(body)
