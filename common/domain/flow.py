"""Flows as all sides see them: their states, what happens when a task fails, and how their ids are made. Pure."""

from __future__ import annotations

import enum
import hashlib
from typing import Final

from .ids import computed_id
from .shards import shard_of_id

FAIL_FAST, COLLECT = "fail_fast", "collect"
ON_ERROR: Final = (FAIL_FAST, COLLECT)
CALLBACKS: Final = ("then", "catch", "finally")
FLOW_NAME_CHARS_MAX: Final = 255
FLOW_KEY_BYTES_MAX: Final = 1_024


class FlowState(enum.StrEnum):
    """A flow is ``open`` while its program submits into it, then ``running`` until each of its tasks has ended."""

    OPEN = "open"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        return self not in (FlowState.OPEN, FlowState.RUNNING)


def keyed_flow_id(maker: str, key: bytes, shard: int = 0) -> bytes:
    """Of a flow that was opened with a key: the same for the same key of the same maker. ``maker``: the id of the key that it
    authenticated with, so that no key takes the ids of another. ``shard``: the one where it is opened."""
    text = f"{len(maker)}:{maker}".encode()
    return computed_id(hashlib.sha256(b"tq1 flow" + text + key).digest(), shard)


def callback_id(flow: bytes, run: int, callback: bytes) -> bytes:
    """Of the task that a callback makes after a run of its flow: the same however often it is made, and in the flow's shard."""
    digest = hashlib.sha256(b"tq1 callback" + flow + run.to_bytes(8, "big") + callback).digest()
    return computed_id(digest, shard_of_id(flow))


def member_key(flow: str, place: int) -> str:
    """The key of a task in a flow with a key: the same program submits the same tasks in the same order."""
    return f"flow {flow} {place}"
