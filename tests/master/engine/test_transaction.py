"""The answers of a transaction: parked calls get theirs first."""

from __future__ import annotations

from typing import Any

from tq.common.domain.model import Role
from tq.master.engine.session import Call, Session
from tq.master.engine.transaction import Transaction


class Wire:
    def __init__(self) -> None:
        self.sent: list[int] = []

    def encode(self, call: Call) -> bytes:
        return bytes([call.call_id])

    def send(self, frame: bytes) -> None:
        self.sent.append(frame[0])


def test_parked_calls_are_answered_before_those_of_the_transaction_itself() -> None:
    wire: Any = Wire()
    nothing: Any = None
    session = Session(wire, verifier=nothing, role=Role.CLIENT, node=b"n" * 16, address="here")
    replies: list[Call] = []
    calls = [Call(session, call_id, lambda call: None, replies) for call_id in (1, 2, 3, 4)]
    earlier, transaction = Transaction(1), Transaction(2, replies)
    for call, performed_in in zip(calls, (transaction, earlier, transaction, earlier), strict=True):
        session.expect(call)
        performed_in.add(call)
        call.answer(None)
    session.settle(4)  # its caller has given up
    transaction.send_answers()
    assert wire.sent == [2, 1, 3]
    assert session.calls == {}
