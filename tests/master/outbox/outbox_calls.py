"""One good call of every method of outboxes: part of the table in ``tests/master/api/test_registry.py``."""

from __future__ import annotations

from typing import Any

from tq.common.contract.outbox import OutboxSubmit
from tq.common.values.codec import encode_call

ROW = OutboxSubmit("q", "m:f", {"priority": 3}, [[b"\x01" * 16, encode_call((1,), {}, (), [])]])

GOOD_CALLS: dict[str, list[Any]] = {
    "get_outbox.hand_over": [b"\x07" * 16, ROW.to_wire()],
    "get_outbox.forget": [[b"\x07" * 16]],
}
