"""What a lane says of the handler of its tasks (``on_failure``): which task is made, and by whose rights. Pure."""

from __future__ import annotations

from typing import NamedTuple

from ...common.domain.columns import FailureHandler
from ...common.wire.frames import pack, unpack


class KeptHandler(NamedTuple):
    """``key``: the id of the key that submitted the tasks."""

    key: str
    handler: FailureHandler

    def packed(self) -> bytes:
        """The same for equal ones."""
        return pack([self.key, *self.handler.to_wire()])

    @classmethod
    def unpacked(cls, kept: bytes) -> KeptHandler:
        key, *handler = unpack(kept)
        return cls(key, FailureHandler.from_wire(handler))
